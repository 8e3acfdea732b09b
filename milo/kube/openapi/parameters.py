"""Parameters shared by operations: https://kubernetes.io/docs/reference/kubernetes-api/common-parameters/"""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from milo.kube.kinds import Kind
from milo.kube.schemas import NAME
from milo.kube.wire.parameters import INCLUDES, VALIDATIONS

_COUNT = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}


def _query(name: str, schema: dict[str, Any] | type, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description)


def in_path(name: str, example: str, description: str, schema: dict[str, Any] = NAME) -> OpenApiParameter:
    """Return a path parameter."""
    examples = [OpenApiExample(example, value=example)]
    return OpenApiParameter(
        name, schema, OpenApiParameter.PATH, required=True, description=description, examples=examples
    )


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=description)


INCLUDE_OBJECT = OpenApiParameter(
    "includeObject",
    {"type": "string", "enum": list(INCLUDES), "default": "Metadata"},
    description="What each row of a Table holds besides its cells. No effect on other forms of answer.",
)
LIMIT = _query("limit", _COUNT, "Maximum number of objects. 0, or more than 5000, means 5000.")
CONTINUE = _query("continue", str, "metadata.continue of the previous page. The other parameters must be the same.")
RESOURCE_VERSION = _query(
    "resourceVersion",
    {"type": "string", "pattern": "^[0-9]{0,18}$"},
    "With watch: start after this revision. Empty or 0 starts with the current state.",
)
WATCH = _query(
    "watch",
    bool,
    "Answer with a stream of changes instead of a list: one JSON object `{type, object}` per line, "
    "where type is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.",
)
TIMEOUT = _query("timeoutSeconds", _COUNT, "With watch: end the stream after this number of seconds.")
BOOKMARKS = _query("allowWatchBookmarks", bool, "With watch: send bookmarks, which name the revision reached.")
INITIAL_EVENTS = _query(
    "sendInitialEvents",
    bool,
    "With watch: start with the current state, and mark its end by a bookmark annotated k8s.io/initial-events-end.",
)
LABEL_SELECTOR = _query(
    "labelSelector", str, "Objects whose labels match, for example `region=us,tier in (a,b),seats>5`."
)
DRY_RUN = OpenApiParameter("dryRun", str, enum=["All"], description="All: check and answer as usual, change nothing.")
FIELD_VALIDATION = OpenApiParameter(
    "fieldValidation",
    {"type": "string", "enum": list(VALIDATIONS), "default": VALIDATIONS[0]},
    description="Unknown fields are refused (Strict), warned about (Warn) or ignored (Ignore).",
)
FIELD_MANAGER = _query("fieldManager", str, "Name of the writing program. Required for server-side apply.")
FORCE = _query("force", bool, "Server-side apply: take over fields that others manage.")
IF_MATCH = _header("If-Match", "ETag of the object as last read. 412 if the object has changed since.")
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 257, "pattern": r"^[\x20-\x7e]+$"},
    OpenApiParameter.HEADER,
    description=(
        "A UUID, or other unique text of 1 to 255 characters, with or without double quotes. For 24 hours the same"
        " request with the same key is answered as the first time, with `Idempotency-Replayed: true`. Neither refusals"
        " nor dry runs nor reviews are kept."
    ),
)
IF_NONE_MATCH = _header("If-None-Match", "ETag of the object as last read. 304 if it has not changed since.")


def field_selector(kind: Kind) -> OpenApiParameter:
    """Return the fieldSelector parameter of a kind."""
    known = ", ".join(["metadata.name", *(["metadata.namespace"] if kind.namespaced else []), *kind.field_selectors])
    return _query("fieldSelector", str, f"Objects whose fields match, for example `metadata.name=x`. Known: {known}.")


def of_list(kind: Kind) -> tuple[OpenApiParameter, ...]:
    """Return the query parameters of a list."""
    return (LIMIT, CONTINUE, LABEL_SELECTOR, field_selector(kind), *OF_WATCH, INCLUDE_OBJECT)


OF_WATCH = (WATCH, TIMEOUT, RESOURCE_VERSION, BOOKMARKS, INITIAL_EVENTS)
OF_WRITE = (DRY_RUN, FIELD_VALIDATION, FIELD_MANAGER, INCLUDE_OBJECT)
