"""Pages without session, database and scripts: errors, and the address of the API in a browser.

They must come up whatever has failed, so they are one template and one style sheet, in the colors of the browser.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
SITE, DOCS = "/admin/", "/apis/docs"
Link = tuple[str, str]
"""The address and the text of a link."""


def page(title: str, message: str, links: list[Link], *, status: int = 200, hint: str = "") -> HttpResponse:
    """Return a page that says `message`, and below it `hint`, and leads to `links`."""
    context = {
        "title": title,
        "message": message,
        "hint": hint,
        "links": links,
        "code": status if status != 200 else "",
    }
    response = HttpResponse(render_to_string("milo/bare_page.html", context), status=status)
    response["Content-Security-Policy"], response["Cache-Control"] = POLICY, "no-store"
    return response


def error(request: HttpRequest, status: int, title: str, message: str, *, hint: str = "") -> HttpResponse:
    """Return a page for a refused or failed request that leads back."""
    return page(title, message, ways_back(request), status=status, hint=hint)


def not_permitted(request: HttpRequest, why: str) -> HttpResponse:
    """Return the page of a 403, which says `why`, if that is known, and who is logged in."""
    user = getattr(request, "user", None)
    hint = _("You are logged in as %(name)s.") % {"name": user.get_username()} if user and user.is_active else ""
    message = why or _("Your roles do not permit this. Nothing has changed.")
    return error(request, 403, _("Not permitted"), message, hint=hint)


def ways_back(request: HttpRequest) -> list[Link]:
    """Return links that lead on from an error: to the staff site, and to the API where this host serves it."""
    site, docs = (SITE, _("Overview of the staff site")), (DOCS, _("Documentation of the API"))
    if request.path.startswith(SITE):
        return [site]
    return [docs] if settings.MILO_STAFF_HOST else [site, docs]


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form without a valid token. For the setting CSRF_FAILURE_VIEW."""
    return page(
        _("The form was not accepted"),
        _("It was open for too long, came from another site, or the browser sent no cookie. Nothing has changed."),
        [(request.path, _("Open the page again")), *ways_back(request)],
        status=403,
        hint=_(
            "Cookies of this site must be allowed. Whoever has logged in again in another tab opens the page again."
        ),
    )
