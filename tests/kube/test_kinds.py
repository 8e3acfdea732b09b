"""The registry of kinds, and the extension of a registered kind."""

import pytest

from billing.api.projects import BilledProjectKind
from milo.kube.kinds import all_kinds, kind_of, register
from projects.api.kinds import ProjectKind
from projects.models import Project


def test_an_extension_takes_the_place_of_the_kind() -> None:
    assert type(kind_of(Project)) is BilledProjectKind
    assert [kind.kind for kind in all_kinds()].count("Project") == 1


def test_a_resource_that_is_taken_is_refused() -> None:
    registered = all_kinds()
    with pytest.raises(ValueError, match=r"projects\.resources\.milo\.io is already BilledProjectKind"):
        # it extends ProjectKind, but not the registered subclass of billing
        register(type("OtherProjectKind", (ProjectKind,), {}))
    assert all_kinds() == registered
