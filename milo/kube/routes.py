"""URL patterns of the API: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris"""

from typing import Any

from django.urls import URLPattern, path

from milo.kube.collection_views import CollectionView, EveryNamespaceView
from milo.kube.core import apiextensions
from milo.kube.core.apiextensions import DefinitionsView, DefinitionView
from milo.kube.core.event_views import EventsView, EventView
from milo.kube.core.namespaces import NamespacesView, NamespaceView
from milo.kube.discovery.documents import CoreVersionsView, GroupsView, GroupView, ResourcesView, VersionView
from milo.kube.discovery.endpoints import all_endpoints, all_files
from milo.kube.kinds import Kind, all_kinds
from milo.kube.object_views import ObjectView
from milo.kube.openapi.views import DocsView, DocumentView, IndexView, SwaggerView
from milo.kube.reviews.reviews import SelfSubjectAccessReviewView, SelfSubjectReviewView, SelfSubjectRulesReviewView
from milo.kube.reviews.token_reviews import TokenReviewView
from milo.kube.subresources import ActionView, ReadSubresourceView, StatusView


def _view(base: type[Any], kind: Kind, of: Any = None) -> Any:
    """Make a view class for each kind and subresource, so that the OpenAPI document can tell them apart."""
    suffix = f"{of.name.title()}{base.__name__}" if of else base.__name__
    view: Any = type(f"{kind.kind}{suffix}", (base,), {"kind": kind, "of": of})
    return view.as_view()


def _kind_paths(kind: Kind) -> list[URLPattern]:
    root = f"apis/{kind.group}/{kind.version}"
    collection = f"{root}/namespaces/<str:namespace>/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    one = f"{collection}/<str:name>"
    patterns = [
        path(collection, _view(CollectionView, kind)),
        path(one, _view(ObjectView, kind)),
        path(f"{one}/status", _view(StatusView, kind)),
    ]
    if kind.namespaced:
        patterns.append(path(f"{root}/{kind.plural}", _view(EveryNamespaceView, kind)))
    patterns += [path(f"{one}/{action.name}", _view(ActionView, kind, action)) for action in kind.actions]
    patterns += [
        path(f"{one}/{subresource.name}", _view(ReadSubresourceView, kind, subresource))
        for subresource in kind.read_subresources
    ]
    return patterns


def kind_paths() -> list[URLPattern]:
    return [pattern for kind in all_kinds() for pattern in _kind_paths(kind)]


def _discovery_paths() -> list[URLPattern]:
    """Return the discovery paths, each with and without a trailing slash: several clients append one."""
    views = {
        "version": VersionView,
        "api": CoreVersionsView,
        "api/v1": ResourcesView,
        "apis": GroupsView,
        # before the pattern of groups; no group has this name
        "apis/docs": DocsView,
        "apis/<str:group>": GroupView,
        "apis/<str:group>/<str:version>": ResourcesView,
    }
    return [path(f"{place}{slash}", view.as_view()) for place, view in views.items() for slash in ("", "/")]


def api_paths() -> list[URLPattern]:
    """Return the patterns of discovery, the core group, reviews, OpenAPI, every kind, and files."""
    authentication, authorization = "apis/authentication.k8s.io/v1", "apis/authorization.k8s.io/v1"
    definitions = f"apis/{apiextensions.GROUP}/{apiextensions.VERSION}/{apiextensions.PLURAL}"
    core, namespaced = "api/v1", "api/v1/namespaces/<str:namespace>/events"
    return [
        *_discovery_paths(),
        path(f"{core}/namespaces", NamespacesView.as_view()),
        path(f"{core}/namespaces/<str:name>", NamespaceView.as_view()),
        path(f"{core}/events", EventsView.as_view()),
        path(namespaced, EventsView.as_view()),
        path(f"{namespaced}/<str:name>", EventView.as_view()),
        path(f"{authentication}/selfsubjectreviews", SelfSubjectReviewView.as_view()),
        path(f"{authentication}/tokenreviews", TokenReviewView.as_view()),
        path(f"{authorization}/selfsubjectaccessreviews", SelfSubjectAccessReviewView.as_view()),
        path(f"{authorization}/selfsubjectrulesreviews", SelfSubjectRulesReviewView.as_view()),
        path(definitions, DefinitionsView.as_view()),
        path(f"{definitions}/<str:name>", DefinitionView.as_view()),
        path("openapi/v2", SwaggerView.as_view()),
        path("openapi/v3", IndexView.as_view()),
        path("openapi/v3/<path:place>", DocumentView.as_view()),
        *(path(endpoint.path, endpoint.view.as_view()) for endpoint in all_endpoints()),
        *kind_paths(),
        *(path(place, view.as_view()) for place, view in all_files().items()),
    ]
