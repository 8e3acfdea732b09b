"""Serializers of the reviews.

https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
"""

from typing import Any

from rest_framework import serializers

from milo.kube.fields import StringField
from milo.kube.illustrations import text


class StringsField(serializers.ListField):
    child = serializers.CharField(allow_blank=True)


class UserInfoSerializer(serializers.Serializer[Any]):
    """A user and its roles."""

    username = serializers.CharField(help_text="Name of the user.")
    groups = StringsField(help_text="Platform roles by name; roles in an organization as `organization:role`.")


class SelfSubjectReviewStatusSerializer(serializers.Serializer[Any]):
    userInfo = UserInfoSerializer(help_text="Who you are.")


class TokenReviewSpecSerializer(serializers.Serializer[Any]):
    token = StringField(max_length=16384, help_text="The bearer token; not repeated in the answer.")
    audiences = serializers.ListField(
        child=StringField(max_length=300), required=False, max_length=20, help_text="Ignored."
    )


class TokenReviewStatusSerializer(serializers.Serializer[Any]):
    authenticated = serializers.BooleanField(help_text="Whether the token is valid now.")
    user = UserInfoSerializer(required=False, help_text="The user of the token.")
    error = serializers.CharField(required=False, allow_blank=True, help_text="Why the token is not valid.")


class ResourceAttributesSerializer(serializers.Serializer[Any]):
    """A verb on a resource."""

    namespace = StringField(
        required=False, allow_blank=True, help_text="Organization. Empty asks whether it is allowed in any of them."
    )
    verb = StringField(required=False, allow_blank=True, help_text="get, list, watch, create, update or patch.")
    group = StringField(required=False, allow_blank=True, help_text="API group.")
    version = StringField(required=False, allow_blank=True, help_text="API version. Ignored.")
    resource = StringField(
        required=False,
        allow_blank=True,
        help_text=text(lambda names: f"Plural of the kind, for example {names.plural}."),
    )
    subresource = StringField(
        required=False, allow_blank=True, help_text="status, or the name of an action or read subresource."
    )
    name = StringField(
        required=False, allow_blank=True, help_text="Name of the object. Used for cluster-scoped kinds only."
    )


class NonResourceAttributesSerializer(serializers.Serializer[Any]):
    """A verb on a path that is no resource."""

    path = StringField(required=False, allow_blank=True, help_text="Path of the URL.")
    verb = StringField(required=False, allow_blank=True, help_text="HTTP method in lower case.")


class SelfSubjectAccessReviewSpecSerializer(serializers.Serializer[Any]):
    resourceAttributes = ResourceAttributesSerializer(required=False, help_text="The question about a resource.")
    nonResourceAttributes = NonResourceAttributesSerializer(
        required=False, help_text="The question about a path. Send either this or resourceAttributes."
    )


class SelfSubjectAccessReviewStatusSerializer(serializers.Serializer[Any]):
    allowed = serializers.BooleanField(help_text="Whether it is allowed.")
    reason = serializers.CharField(required=False, allow_blank=True, help_text="Why it is not allowed, if known.")


class SelfSubjectRulesReviewSpecSerializer(serializers.Serializer[Any]):
    namespace = StringField(required=False, allow_blank=True, help_text="Organization whose rules are asked for.")


class ResourceRuleSerializer(serializers.Serializer[Any]):
    """Verbs that are allowed on resources."""

    verbs = StringsField(help_text="Allowed verbs.")
    apiGroups = StringsField(help_text="API groups of the resources.")
    resources = StringsField(help_text="Plurals; `plural/subresource` for subresources.")


class NonResourceRuleSerializer(serializers.Serializer[Any]):
    """Verbs that are allowed on paths."""

    verbs = StringsField(help_text="HTTP methods in lower case.")
    nonResourceURLs = StringsField(help_text="Paths.")


class SelfSubjectRulesReviewStatusSerializer(serializers.Serializer[Any]):
    resourceRules = ResourceRuleSerializer(many=True, help_text="What you may do to resources.")
    nonResourceRules = NonResourceRuleSerializer(many=True, help_text="What you may do to other paths.")
    incomplete = serializers.BooleanField(help_text="Whether rules are missing from the list.")
