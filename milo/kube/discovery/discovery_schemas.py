"""Serializers of discovery: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api"""

from typing import Any

from rest_framework import serializers


class VersionInfoSerializer(serializers.Serializer[Any]):
    """The version of the Kubernetes API conventions, and of the server."""

    major = serializers.CharField(help_text="Major version of the Kubernetes API conventions.")
    minor = serializers.CharField(help_text="Minor version of the Kubernetes API conventions.")
    gitVersion = serializers.CharField(help_text="Both, and the version of the server.")
    gitCommit = serializers.CharField(allow_blank=True, help_text="Empty.")
    gitTreeState = serializers.CharField(help_text="clean.")
    buildDate = serializers.DateTimeField(help_text="A fixed instant.")
    goVersion = serializers.CharField(help_text="Version of the language.")
    compiler = serializers.CharField(help_text="Implementation of the language.")
    platform = serializers.CharField(help_text="Operating system and machine.")


class DiscoverySerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="Kind of this answer.")
    apiVersion = serializers.ChoiceField(["v1"], help_text="v1.")


class ServerAddressSerializer(serializers.Serializer[Any]):
    """The address of the server for clients of a network."""

    clientCIDR = serializers.CharField(help_text="Network of the client.")
    serverAddress = serializers.CharField(help_text="Host and port.")


class APIVersionsSerializer(DiscoverySerializer):
    """Versions of the core group."""

    versions = serializers.ListField(child=serializers.CharField(), help_text="v1.")
    serverAddressByClientCIDRs = ServerAddressSerializer(many=True, help_text="Addresses of the server.")


class GroupVersionSerializer(serializers.Serializer[Any]):
    """A version of a group."""

    groupVersion = serializers.CharField(help_text="`group/version`.")
    version = serializers.CharField(help_text="The version alone.")


class APIGroupSerializer(DiscoverySerializer):
    """An API group and its versions."""

    name = serializers.CharField(help_text="Name of the group.")
    versions = GroupVersionSerializer(many=True, help_text="Every version.")
    preferredVersion = GroupVersionSerializer(help_text="The version to use.")


class APIGroupListSerializer(DiscoverySerializer):
    """Every API group but the core one."""

    groups = APIGroupSerializer(many=True, help_text="The groups.")


class APIResourceSerializer(serializers.Serializer[Any]):
    """A kind, or a subresource of one."""

    name = serializers.CharField(help_text="Plural; `plural/subresource`.")
    singularName = serializers.CharField(allow_blank=True, help_text="Singular.")
    namespaced = serializers.BooleanField(help_text="Whether its objects live in namespaces.")
    kind = serializers.CharField(help_text="Kind of its objects.")
    verbs = serializers.ListField(child=serializers.CharField(), help_text="Supported verbs.")
    shortNames = serializers.ListField(child=serializers.CharField(), required=False, help_text="Names for kubectl.")
    categories = serializers.ListField(child=serializers.CharField(), required=False, help_text="Groups for kubectl.")


class APIResourceListSerializer(DiscoverySerializer):
    """The resources of a version of a group."""

    groupVersion = serializers.CharField(help_text="`group/version`; `v1` for the core group.")
    resources = APIResourceSerializer(many=True, help_text="The kinds and subresources.")
