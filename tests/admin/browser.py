"""A browser on the staff site: pages by address, forms filled in as they are shown."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.client import ClientHandler
from django.urls import reverse

from billing.admin.account_tabs import account_tabs
from billing.models import BillingAccount
from billing.services.affiliations.scopes import SCOPES
from milo.admin.ledger import LedgerAdmin
from milo.admin.read_only import ReadOnlyAdmin
from tests.support import make

_handler = ClientHandler(enforce_csrf_checks=False)
STAFF_ROLES = ("finance-operator", "finance-approver", "auditor")


def browser(person: User) -> Client:
    """A browser in which `person` is logged in."""
    client = Client()
    # one for all: loading the middleware takes as long as a page
    client.handler = _handler
    client.force_login(person)
    return client


def staff(*groups: str, **person: Any) -> Client:
    """A browser of a member of staff with these platform roles."""
    return browser(make.a_person(groups=groups, is_staff=True, **person))


def superuser() -> Client:
    return browser(make.a_person(is_staff=True, is_superuser=True))


def list_of(model: type[Model], act: str = "") -> str:
    """The address of a model's list, or of an act on it."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}{act}/" if act else address


def page_of(row: Model, part: str = "change") -> str:
    """The address of a row's page, or of a part of it (`history`, `bind`)."""
    return f"{list_of(type(row))}{row.pk}/{part}/"


def filled_in(page: Any, **answers: Any) -> dict[str, Any]:
    """What the form of `page` would send: what it shows, with `answers` typed over it."""
    shown = {field.html_name: field.value() for field in page.context["form"] if not field.field.disabled}
    return {name: "" if value is None else value for name, value in (shown | answers).items()}


def submit(client: Client, address: str, **answers: Any) -> Any:
    """Open the form at `address`, answer, press the button; a preview is confirmed."""
    page = client.get(address)
    assert page.status_code == 200, address
    answer = client.post(address, filled_in(page, **answers))
    if answer.context is not None and answer.context.get("preview") is not None:
        answer = client.post(address, {**filled_in(answer), "confirm": "1"})
    return answer


def errors(page: Any) -> dict[str, list[str]]:
    """What a form that was refused says, by field; `__all__` stands above the form."""
    assert page.status_code == 200
    found: dict[str, list[str]] = page.context["form"].errors
    return found


def buttons(page: Any) -> set[str]:
    """The addresses of the acts that a page offers, by buttons in its header and by forms on it."""
    context = page.context
    shown = [*(context.get("actions_list") or []), *(context.get("actions_detail") or [])]
    choices = (context.get("decision") or {}).get("choices", [])
    items = [item for button in shown for item in button.get("items", [button])]
    return {item["path"] for item in items if item["path"]} | {
        choice.address for choice in choices if not choice.obstacle
    }


def parts_of(client: Client, row: Model) -> list[Any]:
    """A row's page, and the same with each of its tabs open."""
    page = client.get(page_of(row))
    tabs = [tab.address for tab in page.context["tabs"] if "?tab=" in tab.address]
    parts = [page, *(client.get(address) for address in tabs)]
    assert {part.status_code for part in parts} == {200}
    return parts


def panels_of(client: Client, row: Model) -> list[Any]:
    """The panels of a row's page, whichever tab they are in."""
    return [panel for part in parts_of(client, row) for panel in part.context["panels"]]


def panels_of_request(client: Client, request: Model) -> list[Any]:
    """The panels of the page of an approval request, and of the part below it that is read afterwards."""
    page = client.get(page_of(request)).context
    return [*page["changed"], *page["panels"], *client.get(page["background"]).context["panels"]]


def text_of(client: Client, row: Model) -> str:
    """What a row's page says, whichever tab it is in."""
    return "\n".join(part.content.decode() for part in parts_of(client, row))


def greyed(page: Any) -> dict[str, str]:
    """The acts that a page says are impossible now, with the reason, by their titles."""
    items = [item for button in page.context["actions_detail"] for item in button.get("items", [])]
    return {str(item["title"]): item["obstacle"] for item in items if item.get("obstacle")}


def every_page() -> list[str]:
    """Each address of the staff site that only reads, for one row of each kind, where there is one."""
    pages = ["/admin/", "/admin/search/?s=a&extended=1"]
    for model, model_admin in admin.site._registry.items():
        pages += [list_of(model), f"{list_of(model)}?q=a"]
        pages += [list_of(model, report.name) for report in getattr(model_admin, "list_reports", ())]
        if row := model._default_manager.first():
            pages.append(page_of(row))
            if not isinstance(model_admin, ReadOnlyAdmin) or model_admin.show_history:
                pages.append(page_of(row, "history"))
            if isinstance(model_admin, LedgerAdmin):
                pages.append(page_of(row, f"history/{row.history.latest().pk}"))  # type: ignore[attr-defined]
            if isinstance(row, BillingAccount):
                pages.append(page_of(row, "timeline"))
                pages += [f"{page_of(row)}?tab={tab.name}" for tab in account_tabs(RequestFactory().get("/"), row)]
                pages += [f"{page_of(row)}?tab={tab}&scope={it}" for tab in ("usage", "projects") for it in SCOPES]
                pages += [page_of(row, part) for part in ("below", "hierarchy")]
    return pages


def every_act() -> list[str]:
    """Each address of the staff site that acts, for one row of each kind."""
    acts = []
    for model, model_admin in admin.site._registry.items():
        if isinstance(model_admin, ReadOnlyAdmin):
            acts += [list_of(model, action.name) for action in model_admin.list_actions]
            row = model._default_manager.first()
            assert row, model
            acts += [page_of(row, action.name) for action in model_admin.object_actions]
    return acts
