"""What an action or a report asks of the admin whose page it is."""

from typing import Any, Protocol

from django.http import HttpRequest


class PageAdmin(Protocol):
    """The read-only admin of a kind, as far as its actions and reports need it."""

    opts: Any
    admin_site: Any

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person may see the kind."""
        ...

    def get_object(self, request: HttpRequest, object_id: str, from_field: None = None) -> Any:
        """Return the row that the person may see; None where there is none."""
        ...

    def organization_id(self, row: Any) -> int | None:
        """Return the organization whose roles count for actions on `row`; None for rows of the platform."""
        ...

    def list_address(self, **filters: Any) -> str:
        """Return the address of the list of the kind, filtered."""
        ...
