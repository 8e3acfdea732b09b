"""The account that pays for new projects: set it, bind a new project to it, and bind those that waited for it.

Start at `bind_new_project`, which `create_project` calls in its transaction. A project whose default account is not
Ready, or whose payer of record is not, is created all the same; `bind_waiting` binds it once they are.
"""

import hashlib
from typing import Any

import structlog
from django.db.models import Exists, Q
from django.utils.translation import gettext as _

from billing.access import BINDINGS
from billing.models import BillingAccount, BillingAccountBinding, DefaultAccount
from billing.models.default_account import PAYER_ANNOTATION
from billing.models.unbound_project import unbound_projects
from billing.services import payers_of_record
from billing.services.accounts import missing_account, not_ready
from billing.services.handovers import account_causes, hand_over
from billing.services.payer_changes import plans
from milo import audit, clock
from milo.access import Actor
from milo.compiled_queries import CompiledQuery, Param
from milo.errors import Cause, Invalid
from milo.kube.metadata import Metadata
from milo.kube.names import LABEL_LENGTH, with_suffix
from milo.kube.store import changes
from projects.access import ORGANIZATIONS
from projects.models import Organization, Project
from projects.services.organizations import OrganizationSpec, revise_organization

log = structlog.get_logger(__name__)
SWEEP = Actor.system("default-account-sweep")
DEFAULT_FIELD = "spec.defaultBillingAccountRef.name"
ANNOTATION_FIELD = f"metadata.annotations.{PAYER_ANNOTATION}"
NONE = "none"
DEFAULT_REASON = "DefaultAccount"
HASH_LENGTH = 8
AT_ONCE = 200


def _payer(**condition: Any) -> CompiledQuery[BillingAccount]:
    """Return the query that locks the payer of a new project, and tells whether the name of its binding is taken."""
    taken = BillingAccountBinding.objects.filter(organization=Param("organization"), name=Param("binding"))
    return CompiledQuery(
        lambda: (
            BillingAccount.objects.filter(**condition)
            .only("name", "phase", "phase_message", "organization_id", "paid_by_id")
            .annotate(name_is_taken=Exists(taken))
            .locked()
        )
    )


_DEFAULT = _payer(default_of__organization=Param("organization"))
_NAMED = _payer(organization=Param("organization"), name=Param("account"))


def set_default(
    organization_id: int,
    spec: OrganizationSpec,
    account: str,
    metadata: Metadata | None = None,
    *,
    why: str = "",
    actor: Actor,
    resource_version: int | None = None,
) -> Organization:
    """Replace the spec of an organization with its default account, a name; "" for none. Projects stay as they are.

    `why` is a reason for people, kept in the history of both.
    The organization returned has the attribute `unbound_warning`, a sentence about the projects that stay unbound.
    Lock order: the organization, then its new default account. Raises `Forbidden`; `Conflict` for a stale
    `resource_version`; `Invalid` for faults of spec or metadata, and for an account that is missing or closed.
    """
    actor.require("update", ORGANIZATIONS, organization_id)
    with audit.transaction():
        organization = Organization.objects.locked().get(pk=organization_id)
        changes.expect(organization, resource_version)
        changed = _put_default(organization, account, why, actor)
        revised = revise_organization(organization_id, spec, metadata, respecified=changed, why=why, actor=actor)
        revised.unbound_warning = _unbound_warning(revised, account) if changed else ""  # type: ignore[attr-defined]
        return revised


def default_of(organization: Organization) -> BillingAccount | None:
    """Return the account that pays for new projects of an organization; None if nobody does."""
    return _default(organization).account


def _default(organization: Organization) -> DefaultAccount:
    default = DefaultAccount.objects.filter(organization=organization).select_related("account").first()
    return default or DefaultAccount(organization=organization)


def _put_default(organization: Organization, name: str, why: str, actor: Actor) -> bool:
    """Set the default account of an organization, locked by the caller. Return whether it is another one now."""
    default = _default(organization)
    if name == (default.account.name if default.account else ""):
        return False
    default.account = _usable(organization, name) if name else None
    default.since = audit.ledger_time(organization) if name else None
    default.waiting = False
    why = why or (f"{name} pays for new projects" if name else "nobody pays for new projects")
    audit.save_as(actor, default, reason="DefaultAccountSet", why=why)
    return True


def _usable(organization: Organization, name: str) -> BillingAccount:
    """Lock and return the account. Raises `Invalid` if there is none, or if it is closed."""
    account = BillingAccount.objects.locked().filter(organization=organization, name=name).first()
    if account is None:
        raise Invalid.because([missing_account(name, DEFAULT_FIELD)])
    if account.phase in BillingAccount.READ_ONLY:
        message = _("billing account %(name)s is %(phase)s") % {"name": name, "phase": account.phase}
        raise Invalid.because([Cause(DEFAULT_FIELD, message)])
    return account


def _unbound_warning(organization: Organization, account: str) -> str:
    """Return the warning that a new default account binds none of the projects there are; "" if none is unbound."""
    if not account:
        return ""
    unbound = unbound_projects().filter(organization=organization).count()
    if not unbound:
        return ""
    message = _(
        "projects of %(organization)s without a payer: %(count)d. A default account is for new projects: create a"
        " PayerChange with spec.toAccountRef.name %(account)s that names them in spec.projects"
    )
    return message % {"count": unbound, "organization": organization.name, "account": account}


def bind_new_project(project: Project, *, actor: Actor) -> None:
    """Bind a project, created in the caller's transaction, to the account that pays for new projects.

    The annotation `billing.milo.io/payer` names another account, which is refused like a bind, or `none`. A default
    account that is not Ready pays once it is: the project waits for `bind_waiting`. Raises `Forbidden` and `Invalid`.
    """
    named = project.annotations.get(PAYER_ANNOTATION, "")
    if named == NONE:
        return
    if not named and PAYER_ANNOTATION in project.annotations:
        message = _("must be the name of a billing account, or none")
        raise Invalid.because([Cause(ANNOTATION_FIELD, message)], _("the project cannot be bound"))
    name = _binding_name(project)
    asked: dict[str, Any] = {"organization": project.organization_id, "binding": name}
    if named:
        actor.require("create", BINDINGS, project.organization_id)
        shared = payers_of_record.lock_shared([], project.organization_id, named)
        account = _NAMED.first(account=named, **asked)
        if cause := _refusal(named, account):
            raise Invalid.because([cause], _("the project cannot be bound"))
    else:
        shared = payers_of_record.lock_shared(default_of=project.organization_id)
        account = _DEFAULT.first(**asked)
        if account and account_causes(account.name, account):
            waits = DefaultAccount.objects.filter(organization=project.organization_id, account=account)
            waits.filter(waiting=False).update(waiting=True)
            return
    if account:
        payers_of_record.refuse_changed([account], shared)
        _bind(project, account, name, "SuccessfulBinding" if named else DEFAULT_REASON, actor)


def _refusal(name: str, account: BillingAccount | None) -> Cause | None:
    if account is None:
        return missing_account(name, ANNOTATION_FIELD)
    return not_ready(account, ANNOTATION_FIELD) or payers_of_record.not_ready(account, ANNOTATION_FIELD)


def _bind(
    project: Project, account: BillingAccount, name: str, reason: str, actor: Actor, *, known: bool = False
) -> None:
    """Bind a project that never had a payer, and so is not locked either. The caller holds the locks of both.

    `known` says that others know the project already: it may have usage, and its revision is of this change.
    """
    if account.name_is_taken:  # type: ignore[attr-defined]
        name = _binding_name(project, unique=True)
    at = clock.valid_time(audit.ledger_time(project))
    binding = BillingAccountBinding(
        name=name,
        organization_id=project.organization_id,
        project=project,
        account=account,
        established_at=at,
        created_at=at,
    )
    hand_over(binding, None, reason=reason, known=known, actor=actor)


def _binding_name(project: Project, *, unique: bool = False) -> str:
    """Return `{project}-default`, with a hash where that is too long or not `unique`."""
    suffix = "-default"
    if unique or len(project.name) + len(suffix) > LABEL_LENGTH:
        suffix = f"-{hashlib.sha256(project.name.encode()).hexdigest()[:HASH_LENGTH]}{suffix}"
    return with_suffix(project.name, suffix)


def bind_waiting() -> int:
    """Bind the projects that waited for their default account to become Ready, and return how many.

    Each project is a transaction, so that an interrupted sweep goes on where it stopped. A failure of one organization
    is logged; the others go on.
    """
    bound = 0
    invoiced = Q(account__paid_by=None) | Q(account__paid_by__phase=BillingAccount.Phase.READY)
    ready = DefaultAccount.objects.filter(invoiced, waiting=True, account__phase=BillingAccount.Phase.READY)
    for default in ready.order_by("pk"):
        try:
            bound += _bind_waiting_of(default)
        except Exception:
            log.exception("default_account_sweep_failed", default=default.pk)
    return bound


def _bind_waiting_of(default: DefaultAccount) -> int:
    bound, after = 0, 0
    while keys := list(
        default.waiting_projects().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:AT_ONCE]
    ):
        for after in keys:
            bound += _bind_one_waiting(after)
    _stop_waiting(default)
    return bound


def _bind_one_waiting(project_id: int) -> bool:
    """Bind a project if it still waits, under its lock. Return whether it did; what is planned for it comes first."""
    with audit.transaction():
        project = Project.objects.locked().get(pk=project_id)
        name = _binding_name(project)
        shared = payers_of_record.lock_shared(default_of=project.organization_id)
        account = _DEFAULT.first(organization=project.organization_id, binding=name)
        if account is None or account_causes(account.name, account):
            return False
        payers_of_record.refuse_changed([account], shared)
        default = DefaultAccount.objects.get(account=account)
        if not default.waiting_projects().filter(pk=project_id).exists() or plans.open_item(project_id):
            return False
        _bind(project, account, name, DEFAULT_REASON, SWEEP, known=True)
        return True


def _stop_waiting(default: DefaultAccount) -> None:
    """Note that no project waits any more. A project created meanwhile holds the lock of the account, or sees this."""
    with audit.transaction():
        account = BillingAccount.objects.locked().filter(default_of=default).first()
        if account and account.phase == BillingAccount.Phase.READY and not default.waiting_projects().exists():
            DefaultAccount.objects.filter(pk=default.pk, account=account).update(waiting=False)
