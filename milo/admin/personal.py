"""Personal data on the staff site: masked for whoever may not see it, until it is revealed, which is recorded."""

from collections.abc import Callable
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views import View

from milo import card_numbers, personal, texts
from milo.access import Actor
from milo.admin.actors import request_actor
from milo.bare_pages import SITE
from milo.identity.access import PERSONAL_DATA, REVEAL

# beyond Django's own flags of additions, changes and deletions, and that of exports
REVEALED = 5
REVEALED_FOR_SECONDS = 300
_PAGES = "milo_revealed"
_ABOVE = '<div id="content"'
"""Where a page begins below its header, in the library's layout."""


def may_see(actor: Actor) -> bool:
    """Return whether personal data are shown to the actor unmasked; nobody else sees any, by default."""
    return actor.may("get", PERSONAL_DATA, None)


def may_reveal(actor: Actor) -> bool:
    """Return whether the actor may have the personal data of a page shown."""
    return actor.may("create", PERSONAL_DATA, None, action=REVEAL)


def shows_personal(request: HttpRequest) -> bool:
    """Return whether the answer to a request shows personal data."""
    return may_see(request_actor(request)) or _reason(request) is not None


class PersonalDataMiddleware:
    """Mask personal data in the answers of the staff site, and record whatever was revealed to whom.

    It is the innermost one: what others add, such as compression, comes after it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(SITE):
            return self.get_response(request)

        # one's own address, which the side bar shows, is no secret to oneself
        typed, sent = set(map(str, request.GET.values())), personal.said(map(str, request.POST.values()))
        own = {_address_of(request)}
        with personal.noted(personal.Answer(lambda: not shows_personal(request), typed, sent, own)) as answer:
            response = self.get_response(request)
            # after the view, which may have logged somebody in
            answer.own.add(_address_of(request))
            if not may_see(request_actor(request)):
                _finish(request, response, answer)
        return response


def _address_of(request: HttpRequest) -> str:
    return getattr(request.user, "email", "")


def _finish(request: HttpRequest, response: HttpResponseBase, answer: personal.Answer) -> None:
    kind = response.headers.get("Content-Type", "")
    if isinstance(response, HttpResponse) and kind.startswith(("text/", "application/json")):
        text = answer.text(response.content.decode())
        response.content = text
        exporting = request.resolver_match and str(request.resolver_match.url_name).endswith("_export")
        if (answer.found or exporting) and answer.hides() and may_reveal(request_actor(request)):
            context = {"seconds": REVEALED_FOR_SECONDS, "exporting": exporting}
            form = render_to_string("milo/reveal.html", context, request)
            response.content = text.replace(_ABOVE, form + _ABOVE, 1)
    if answer.found and (reason := _reason(request)) is not None:
        _record(request, response, answer.found, "PersonalDataRevealed", reason)
    if answer.confirmed and may_reveal(request_actor(request)):
        asked = f"q={', '.join(sorted(answer.matched))}" if answer.matched else "sent by a form"
        _record(request, response, answer.confirmed, "PersonalDataSearched", asked)


def _reason(request: HttpRequest) -> str | None:
    """Return for what reason the personal data of this page were revealed a short time ago; None if they were not."""
    until, reason = request.session.get(_PAGES, {}).get(request.path, (0, ""))
    return reason if timezone.now().timestamp() < until and may_reveal(request_actor(request)) else None


def _record(request: HttpRequest, response: HttpResponseBase, columns: set[str], act: str, reason: str) -> None:
    """Record who was shown which columns of which object, or found it by them, before the answer is sent."""
    context: dict[str, Any] = getattr(response, "context_data", None) or {}
    kind = getattr(context.get("opts"), "model", None)
    person: Any = request.user
    LogEntry.objects.create(
        user_id=person.pk,
        content_type=ContentType.objects.get_for_model(kind) if kind else None,
        object_id=request.resolver_match.kwargs.get("object_id") if request.resolver_match else None,
        object_repr=request.path[:200],
        action_flag=REVEALED,
        change_message=f"{act}: {', '.join(sorted(columns))}; {card_numbers.masked(reason[:200])}",
    )


class Reveal(View):
    """POST shows the personal data of the page `page` for a short time, in this session, for a `reason`."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        page, reason = request.POST.get("page", ""), request.POST.get("reason", "").strip()
        if not may_reveal(request_actor(request)):
            raise PermissionDenied
        path = page.partition("?")[0]
        if not path.startswith(SITE) or not reason or texts.is_unseen(reason):
            return HttpResponse(_("Say for what reason."), status=400)
        now = timezone.now().timestamp()
        pages = {key: value for key, value in request.session.get(_PAGES, {}).items() if value[0] > now}
        request.session[_PAGES] = {**pages, path: (now + REVEALED_FOR_SECONDS, reason[:200])}
        return HttpResponseRedirect(page)
