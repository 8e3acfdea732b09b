"""If-Match of the acts of every kind: compared under the lock, so that nothing is done to what nobody has seen."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User

from milo.kube.kinds import all_kinds
from tests.api.access_matrix import NOBODY, OPERATOR, ORGANIZATION_ROLES, ROUTES, Case
from tests.api.client import Answer, Api, nothing_changes
from tests.api.test_authorization_matrix import OWN, body_of, populate, possible
from tests.support import make
from tests.support.interleaving import then
from tests.support.ledger import touch


def routes_of_acts() -> Iterator[tuple[str, Case]]:
    for kind in all_kinds():
        for act in kind.actions:
            [route] = [route for route in ROUTES if route.endswith(f"/{kind.plural}/<str:name>/{act.name}")]
            yield route, ROUTES[route]["POST"]


ROUTES_OF_ACTS = dict(routes_of_acts())
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator() -> User:
    make.a_person(NOBODY)
    return make.a_person(OPERATOR, groups=(OPERATOR,))


def api_of(case: Case, operator: User, organization: Any) -> Api:
    """A person who may do the act of `case`."""
    if OPERATOR in case.who:
        return Api.of(operator)
    role = min(case.who)
    inside = role in ORGANIZATION_ROLES
    return Api.of(make.a_person(roles={organization: role}) if inside else make.a_person(groups=(role,)))


def row_of(path: str) -> Any:
    """The object whose act `path` is."""
    *_place, plural, name, _act = path.split("/")
    [kind] = [kind for kind in all_kinds() if kind.plural == plural]
    return kind.queryset().get(name=name)


@pytest.mark.parametrize("route", ROUTES_OF_ACTS)
def test_an_act_is_done_to_the_revision_that_was_seen_and_to_no_other(route: str, operator: User) -> None:
    organization = populate(OWN, operator)
    case, path = possible(route, operator, organization)
    api = api_of(case, operator, organization)
    row, body = row_of(path), body_of(path, case, OWN)

    def act(query: str = "?dryRun=All", **headers: str) -> Answer:
        return api.post(path + query, body, **headers)

    seen = api.get(path.rpartition("/")[0]).headers["ETag"]
    assert act().code == act(if_match=seen).code == act(if_match="*").code == 200
    with nothing_changes():
        act("", if_match=f"W/{seen}").refused(412, "PreconditionFailed")
        act("", if_match="nonsense").refused(412, "PreconditionFailed")
        act("", if_none_match='"1"').refused(400, "BadRequest")
    # begun before the change of somebody else was committed, it meets the object as it is after that
    late = then(partial(touch, row), partial(act, "", if_match=seen))
    assert isinstance(late, Answer)
    with nothing_changes():
        late.refused(412, "PreconditionFailed")
        act("", if_match=seen).refused(412, "PreconditionFailed")
    newest = api.get(path.rpartition("/")[0]).headers["ETag"]
    assert newest != seen
    assert act("", if_match=newest).code == 200
