"""The interface of an admin towards its actions and reports."""

from typing import Any, Protocol

from django.http import HttpRequest


class PageAdmin(Protocol):
    """The part of a read-only admin that its actions and reports use."""

    opts: Any
    admin_site: Any

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person may see rows of the model."""
        ...

    def get_object(self, request: HttpRequest, object_id: str, from_field: None = None) -> Any:
        """Return a row that the person may see; None if there is none."""
        ...

    def organization_id(self, row: Any) -> int | None:
        """Return the organization whose roles count for actions on `row`; None for rows without organization."""
        ...

    def list_address(self, **filters: Any) -> str:
        """Return the URL of the list, filtered."""
        ...
