"""`kubectl auth whoami` and `auth can-i`, answered from the one access table."""

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

# both are read by whoever may read their organization
CORE = (NamespaceShape(), EventShape())
# whoever is known may read that there are none
DEFINITIONS = DefinitionShape()
# those of Kubernetes' cluster roles system:discovery and system:public-info-viewer
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
    """A POST that is answered and stored nowhere."""

    review: str
    api_version: str
    question: str
    spec_serializer: Any
    status_serializer: Any
    resource = ""
    """Its name in the access table; whoever is known may ask where there is none."""

    @property
    def example(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """A spec and its status, for the documents."""
        raise NotImplementedError

    def details(self) -> dict[str, Any]:
        return {}

    def post(self, request: Request) -> HttpResponse:
        if self.resource:
            # whoever may not is told so before what was sent is looked at
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
            # a question has no rules but those of its form
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
    """The actor as a UserInfo: roles across the platform, then those in an organization as `organization:role`."""
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
        if asked := spec.get("nonResourceAttributes"):
            return {"allowed": _may_reach(_text(asked, "verb"), _text(asked, "path"))}
        asked = spec.get("resourceAttributes") or {}
        group, resource = _text(asked, "group"), _text(asked, "resource")
        verb, subresource = _text(asked, "verb"), _text(asked, "subresource")
        namespace, name = _text(asked, "namespace"), _text(asked, "name")
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
        asked = {"namespace": namespace_kind().example["metadata"]["name"]}
        return asked, {"resourceRules": [], "nonResourceRules": [], "incomplete": False}

    def judge(self, spec: dict[str, Any]) -> dict[str, Any]:
        namespace = _text(spec, "namespace")
        rules = [
            _rule(["create"], group, [entry["name"]])
            for group, found in REVIEWS.items()
            for entry in found
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
    """Whether the actor may post a review of this plural: everybody may, unless the access table has a row of it."""
    return name not in {rule.resource for rule in TABLE} or actor.may("create", name, None)


def _rule(verbs: Iterable[str], group: str, resources: list[str]) -> dict[str, Any]:
    return {"verbs": list(verbs), "apiGroups": [group], "resources": resources}


def _text(asked: dict[str, Any], key: str) -> str:
    value = asked.get(key) or ""
    if not isinstance(value, str):
        raise Refused(_("%(key)s must be a string") % {"key": key})
    return value


def _kind(group: str, plural: str) -> Kind | None:
    found = (kind for kind in [*all_kinds(), *CORE] if kind.plural == plural and group in (kind.group, "*"))
    return next(found, None)


def _endpoint(group: str, resource: str) -> Endpoint | None:
    """By its plural or by its name in the access table, which is its short name."""
    found = (endpoint for endpoint in all_endpoints() if resource in (endpoint.plural, endpoint.resource))
    return next((endpoint for endpoint in found if group in (endpoint.group, "*")), None)


def _reviews(group: str) -> Iterable[dict[str, Any]]:
    """The reviews of a group (`*`: of every group)."""
    return chain.from_iterable(entries for of, entries in REVIEWS.items() if group in (of, "*"))


def _may_reach(verb: str, path: str) -> bool:
    """Whether `NON_RESOURCE_RULES` allow a verb at a path; a URL of theirs that ends in `*` is a prefix."""
    urls = chain.from_iterable(rule["nonResourceURLs"] for rule in NON_RESOURCE_RULES if verb in rule["verbs"])
    return any(path.startswith(url[:-1]) if url.endswith("*") else path == url for url in urls)


def _may_post(actor: Actor, verb: str, endpoint: Endpoint) -> bool:
    """An endpoint belongs to no organization, and all that can be done is to post to it."""
    return verb == "create" and actor.may(verb, endpoint.resource, None)


def _subresources(kind: Kind) -> dict[str, tuple[str, str, str]]:
    """The verb by which each subresource of the kind is used, and verb and act of the access table that it takes."""
    status = {} if kind in CORE else {"status": ("get", "get", "")}
    readings = {reading.name: ("get", reading.verb, reading.act) for reading in kind.read_subresources}
    return status | readings | {act.name: ("create", "create", act.name) for act in kind.actions}


def _scope(actor: Actor, kind: Kind, namespace: str, name: str) -> Collection[int]:
    """Primary keys of the organizations that a question is about, all of the actor's where it names none.

    A cluster-scoped object is judged by the organization that owns it, whatever the namespace of the kubeconfig.
    Empty for what is not there, so that it answers as what is foreign.
    """
    if kind in CORE and not kind.namespaced:
        kind = namespace_kind()
    asked, by = (namespace, namespace_kind()) if kind.namespaced else (name, kind)
    if not asked or (isinstance(kind, EventShape) and asked == CLUSTER_SCOPED_EVENTS):
        return actor.organizations
    row = by.queryset().filter(name=asked).first() if DNS_LABEL.fullmatch(asked) else None
    return [by.organization(row).pk] if row else []


def _may(actor: Actor, verb: str, kind: Kind, subresource: str, scope: Collection[int]) -> bool:
    """What the access table says, for the platform and for any organization of `scope`."""
    used_by, taken, act = _subresources(kind).get(subresource, ("", "", "")) if subresource else (verb, verb, "")
    # an act is created also where objects of the kind are not
    if verb != used_by or not (subresource or verb in kind.verbs):
        return False
    plural = namespace_kind().plural if kind in CORE else kind.plural
    return any(actor.may(taken, plural, organization_id, act=act) for organization_id in (None, *scope))
