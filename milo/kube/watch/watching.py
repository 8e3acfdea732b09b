"""Watches over HTTP: query parameters, permissions, and the form of the lines."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException

from milo.access import Actor
from milo.errors import Forbidden
from milo.identity.access import reads_masked
from milo.kube import tables
from milo.kube.kinds import Kind, namespace_kind
from milo.kube.store import list_options
from milo.kube.store.selectors import Selection
from milo.kube.watch.streams import LONGEST_SECONDS, Watch
from milo.kube.wire.negotiation import Answer
from milo.kube.wire.parameters import MAX_VERSION, Parameters
from milo.kube.wire.status import Expired

if TYPE_CHECKING:
    from milo.kube.views import KubeView

Presented = Callable[[dict[str, Any]], dict[str, Any]]


def respond(
    view: "KubeView", selection: Selection, *, shape: Kind | None = None, presented: Presented = dict
) -> StreamingHttpResponse:
    """Answer `?watch=true` with a stream of JSON lines, until the client leaves or the time is up.

    `shape` is the kind that objects are shown as, if it is not their own; `presented` converts their manifests.
    """
    rendered = renderer(shape or view.kind, view.answer, view.parameters.include_object, presented)
    watch = Watch(view.kind, view.rows("watch"), selection, _scope(view), rendered, **options(view.parameters))
    return StreamingHttpResponse(watch.lines(), content_type=view.answer.content_type)


def respond_empty(view: "KubeView", selection: Selection) -> StreamingHttpResponse:
    """Answer `?watch=true` of a kind that never has objects: bookmarks only, if the client allows them.

    Clients that discover the kind, such as kopf, watch it as long as they run.
    """
    rendered = renderer(view.kind, view.answer, view.parameters.include_object)
    rows = namespace_kind().model._default_manager.none()

    def scope() -> frozenset[str]:
        actor_now(view)
        return frozenset()

    watch = Watch(view.kind, rows, selection, scope, rendered, **options(view.parameters))
    return StreamingHttpResponse(watch.lines(), content_type=view.answer.content_type)


def options(parameters: Parameters) -> dict[str, Any]:
    """Return the keyword arguments of `Watch` from query parameters. Raises `Invalid` for contradictory ones."""
    list_options.check_watch(parameters)
    return {
        "after": parameters.number("resourceVersion", MAX_VERSION),
        "timeout_seconds": parameters.number("timeoutSeconds", int(LONGEST_SECONDS)),
        "bookmarks": parameters.flag("allowWatchBookmarks"),
        "initial_events": parameters.flag("sendInitialEvents"),
    }


def actor_now(view: "KubeView") -> Actor:
    """Authenticate the request again and return the actor. Raises `Forbidden` if its token is no longer valid."""
    try:
        for authenticator in view.get_authenticators():
            if authenticated := authenticator.authenticate(view.request):
                actor: Actor = authenticated[1]
                return actor
    except APIException as error:
        raise Forbidden(str(error.detail)) from error
    raise Forbidden(_("the token admits nobody"))


def _scope(view: "KubeView") -> Callable[[], frozenset[str] | None]:
    """Return the `scope` of a `Watch`: it evaluates the permissions anew at each call."""
    kind: Kind = view.kind
    namespace = view.namespace

    def scope() -> frozenset[str] | None:
        actor = actor_now(view)
        if reads_masked(actor) != reads_masked(view.actor):
            raise Expired(_("your rights have changed; list again"))
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
    """Return the `render` of a `Watch`: it converts manifests to the form that the client accepts."""

    def rendered(manifest: dict[str, Any], first: bool) -> dict[str, Any]:
        if "uid" in manifest["metadata"]:
            return answer.shown(tables.shape_one(shape, presented(manifest), answer, include, header=first))
        if answer.shape == "Table":
            return tables.table(shape, [], manifest["metadata"], version=answer.version, header=first)
        bookmark = manifest | {"kind": shape.kind, "apiVersion": shape.api_version}
        return tables.partial(bookmark, answer.version) if answer.shape else bookmark

    return rendered
