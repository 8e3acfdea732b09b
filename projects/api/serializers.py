"""Spec and status of organizations and projects. The help texts appear in OpenAPI and `kubectl explain`."""

from typing import Any

from django.utils.translation import gettext_lazy
from rest_framework import serializers

from milo.kube.fields import ChoiceField, ReferenceSerializer, StringField, StringListField
from milo.kube.schemas import ConditionSerializer
from projects.models import Organization, Project


class OrganizationSpecSerializer(serializers.Serializer[Any]):
    displayName = StringField(
        source="display_name",
        max_length=200,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("Name for people."),
    )


class OrganizationStatusSerializer(serializers.Serializer[Any]):
    phase = ChoiceField(Organization.Phase.choices, help_text=gettext_lazy("Active."))
    conditions = ConditionSerializer(
        many=True, help_text=gettext_lazy("Ready: the organization can hold projects and accounts.")
    )


class ProjectSpecSerializer(serializers.Serializer[Any]):
    organizationRef = ReferenceSerializer(
        source="organization_ref", help_text=gettext_lazy("The organization that owns the project; fixed.")
    )
    displayName = StringField(
        source="display_name",
        max_length=200,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("Name for people."),
    )
    contactEmailAddresses = StringListField(
        source="contact_email_addresses",
        required=False,
        help_text=gettext_lazy("Who gets a notice when the project's payer changes or is suspended; at most 50."),
    )


class ProjectStatusSerializer(serializers.Serializer[Any]):
    phase = ChoiceField(Project.Phase.choices, help_text=gettext_lazy("Active or Archived."))
    conditions = ConditionSerializer(many=True, help_text=gettext_lazy("Ready: the project is active."))
