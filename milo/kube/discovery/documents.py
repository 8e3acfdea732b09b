"""Discovery documents: versions, groups and resources, plain and aggregated."""

import platform
from collections.abc import Iterable
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from milo import __version__, bare_pages
from milo.errors import NotFound
from milo.kube.core import apiextensions
from milo.kube.discovery.endpoints import all_endpoints
from milo.kube.kinds import Kind, all_kinds
from milo.kube.views import KubeView
from milo.kube.wire.negotiation import wants

KUBERNETES_VERSION = ("1", "34")
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
CORE: list[dict[str, Any]] = [
    {
        "name": "namespaces",
        "singularName": "namespace",
        "namespaced": False,
        "kind": "Namespace",
        "verbs": ["get", "list", "watch", "create", "update", "patch"],
        "shortNames": ["ns"],
    },
    {
        "name": "events",
        "singularName": "event",
        "namespaced": True,
        "kind": "Event",
        "verbs": ["get", "list", "watch"],
        "shortNames": ["ev"],
    },
]
REVIEWS: dict[str, list[dict[str, Any]]] = {
    "authentication.k8s.io": [
        {"name": "selfsubjectreviews", "kind": "SelfSubjectReview"},
        {"name": "tokenreviews", "kind": "TokenReview"},
    ],
    "authorization.k8s.io": [
        {"name": "selfsubjectaccessreviews", "kind": "SelfSubjectAccessReview"},
        {"name": "selfsubjectrulesreviews", "kind": "SelfSubjectRulesReview"},
    ],
}


def kind_resources(kind: Kind) -> list[dict[str, Any]]:
    """Return the APIResource entries of a kind: itself, status, actions (create) and read subresources (get)."""
    entries = [_own(kind), _subresource(kind, "status", "get")]
    entries += [_subresource(kind, action.name, "create") for action in kind.actions]
    return entries + [_subresource(kind, subresource.name, "get") for subresource in kind.read_subresources]


def _own(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
        "shortNames": list(kind.short_names),
        "categories": list(kind.categories),
    }


def _subresource(kind: Kind, name: str, verb: str) -> dict[str, Any]:
    return {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": [verb],
    }


def _groups() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the APIResource entries by group and version."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for kind in all_kinds():
        groups.setdefault((kind.group, kind.version), []).extend(kind_resources(kind))
    for endpoint in all_endpoints():
        groups.setdefault((endpoint.group, endpoint.version), []).append(
            {
                "name": endpoint.plural,
                "singularName": "",
                "namespaced": False,
                "kind": endpoint.kind,
                "verbs": ["create"],
                # kubectl accepts the name in the access table as a short name
                "shortNames": [endpoint.resource],
            }
        )
    for group, reviews in REVIEWS.items():
        groups[group, "v1"] = [
            {"singularName": "", "namespaced": False, "verbs": ["create"], **entry} for entry in reviews
        ]
    groups[apiextensions.GROUP, apiextensions.VERSION] = [_own(apiextensions.DefinitionShape())]
    return groups


def _core() -> list[dict[str, Any]]:
    return [dict(entry) for entry in CORE]


def _api_group(group: str, versions: Iterable[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": listed, "preferredVersion": listed[0]}


def core_versions(address: str) -> dict[str, Any]:
    """Return the versions of the core group. `address` is the host and port of the server."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list() -> dict[str, Any]:
    """Return every group with its versions."""
    listed = [_api_group(group, [version]) for group, version in _groups()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def resource_list(group: str, version: str) -> dict[str, Any]:
    """Return the resources of a version of a group; "" is the core group. Raises `NotFound` for an unknown one."""
    resources = _core() if (group, version) == ("", "v1") else _groups().get((group, version))
    if resources is None:
        raise NotFound(_("there is no API %(group)s/%(version)s") % {"group": group, "version": version})
    name = f"{group}/{version}".lstrip("/")
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def version_info() -> dict[str, str]:
    """Return the version of the Kubernetes API conventions and of the server."""
    major, minor = KUBERNETES_VERSION
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{major}.{minor}.0+milo.{__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


def _aggregate(groups: dict[tuple[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    items = []
    for (group, version), resources in groups.items():
        owners = [_discovered(group, version, entry) for entry in resources if "/" not in entry["name"]]
        for entry in resources:
            plural, slash, name = entry["name"].partition("/")
            if slash:
                owner = next(candidate for candidate in owners if candidate["resource"] == plural)
                kind = {"group": group, "version": version, "kind": entry["kind"]}
                owner.setdefault("subresources", []).append(
                    {"subresource": name, "responseKind": kind, "verbs": entry["verbs"]}
                )
        metadata = {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None}
        items.append(
            {"metadata": metadata, "versions": [{"version": version, "resources": owners, "freshness": "Current"}]}
        )
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _discovered(group: str, version: str, entry: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "resource": entry["name"],
        "responseKind": {"group": group, "version": version, "kind": entry["kind"]},
        "scope": "Namespaced" if entry["namespaced"] else "Cluster",
        "singularResource": entry["singularName"],
        "verbs": entry["verbs"],
        "shortNames": entry.get("shortNames", []),
        "categories": entry.get("categories", []),
    }
    return {key: value for key, value in fields.items() if value}


def api_page() -> HttpResponse:
    """Return a page that says what is at the address of the API, and leads to its documentation."""
    site = [] if settings.MILO_STAFF_HOST else [(bare_pages.SITE, _("Overview of the staff site"))]
    links = [(bare_pages.DOCS, _("Documentation of the API")), ("/openapi/v3", _("OpenAPI documents")), *site]
    message = _("Programs read this address. It lists the groups of the API, as that of a Kubernetes cluster does.")
    hint = _("Use kubectl, or send a token in the header Authorization.")
    response = bare_pages.page(_("The API of Milo"), message, links, hint=hint)
    response["Vary"] = "Accept, Authorization"
    return response


class DiscoveryView(KubeView):
    """Base of discovery views: they answer in JSON, YAML or, if the client accepts it, aggregated."""

    def details(self) -> dict[str, Any]:
        return {}

    def negotiated(self, value: dict[str, Any], groups: dict[tuple[str, str], list[dict[str, Any]]]) -> HttpResponse:
        accept = self.request.headers.get("Accept", "").replace(" ", "")
        if AGGREGATED in accept:
            return HttpResponse(orjson.dumps(_aggregate(groups)), content_type=AGGREGATED)
        return self.plain.respond(value)


class CoreVersionsView(DiscoveryView):
    def get(self, request: Request) -> HttpResponseBase:
        return self.negotiated(core_versions(request.get_host()), {("", "v1"): _core()})


class GroupsView(DiscoveryView):
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a browser without a token with a page for people, and everything else as the API does."""
        browser = wants("text/html", request.headers.get("Accept", "")) and "Authorization" not in request.headers
        if browser and request.method in ("GET", "HEAD"):
            return api_page()
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: Request) -> HttpResponseBase:
        return self.negotiated(group_list(), _groups())


class GroupView(DiscoveryView):
    def get(self, request: Request, group: str) -> HttpResponseBase:
        versions = [version for known, version in _groups() if known == group]
        if not versions:
            raise NotFound(_("there is no API group %(group)s") % {"group": group})
        return self.plain.respond(_api_group(group, versions))


class ResourcesView(DiscoveryView):
    def get(self, request: Request, group: str = "", version: str = "v1") -> HttpResponseBase:
        return self.plain.respond(resource_list(group, version))


class VersionView(DiscoveryView):
    """The version of the API conventions and of Milo. Needs no authentication."""

    permission_classes = [AllowAny]
    authentication_classes: list[Any] = []

    def get(self, request: Request) -> HttpResponseBase:
        return self.plain.respond(version_info())
