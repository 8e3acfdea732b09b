"""Shapes of the self-subject reviews.

https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
"""

from typing import Any

from rest_framework import serializers

from milo.kube.fields import StringField
from milo.kube.illustrations import text


class StringsField(serializers.ListField):
    child = serializers.CharField(allow_blank=True)


class UserInfoSerializer(serializers.Serializer[Any]):
    """A user as the server knows it."""

    username = serializers.CharField(help_text="Name of the user.")
    groups = StringsField(help_text="Roles across the platform; those in an organization as `organization:role`.")


class SelfSubjectReviewStatusSerializer(serializers.Serializer[Any]):
    userInfo = UserInfoSerializer(help_text="Who you are.")


class TokenReviewSpecSerializer(serializers.Serializer[Any]):
    token = StringField(max_length=16384, help_text="The bearer token; not repeated in the answer.")
    audiences = serializers.ListField(
        child=StringField(max_length=300), required=False, max_length=20, help_text="Not looked at."
    )


class TokenReviewStatusSerializer(serializers.Serializer[Any]):
    authenticated = serializers.BooleanField(help_text="Whether the token admits somebody now.")
    user = UserInfoSerializer(required=False, help_text="Whom it stands for.")
    error = serializers.CharField(required=False, allow_blank=True, help_text="Why it admits nobody.")


class ResourceAttributesSerializer(serializers.Serializer[Any]):
    """What is to be done to which resource."""

    namespace = StringField(
        required=False, allow_blank=True, help_text="Organization; empty asks whether it is allowed in any of them."
    )
    verb = StringField(required=False, allow_blank=True, help_text="get, list, watch, create, update or patch.")
    group = StringField(required=False, allow_blank=True, help_text="API group.")
    version = StringField(required=False, allow_blank=True, help_text="API version; not looked at.")
    resource = StringField(
        required=False,
        allow_blank=True,
        help_text=text(lambda shown: f"Plural of the kind, for example {shown.plural}."),
    )
    subresource = StringField(required=False, allow_blank=True, help_text="status, or the name of an act.")
    name = StringField(required=False, allow_blank=True, help_text="Name of the object; not looked at.")


class NonResourceAttributesSerializer(serializers.Serializer[Any]):
    """What is to be done at a path that is no resource."""

    path = StringField(required=False, allow_blank=True, help_text="Path of the URL.")
    verb = StringField(required=False, allow_blank=True, help_text="HTTP method in lower case.")


class SelfSubjectAccessReviewSpecSerializer(serializers.Serializer[Any]):
    resourceAttributes = ResourceAttributesSerializer(required=False, help_text="What is asked about a resource.")
    nonResourceAttributes = NonResourceAttributesSerializer(
        required=False, help_text="What is asked about a path; either this or resourceAttributes."
    )


class SelfSubjectAccessReviewStatusSerializer(serializers.Serializer[Any]):
    allowed = serializers.BooleanField(help_text="Whether you may.")
    reason = serializers.CharField(required=False, allow_blank=True, help_text="Why not, where that helps.")


class SelfSubjectRulesReviewSpecSerializer(serializers.Serializer[Any]):
    namespace = StringField(required=False, allow_blank=True, help_text="Organization whose rules are asked for.")


class ResourceRuleSerializer(serializers.Serializer[Any]):
    """Verbs that are allowed on resources."""

    verbs = StringsField(help_text="What may be done.")
    apiGroups = StringsField(help_text="API groups of the resources.")
    resources = StringsField(help_text="Plurals; `plural/act` for an act.")


class NonResourceRuleSerializer(serializers.Serializer[Any]):
    """Verbs that are allowed on paths."""

    verbs = StringsField(help_text="HTTP methods in lower case.")
    nonResourceURLs = StringsField(help_text="Paths.")


class SelfSubjectRulesReviewStatusSerializer(serializers.Serializer[Any]):
    resourceRules = ResourceRuleSerializer(many=True, help_text="What you may do to resources.")
    nonResourceRules = NonResourceRuleSerializer(many=True, help_text="What you may do elsewhere.")
    incomplete = serializers.BooleanField(help_text="Whether rules are missing from the list.")
