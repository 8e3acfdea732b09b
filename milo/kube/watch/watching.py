"""The HTTP side of a watch: its query parameters, its scope, the shape of its lines."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException

from milo.access import Actor
from milo.errors import Forbidden
from milo.kube import tables
from milo.kube.kinds import Kind, namespace_kind
from milo.kube.store import list_options
from milo.kube.store.selectors import Selection
from milo.kube.watch.streams import LONGEST_SECONDS, Watch
from milo.kube.wire.negotiation import Answer
from milo.kube.wire.parameters import MAX_VERSION, Parameters

if TYPE_CHECKING:
    from milo.kube.views import KubeView

Presented = Callable[[dict[str, Any]], dict[str, Any]]


def respond(
    view: "KubeView", selection: Selection, *, shape: Kind | None = None, presented: Presented = dict
) -> StreamingHttpResponse:
    """The answer to `?watch=true`: a JSON object per line, until the client goes or the time is up.

    Where objects are shown as those of another kind, `shape`, `presented` makes one of the other.
    """
    rendered = renderer(shape or view.kind, view.answer, view.parameters.include_object, presented)
    watch = Watch(view.kind, view.rows("watch"), selection, _scope(view), rendered, **options(view.parameters))
    return StreamingHttpResponse(watch.lines(), content_type=view.answer.content_type)


def respond_empty(view: "KubeView", selection: Selection) -> StreamingHttpResponse:
    """The answer to `?watch=true` of a kind that has no objects: bookmarks where they are asked for.

    Clients that find the kind, as kopf does, watch it for as long as they run.
    """
    rendered = renderer(view.kind, view.answer, view.parameters.include_object)
    rows = namespace_kind().model._default_manager.none()

    def scope() -> frozenset[str]:
        actor_now(view)
        return frozenset()

    watch = Watch(view.kind, rows, selection, scope, rendered, **options(view.parameters))
    return StreamingHttpResponse(watch.lines(), content_type=view.answer.content_type)


def options(parameters: Parameters) -> dict[str, Any]:
    """What the query parameters ask of a `Watch`. Raises `Invalid` where they contradict each other."""
    list_options.check_watch(parameters)
    return {
        "after": parameters.number("resourceVersion", MAX_VERSION),
        "timeout_seconds": parameters.number("timeoutSeconds", int(LONGEST_SECONDS)),
        "bookmarks": parameters.flag("allowWatchBookmarks"),
        "initial_events": parameters.flag("sendInitialEvents"),
    }


def actor_now(view: "KubeView") -> Actor:
    """Who the request stands for by now; raises `Forbidden` once its token admits nobody."""
    try:
        for authenticator in view.get_authenticators():
            if found := authenticator.authenticate(view.request):
                actor: Actor = found[1]
                return actor
    except APIException as error:
        raise Forbidden(str(error.detail)) from error
    raise Forbidden(_("the token admits nobody"))


def _scope(view: "KubeView") -> Callable[[], frozenset[str] | None]:
    """A function that tells, each time anew, of which organizations the watcher may see objects."""
    kind: Kind = view.kind
    namespace = view.namespace

    def scope() -> frozenset[str] | None:
        actor = actor_now(view)
        allowed = actor.organizations_for("watch", kind.plural)
        organizations = namespace_kind().model._default_manager
        if allowed is None:
            return frozenset({namespace}) if namespace else None
        names = frozenset(organizations.filter(pk__in=allowed).values_list("name", flat=True))
        if namespace:
            names &= {namespace}
        if not names:
            raise Forbidden(_("%(actor)s may no longer watch this") % {"actor": actor.name})
        return names

    return scope


def renderer(
    shape: Kind, answer: Answer, include: str, presented: Presented = dict
) -> Callable[[dict[str, Any], bool], dict[str, Any]]:
    """The `render` of a `Watch`: objects of the form `shape` in the shape that the client accepts."""

    def rendered(manifest: dict[str, Any], first: bool) -> dict[str, Any]:
        if "uid" in manifest["metadata"]:
            return tables.shape_one(shape, presented(manifest), answer, include, header=first)
        if answer.shape == "Table":
            return tables.table(shape, [], manifest["metadata"], version=answer.version, header=first)
        bookmark = manifest | {"kind": shape.kind, "apiVersion": shape.api_version}
        return tables.partial(bookmark, answer.version) if answer.shape else bookmark

    return rendered
