"""`kubectl auth whoami` and `kubectl auth can-i`, answered from the access table."""

from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.request import Request

from milo.access import TABLE, Actor
from milo.errors import Invalid, Refused
from milo.kube import illustrations
from milo.kube.core.apiextensions import DefinitionShape
from milo.kube.core.events import EventShape
from milo.kube.core.namespaces import NamespaceShape
from milo.kube.discovery.documents import REVIEWS
from milo.kube.discovery.endpoints import Endpoint, all_endpoints
from milo.kube.kinds import Kind, all_kinds, namespace_kind
from milo.kube.names import CLUSTER_SCOPED_EVENTS, DNS_LABEL
from milo.kube.reviews.review_schemas import (
    SelfSubjectAccessReviewSpecSerializer,
    SelfSubjectAccessReviewStatusSerializer,
    SelfSubjectReviewStatusSerializer,
    SelfSubjectRulesReviewSpecSerializer,
    SelfSubjectRulesReviewStatusSerializer,
)
from milo.kube.schemas import NothingSerializer
from milo.kube.store import objects
from milo.kube.views import KubeView

# readable with the permission to read their organization
CORE = (NamespaceShape(), EventShape())
# readable for every authenticated user
DEFINITIONS = DefinitionShape()
# as in the cluster roles system:discovery and system:public-info-viewer of Kubernetes
NON_RESOURCE_RULES: list[dict[str, list[str]]] = [
    {
        "verbs": ["get"],
        "nonResourceURLs": [
            *("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"),
            *("/healthz", "/livez", "/readyz", "/version", "/version/"),
        ],
    }
]


class ReviewView(KubeView):
    """Base of reviews: a POST that is answered and not stored."""

    review: str
    api_version: str
    question: str
    spec_serializer: Any
    status_serializer: Any
    resource = ""
    """Its name in the access table; "" permits every authenticated user."""

    @property
    def example(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return an example of spec and status, for the documents."""
        raise NotImplementedError

    def details(self) -> dict[str, Any]:
        return {}

    def post(self, request: Request) -> HttpResponse:
        if self.resource:
            # 403 comes before any error about the body
            self.actor.require("create", self.resource, None)
        sent = self.body()
        if not isinstance(sent, dict) or not objects.is_typed(sent, self.api_version, self.review, optional=True):
            raise Refused(
                _("the body must be a %(kind)s of %(version)s")
                % {
                    "kind": self.review,
                    "version": self.api_version,
                }
            )
        try:
            spec = objects.read_spec(self.spec_serializer, sent)
        except Invalid as fault:
            # BadRequest, as in Kubernetes: a review has a form but no rules about its content
            raise Refused(fault.message, fault.causes) from fault
        value = {"kind": self.review, "apiVersion": self.api_version, "metadata": {}, "spec": spec}
        return self.plain.respond(value | {"status": self.judge(spec)}, 201)

    def judge(self, spec: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


class SelfSubjectReviewView(ReviewView):
    review, api_version = "SelfSubjectReview", "authentication.k8s.io/v1"
    question = "Who am I?"
    spec_serializer, status_serializer = NothingSerializer, SelfSubjectReviewStatusSerializer

    @property
    def example(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return {}, {"userInfo": illustrations.user_info()}

    def judge(self, spec: dict[str, Any]) -> dict[str, Any]:
        return {"userInfo": user_info(self.actor)}


def user_info(actor: Actor) -> dict[str, Any]:
    """Return the actor as `UserInfo`. Groups are platform roles, then roles in organizations (`organization:role`)."""
    names = namespace_kind().model._default_manager.in_bulk(list(actor.organizations))
    within = sorted(f"{names[pk]}:{role}" for pk, roles in actor.organizations.items() for role in roles)
    groups = ["system:authenticated", *sorted(actor.roles), *within]
    return {"username": actor.name.removeprefix("user:"), "groups": groups}


class SelfSubjectAccessReviewView(ReviewView):
    review, api_version = "SelfSubjectAccessReview", "authorization.k8s.io/v1"
    question = "May I do this?"
    spec_serializer = SelfSubjectAccessReviewSpecSerializer
    status_serializer = SelfSubjectAccessReviewStatusSerializer

    @property
    def example(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"resourceAttributes": {"verb": "list", "group": "", "resource": "namespaces"}}, {"allowed": True}

    def judge(self, spec: dict[str, Any]) -> dict[str, Any]:
        if len(spec) != 1:
            return {"allowed": False, "reason": _("ask by either resourceAttributes or nonResourceAttributes")}
        if attributes := spec.get("nonResourceAttributes"):
            return {"allowed": _may_reach(_text(attributes, "verb"), _text(attributes, "path"))}
        attributes = spec.get("resourceAttributes") or {}
        group, resource = _text(attributes, "group"), _text(attributes, "resource")
        verb, subresource = _text(attributes, "verb"), _text(attributes, "subresource")
        namespace, name = _text(attributes, "namespace"), _text(attributes, "name")
        if (kind := _kind(group, resource)) is not None:
            scope = _scope(self.actor, kind, namespace, name)
            return {"allowed": _may(self.actor, verb, kind, subresource, scope)}
        if (endpoint := _endpoint(group, resource)) is not None:
            return {"allowed": not subresource and _may_post(self.actor, verb, endpoint)}
        if any(resource == entry["name"] for entry in _reviews(group)):
            return {"allowed": not subresource and verb == "create" and may_review(self.actor, resource)}
        if resource == DEFINITIONS.plural and group in (DEFINITIONS.group, "*"):
            return {"allowed": not subresource and verb in DEFINITIONS.verbs}
        return {"allowed": False, "reason": _("there is no such resource")}


class SelfSubjectRulesReviewView(ReviewView):
    review, api_version = "SelfSubjectRulesReview", "authorization.k8s.io/v1"
    question = "What may I do in this organization?"
    spec_serializer = SelfSubjectRulesReviewSpecSerializer
    status_serializer = SelfSubjectRulesReviewStatusSerializer

    @property
    def example(self) -> tuple[dict[str, Any], dict[str, Any]]:
        spec = {"namespace": namespace_kind().example["metadata"]["name"]}
        return spec, {"resourceRules": [], "nonResourceRules": [], "incomplete": False}

    def judge(self, spec: dict[str, Any]) -> dict[str, Any]:
        namespace = _text(spec, "namespace")
        rules = [
            _rule(["create"], group, [entry["name"]])
            for group, entries in REVIEWS.items()
            for entry in entries
            if may_review(self.actor, entry["name"])
        ]
        rules.append(_rule(DEFINITIONS.verbs, DEFINITIONS.group, [DEFINITIONS.plural]))
        rules += [
            _rule(["create"], endpoint.group, [endpoint.plural])
            for endpoint in all_endpoints()
            if _may_post(self.actor, "create", endpoint)
        ]
        for kind in [*all_kinds(), *CORE]:
            scope = _scope(self.actor, kind, namespace, "")
            by_verbs: dict[tuple[str, ...], list[str]] = {}
            for subresource in ("", *_subresources(kind)):
                known = dict.fromkeys((*kind.verbs, "create"))
                verbs = tuple(verb for verb in known if _may(self.actor, verb, kind, subresource, scope))
                by_verbs.setdefault(verbs, []).append(f"{kind.plural}/{subresource}".rstrip("/"))
            rules += [_rule(verbs, kind.group, resources) for verbs, resources in by_verbs.items() if verbs]
        return {"resourceRules": rules, "nonResourceRules": NON_RESOURCE_RULES, "incomplete": False}


def may_review(actor: Actor, name: str) -> bool:
    """Return whether the actor may post a review. Everybody may, unless the access table has a rule for it."""
    return name not in {rule.resource for rule in TABLE} or actor.may("create", name, None)


def _rule(verbs: Iterable[str], group: str, resources: list[str]) -> dict[str, Any]:
    return {"verbs": list(verbs), "apiGroups": [group], "resources": resources}


def _text(attributes: dict[str, Any], key: str) -> str:
    value = attributes.get(key) or ""
    if not isinstance(value, str):
        raise Refused(_("%(key)s must be a string") % {"key": key})
    return value


def _kind(group: str, plural: str) -> Kind | None:
    kinds = (kind for kind in [*all_kinds(), *CORE] if kind.plural == plural and group in (kind.group, "*"))
    return next(kinds, None)


def _endpoint(group: str, resource: str) -> Endpoint | None:
    """Find an endpoint by its plural or by its short name, the name in the access table."""
    candidates = (endpoint for endpoint in all_endpoints() if resource in (endpoint.plural, endpoint.resource))
    return next((endpoint for endpoint in candidates if group in (endpoint.group, "*")), None)


def _reviews(group: str) -> Iterable[dict[str, Any]]:
    """Return the reviews of a group; `*` is every group."""
    return chain.from_iterable(entries for of, entries in REVIEWS.items() if group in (of, "*"))


def _may_reach(verb: str, path: str) -> bool:
    """Return whether `NON_RESOURCE_RULES` allow a verb on a path. A URL that ends in `*` is a prefix."""
    urls = chain.from_iterable(rule["nonResourceURLs"] for rule in NON_RESOURCE_RULES if verb in rule["verbs"])
    return any(path.startswith(url[:-1]) if url.endswith("*") else path == url for url in urls)


def _may_post(actor: Actor, verb: str, endpoint: Endpoint) -> bool:
    """Return whether the actor may post to an endpoint, which belongs to no organization and supports POST only."""
    return verb == "create" and actor.may(verb, endpoint.resource, None)


def _subresources(kind: Kind) -> dict[str, tuple[str, str, str]]:
    """Return for each subresource: the verb of the request, and the verb and action that the access table requires."""
    status = {} if kind in CORE else {"status": ("get", "get", "")}
    reads = {subresource.name: ("get", subresource.verb, "") for subresource in kind.read_subresources}
    return status | reads | {action.name: ("create", "create", action.required) for action in kind.actions}


def _scope(actor: Actor, kind: Kind, namespace: str, name: str) -> Collection[int]:
    """Return the primary keys of the organizations that a question is about. Without a name, all of the actor's.

    A cluster-scoped object counts for the organization that owns it, whatever the namespace in the kubeconfig. The
    result is empty for a missing organization, so that the answer is the same as for a foreign one.
    """
    if kind in CORE and not kind.namespaced:
        kind = namespace_kind()
    owner, owning_kind = (namespace, namespace_kind()) if kind.namespaced else (name, kind)
    if not owner or (isinstance(kind, EventShape) and owner == CLUSTER_SCOPED_EVENTS):
        return actor.organizations
    row = owning_kind.queryset().filter(name=owner).first() if DNS_LABEL.fullmatch(owner) else None
    return [owning_kind.organization(row).pk] if row else []


def _may(actor: Actor, verb: str, kind: Kind, subresource: str, scope: Collection[int]) -> bool:
    """Return whether the access table allows a verb, on the platform or in any organization of `scope`."""
    sent, required, action = _subresources(kind).get(subresource, ("", "", "")) if subresource else (verb, verb, "")
    # actions accept POST even if the kind itself does not support create
    if verb != sent or not (subresource or verb in kind.verbs):
        return False
    plural = namespace_kind().plural if kind in CORE else kind.plural
    return any(actor.may(required, plural, organization_id, action=action) for organization_id in (None, *scope))
