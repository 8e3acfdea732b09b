"""The Content Security Policy of the staff site: injected markup cannot run scripts."""

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


class ContentSecurityMiddleware(MiddlewareMixin):
    """Add the policy to every page of the staff site."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.resolver_match and request.resolver_match.app_name == "admin":
            response.headers["Content-Security-Policy"] = POLICY
        return response
