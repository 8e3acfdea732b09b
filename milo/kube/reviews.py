"""`kubectl auth whoami` and `auth can-i`, answered from the one access table."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.request import Request

from milo.access import TABLE, Actor, Rule
from milo.errors import Refused
from milo.kube.kinds import all_kinds, namespace_kind
from milo.kube.views import KubeView

WATCHABLE = ("get", "list", "watch")


class ReviewView(KubeView):
    """A POST that is answered and stored nowhere."""

    review: str
    api_version: str

    def details(self) -> dict[str, Any]:
        return {}

    def post(self, request: Request) -> HttpResponse:
        sent = self.body()
        if not isinstance(sent, dict) or sent.get("kind") != self.review or sent.get("apiVersion") != self.api_version:
            raise Refused(
                _("the body must be a %(kind)s of %(version)s")
                % {
                    "kind": self.review,
                    "version": self.api_version,
                }
            )
        spec = sent.get("spec") or {}
        if not isinstance(spec, dict):
            raise Refused(_("%(key)s must be an object") % {"key": "spec"})
        value = {"kind": self.review, "apiVersion": self.api_version, "metadata": {}, "spec": spec}
        return self.answer.respond(value | {"status": self.judge(spec)}, 201)

    def judge(self, spec: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def namespace_id(self, name: Any) -> int | None:
        """The organization of a namespace; None where there is none of that name, or none is named."""
        if not isinstance(name, str) or not name or "\x00" in name:
            return None
        return namespace_kind().model._default_manager.filter(name=name).values_list("pk", flat=True).first()


class SelfSubjectReviewView(ReviewView):
    review, api_version = "SelfSubjectReview", "authentication.k8s.io/v1"

    def judge(self, spec: dict[str, Any]) -> dict[str, Any]:
        actor = self.actor
        groups = ["system:authenticated", *sorted(actor.roles)]
        names = namespace_kind().model._default_manager.in_bulk(list(actor.organizations))
        groups += sorted(f"{names[pk]}:{role}" for pk, roles in actor.organizations.items() for role in roles)
        return {"userInfo": {"username": actor.name.removeprefix("user:"), "groups": groups}}


class SelfSubjectAccessReviewView(ReviewView):
    review, api_version = "SelfSubjectAccessReview", "authorization.k8s.io/v1"

    def judge(self, spec: dict[str, Any]) -> dict[str, Any]:
        asked = spec.get("resourceAttributes")
        if not isinstance(asked, dict):
            return {"allowed": False, "reason": _("only resourceAttributes are judged")}
        verb, plural = str(asked.get("verb", "")), str(asked.get("resource", ""))
        act = str(asked.get("subresource", ""))
        act = "" if act == "status" or verb in WATCHABLE else act
        scope = self.namespace_id(asked.get("namespace"))
        group = str(asked.get("group", ""))
        known = any(kind.plural == plural and group in (kind.group, "*") for kind in all_kinds())
        if group == "" and plural in ("namespaces", "events"):
            known, plural = True, namespace_kind().plural
        return {"allowed": known and may(self.actor, verb, plural, scope, act)}


def may(actor: Actor, verb: str, plural: str, organization_id: int | None, act: str = "") -> bool:
    """Whether the actor may, in the organization; where none is named in any, as a list over all of them shows."""
    if actor.may(verb, plural, organization_id, act=act):
        return True
    return organization_id is None and any(actor.may(verb, plural, pk, act=act) for pk in actor.organizations)


class SelfSubjectRulesReviewView(ReviewView):
    review, api_version = "SelfSubjectRulesReview", "authorization.k8s.io/v1"

    def judge(self, spec: dict[str, Any]) -> dict[str, Any]:
        held = self.actor.organizations.get(self.namespace_id(spec.get("namespace")) or 0, frozenset())
        groups = {kind.plural: kind.group for kind in all_kinds()}
        rules = [
            entry
            for rule in TABLE
            if rule.resource in groups and rule.role in (held if rule.organization else self.actor.roles)
            for entry in _resource_rules(rule, groups[rule.resource])
        ]
        return {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}


def _resource_rules(rule: Rule, group: str) -> list[dict[str, Any]]:
    rules = [{"verbs": list(rule.verbs), "apiGroups": [group], "resources": [rule.resource]}] if rule.verbs else []
    acts = [f"{rule.resource}/{act}" for act in rule.acts]
    return rules + ([{"verbs": ["create"], "apiGroups": [group], "resources": acts}] if acts else [])
