"""The last step of every response: indentation, ETag, 304 Not Modified and compression.

https://www.rfc-editor.org/rfc/rfc9110#name-conditional-requests
"""

import gzip
from hashlib import blake2b

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from django.utils.translation import gettext as _

from milo.kube.wire.status import failure, respond

COMPRESSED_FROM = 128 * 1024
"""Minimum size in bytes of compressed responses: the threshold of kube-apiserver."""
PEOPLE = ("curl", "Wget", "Mozilla/5.0")
"""User agents to which kube-apiserver sends indented JSON."""
_KEPT_BY_304 = ("ETag", "Cache-Control", "Vary")


def finish(request: HttpRequest, response: HttpResponseBase, revision: str = "") -> HttpResponseBase:
    """Return the response as it is sent. Streams are returned unchanged.

    `revision` is the revision of the object in the body; "" if it holds none. The ETag is strong: it contains a digest
    of the bytes, so JSON, YAML and Table differ, and a Table differs whenever an age in it changes.
    """
    if not isinstance(response, HttpResponse):
        return response
    if response["Content-Type"].startswith("application/json") and _is_for_people(request):
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        response.content = orjson.dumps(orjson.loads(response.content), option=options)
    safe = request.method in ("GET", "HEAD")
    tag = ""
    if response.status_code in (200, 201) and (safe or revision):
        digest = blake2b(response.content, digest_size=8).hexdigest()
        tag = f"{revision}-{digest}" if revision else digest
    if _compress(request, response) and tag:
        tag += "-gzip"
    if tag:
        response["ETag"] = f'"{tag}"'
    return _conditional(request, response) if tag and safe else response


def _is_for_people(request: HttpRequest) -> bool:
    """Return whether to indent JSON: by the parameter `pretty`, else for clients that print responses to people."""
    pretty = request.GET.get("pretty", "")
    if pretty:
        return pretty.lower() in ("true", "1", "t")
    agent = request.headers.get("User-Agent", "")
    # kubectl prints the response of `get --raw` unchanged; it is the only command that accepts */*
    return agent.startswith(PEOPLE) or (agent.startswith("kubectl") and "*/*" in request.headers.get("Accept", ""))


def _compress(request: HttpRequest, response: HttpResponse) -> bool:
    """Compress a large response if the client accepts gzip. Returns whether it was compressed.

    Random padding against BREACH is not needed, and would make every ETag weak. BREACH needs a browser that adds
    credentials to requests of a foreign page. Bearer tokens are added by the client's own code only, and no response
    of the API holds a secret.
    """
    patch_vary_headers(response, ("Accept-Encoding",))
    if len(response.content) < COMPRESSED_FROM or not _accepts_gzip(request.headers.get("Accept-Encoding", "")):
        return False
    # level 1 like kube-apiserver; without a timestamp, so that equal content gives equal bytes
    response.content = gzip.compress(response.content, compresslevel=1, mtime=0)
    response["Content-Encoding"] = "gzip"
    return True


def _accepts_gzip(accepted: str) -> bool:
    for item in accepted.lower().split(","):
        coding, _semicolon, weight = item.partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            quality = weight.strip().removeprefix("q=").strip()
            return not quality or quality.strip("0.") != ""
    return False


def _conditional(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Evaluate If-Match (412) and If-None-Match (304) of a read."""
    tag = response["ETag"]
    if (expected := request.headers.get("If-Match")) is not None and not {"*", tag} & set(parse_etags(expected)):
        message = _("the representation is not the one that If-Match names (strongly)")
        return respond(failure("PreconditionFailed", message))
    known = {etag.removeprefix("W/") for etag in parse_etags(request.headers.get("If-None-Match", ""))}
    if not known & {"*", tag}:
        return response
    kept = {name: response[name] for name in _KEPT_BY_304 if response.has_header(name)}
    # no Content-Type, since a 304 has no content
    return HttpResponseNotModified(headers=kept)
