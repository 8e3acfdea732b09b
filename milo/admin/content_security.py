"""The Content Security Policy of every answer: injected markup cannot run scripts."""

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

# unfold's Alpine evaluates attributes and htmx adds a style element (docs/traps.md); pages contain no inline script
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


# data, refusals and redirects are no documents
POLICY_ELSEWHERE = "; ".join(
    ["default-src 'none'", "object-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
)


class ContentSecurityMiddleware(MiddlewareMixin):
    """Add the policy of the staff site to its pages, and to all other answers without one that allows nothing."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        of_site = request.resolver_match and request.resolver_match.app_name == "admin"
        response.headers.setdefault("Content-Security-Policy", POLICY if of_site else POLICY_ELSEWHERE)
        return response
