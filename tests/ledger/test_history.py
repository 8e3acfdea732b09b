"""History: every row explained by somebody for a reason, in one act with the change, or the change does not happen."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.core import serializers
from django.db import IntegrityError, models

from billing.models import BillingAccount, BillingAccountBinding, DefaultAccount, Notice, PayerChangeItem, Suspension
from billing.services.default_accounts import set_default
from milo import audit
from milo.access import Actor
from milo.audit import Anonymous
from milo.errors import Invalid
from milo.identity.models import ServiceToken
from milo.kube.kinds import kind_of
from projects.models import Membership, Organization, Project
from projects.services.organizations import OrganizationSpec
from tests.support import make
from tests.support.ledger import SUMMARY, assert_history_explains, everything, nothing_changes, revisions, steps
from tests.support.payer_changes import a_payer_change
from tests.support.tamper import guards_off

MAKERS: dict[type[models.Model], Callable[[], Any]] = {
    Organization: make.an_organization,
    Project: lambda: make.a_project(make.an_organization()),
    Membership: lambda: Membership.objects.get(user=make.a_person(roles={make.an_organization(): "billing-user"})),
    BillingAccount: lambda: make.a_ready_account(make.an_organization()),
    BillingAccountBinding: lambda: make.a_binding(
        (project := make.a_project(make.an_organization())), make.a_ready_account(project.organization)
    ),
    ServiceToken: lambda: make.a_token(make.a_person())[0],
}
every_model = pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)


def copy_of(row: Any) -> Any:
    """The row as a new one that is not written yet."""
    row.pk, row._state.adding = None, True
    return row


def load(row: models.Model) -> None:
    """Write the row as `manage.py loaddata` does."""
    for loaded in serializers.deserialize("json", serializers.serialize("json", [row])):
        loaded.save()


PAST_THE_DOOR: dict[str, Callable[[Any], object]] = {
    "save": lambda row: row.save(),
    "save of a new row": lambda row: copy_of(row).save(),
    "save of some columns": lambda row: row.save(update_fields=[row._meta.concrete_fields[-1].name]),
    "save without history": lambda row: row.save_without_historical_record(),
    "create": lambda row: type(row)._default_manager.create(),
    "fixture": load,
    "delete": lambda row: row.delete(),
    "delete of many": lambda row: type(row)._default_manager.filter(pk=row.pk).delete(),
}


@pytest.mark.django_db(transaction=True)
@every_model
def test_a_row_written_past_the_door_is_refused_and_stays_as_it_was(model: type[models.Model]) -> None:
    pk = MAKERS[model]().pk
    tokens = list(ServiceToken.objects.values())
    for way, write in PAST_THE_DOOR.items():
        # where a guard keeps the table, the database refuses a delete before anybody asks for its author
        with nothing_changes(), pytest.raises((Anonymous, IntegrityError) if "delete" in way else Anonymous):
            write(model._base_manager.get(pk=pk))
    assert list(ServiceToken.objects.values()) == tokens


@pytest.mark.django_db
@every_model
def test_every_model_has_history_that_explains_its_rows(model: type[models.Model]) -> None:
    row = MAKERS[model]()
    assert_history_explains(row)


@pytest.mark.django_db
def test_a_row_changes_inside_an_act_only() -> None:
    project = make.a_project(make.an_organization())
    with nothing_changes(), pytest.raises(Anonymous, match=r"inside milo\.audit\.transaction"):
        audit.save_as(make.PLATFORM, project, reason="ProjectRevised")
    with nothing_changes(), pytest.raises(Anonymous, match=r"inside milo\.audit\.transaction"):
        audit.mark_changed(make.PLATFORM, project, reason="PayerChanged")


@pytest.mark.django_db
@pytest.mark.parametrize(("actor", "reason"), [(Actor(""), "ProjectRevised"), (make.PLATFORM, "")])
def test_actor_and_reason_are_mandatory(actor: Actor, reason: str) -> None:
    project = make.a_project(make.an_organization())
    project.display_name = "Renamed"
    with nothing_changes(), pytest.raises(Anonymous), audit.transaction():
        audit.save_as(actor, project, reason=reason)


@pytest.mark.django_db
def test_author_and_reason_do_not_stick_to_the_instance() -> None:
    project = make.a_project(make.an_organization())
    with audit.transaction():
        audit.save_as(Actor("user:first"), project, reason="ProjectRevised", why="first")
        audit.save_as(Actor("user:second"), project, reason="ProjectRevised")
    newest = list(project.history.order_by("-history_id").values_list("history_user_id", SUMMARY)[:2])
    assert newest == [("user:second", "ProjectRevised"), ("user:first", "ProjectRevised: first")]
    with pytest.raises(Anonymous):
        project.save()


@pytest.mark.django_db
def test_a_reason_with_a_card_number_is_refused() -> None:
    project = make.a_project(make.an_organization())
    with nothing_changes(), pytest.raises(Invalid, match="message"), audit.transaction():
        audit.save_as(make.PLATFORM, project, reason="ProjectRevised", why="paid by 4111 1111 1111 1111")


@pytest.mark.django_db(transaction=True)
def test_an_act_that_fails_on_its_way_leaves_nothing() -> None:
    organization = make.an_organization()
    project, account = make.a_project(organization), make.a_ready_account(organization)

    def fail_half_way() -> None:
        with audit.transaction():
            make.a_binding(project, account)
            make.a_project(organization)
            assert project.bindings.count() == 1
            raise ZeroDivisionError

    with nothing_changes(), pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert make.a_binding(project, account).phase == BillingAccountBinding.Phase.ACTIVE


@pytest.mark.django_db(transaction=True)
def test_acts_inside_an_act_are_one_act() -> None:
    organization = make.an_organization()
    with audit.transaction():
        project, account = make.a_project(organization), make.a_ready_account(organization)
        make.a_binding(project, account)
    for row in (project, account):
        (revision,) = revisions(row)
        assert revision.type == "ADDED"
        assert_history_explains(row)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("column", "value", "refusal"),
    [
        ("created_at", datetime(2020, 1, 1, tzinfo=UTC), (IntegrityError, "project_identity_fixed")),
        # no UPDATE names a key (docs/traps.md)
        ("name", "renamed", (ValueError, "name of .+ cannot change")),
        ("uid", uuid4(), (ValueError, "uid of .+ cannot change")),
    ],
)
def test_what_is_refused_below_the_services_takes_the_whole_act_with_it(
    column: str, value: object, refusal: tuple[type[Exception], str]
) -> None:
    project = make.a_project(make.an_organization())

    def change() -> None:
        with audit.transaction():
            make.a_project(project.organization)
            setattr(project, column, value)
            audit.save_as(make.PLATFORM, project, reason="ProjectRevised")

    error, match = refusal
    with nothing_changes(), pytest.raises(error, match=match):
        change()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("model", "key"), [(DefaultAccount, "organization_id"), (PayerChangeItem, "project_id"), (Suspension, "uid")]
)
def test_another_key_of_a_row_that_is_not_served_is_refused_too(model: type[models.Model], key: str) -> None:
    organization = make.an_organization()
    account, other = make.a_ready_account(organization), make.a_project(make.an_organization())
    a_payer_change(account, make.a_project(organization))
    set_default(organization.pk, OrganizationSpec(), account.name, actor=make.PLATFORM)
    make.in_phase(account, "Suspended")
    row = model._base_manager.get()
    setattr(row, key, {"organization_id": other.organization_id, "project_id": other.pk, "uid": uuid4()}[key])

    def change() -> None:
        with audit.transaction():
            make.a_project(organization)
            audit.save_as(make.PLATFORM, row, reason="Revised")

    with nothing_changes(), pytest.raises(IntegrityError, match="_identity_fixed"):
        change()


def test_rows_that_others_refer_to_are_served_and_so_compared_with_their_keys_or_never_written_again() -> None:
    keyed = {model for model in apps.get_models() if audit.fixed_keys(model)}
    assert {model for model in keyed if not kind_of(model)} == {Notice}


@pytest.mark.django_db
def test_history_is_in_the_order_of_the_steps_and_shows_each_as_it_was() -> None:
    account = make.an_incomplete_account(make.an_organization())
    first, second = account.history.order_by("history_id")
    assert (first.phase, second.phase) == ("Provisioning", "Incomplete")
    assert (first.phase_message, second.phase_message) == ("", account.phase_message)
    assert first.history_date <= second.history_date
    assert account.history.latest() == second
    assert steps(account) == [
        ("Provisioning", "BillingAccountOpened"),
        ("Incomplete", f"BillingAccountIncomplete: {account.phase_message}"),
    ]


@pytest.mark.django_db
def test_history_keeps_the_name_of_a_person_who_is_gone() -> None:
    organization = make.an_organization()
    person = make.a_person("leaver", groups=("finance-operator",))
    project = make.a_project(organization)
    with audit.transaction():
        audit.save_as(Actor(f"user:{person.get_username()}"), project, reason="ProjectRevised")
    # nothing of Milo deletes people, and the application's role may not
    with guards_off():
        person.delete()
    assert project.history.latest().history_user_id == "user:leaver"


@pytest.mark.django_db
def test_a_token_whose_digest_looks_like_a_card_number_is_issued_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "ab4111111111111111" + "c" * 46
    monkeypatch.setattr("milo.identity.tokens.digest", lambda secret: digest)
    token, _secret = make.a_token(make.a_person())
    assert ServiceToken.objects.get(digest=digest) == token


@pytest.mark.django_db
def test_every_row_that_the_services_have_written_is_explained() -> None:
    for build in MAKERS.values():
        build()
    assert everything()
    for model in MAKERS:
        for row in model._base_manager.all():
            assert_history_explains(row)
