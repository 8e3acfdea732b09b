"""Compression of pages of the staff site, where nobody can guess a secret from their length (docs/decisions/0084)."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

# pages that show or take a secret
SECRET = frozenset({"login", "logout", "second_factor", "second_factor_reset", "password_link", "password_change"})


class CompressionMiddleware(GZipMiddleware):
    """Compress a page that is read by its bare address. Django adds up to 100 random bytes to each."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return super().process_response(request, response) if _is_safe(request, response) else response


def _is_safe(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether the answer is a page of the site without secrets, and repeats nothing that the request says.

    A query is repeated: in the search field, in filters, in links to the next page.
    """
    found = request.resolver_match
    page = response.headers.get("Content-Type", "").startswith("text/html") and response.status_code == 200
    of_site = found is not None and found.app_name == "admin" and found.url_name not in SECRET
    return page and of_site and request.method == "GET" and not request.META.get("QUERY_STRING")
