"""The last step of every answer: indentation for people, its ETag, 304 Not Modified, compression.

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
"""Bytes from which an answer is compressed: the threshold of kube-apiserver."""
PEOPLE = ("curl", "Wget", "Mozilla/5.0")
"""User agents to which kube-apiserver sends indented JSON."""
_KEPT_BY_304 = ("ETag", "Cache-Control", "Vary")


def finish(request: HttpRequest, response: HttpResponseBase, revision: str = "") -> HttpResponseBase:
    """Return the answer as it is to be sent; a stream stays as it is.

    `revision` is that of the object shown, empty where none is. The ETag is strong and names this very
    representation: its digest is of the bytes, so JSON, YAML and Table differ, and so does a Table of later ages.
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
    """Whether JSON is indented: by the parameter `pretty`, else for the clients by which people read raw answers."""
    asked = request.GET.get("pretty", "")
    if asked:
        return asked.lower() in ("true", "1", "t")
    agent = request.headers.get("User-Agent", "")
    # of all that kubectl asks for, it prints `get --raw` as it comes, and accepts anything for it
    return agent.startswith(PEOPLE) or (agent.startswith("kubectl") and "*/*" in request.headers.get("Accept", ""))


def _compress(request: HttpRequest, response: HttpResponse) -> bool:
    """Compress a large answer for a client that accepts gzip; returns whether it was.

    BREACH needs a browser that adds its credentials to requests of a foreign page. Bearer tokens are added by the
    client's own code only, and no answer of the API holds a secret. So the bytes need no random padding, which
    would make every ETag weak.
    """
    patch_vary_headers(response, ("Accept-Encoding",))
    if len(response.content) < COMPRESSED_FROM or not _accepts_gzip(request.headers.get("Accept-Encoding", "")):
        return False
    # level 1 as kube-apiserver; without a time, so that the same content is the same bytes
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
    """Answer 304 or 412 where If-None-Match or If-Match of a read says so."""
    tag = response["ETag"]
    if (wanted := request.headers.get("If-Match")) is not None and not {"*", tag} & set(parse_etags(wanted)):
        message = _("the representation is not the one that If-Match names (strongly)")
        return respond(failure("PreconditionFailed", message))
    known = {found.removeprefix("W/") for found in parse_etags(request.headers.get("If-None-Match", ""))}
    if not known & {"*", tag}:
        return response
    kept = {name: response[name] for name in _KEPT_BY_304 if response.has_header(name)}
    # it has no content, and so no type
    return HttpResponseNotModified(headers=kept)
