"""Specs and statuses of organizations and projects; the help texts are what `kubectl explain` says."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.models import BillingAccountBinding
from milo.kube.fields import ChoiceField, InstantField, ReferenceSerializer, StringField, StringListField
from milo.kube.schemas import ConditionSerializer
from projects.models import Organization, Project


class OrganizationSpecSerializer(serializers.Serializer[Any]):
    displayName = StringField(
        source="display_name", max_length=200, required=False, allow_blank=True, help_text=_("Name for people.")
    )


class OrganizationStatusSerializer(serializers.Serializer[Any]):
    phase = ChoiceField(Organization.Phase.choices, help_text=_("Active."))
    conditions = ConditionSerializer(many=True, help_text=_("Ready: the organization can hold projects and accounts."))


class ProjectSpecSerializer(serializers.Serializer[Any]):
    organizationRef = ReferenceSerializer(
        source="organization_ref", help_text=_("The organization that owns the project; fixed.")
    )
    displayName = StringField(
        source="display_name", max_length=200, required=False, allow_blank=True, help_text=_("Name for people.")
    )
    contactEmailAddresses = StringListField(
        source="contact_email_addresses",
        required=False,
        help_text=_("Who is told when the project's payer changes or is suspended; at most 50."),
    )


class ProjectStatusSerializer(serializers.Serializer[Any]):
    phase = ChoiceField(Project.Phase.choices, help_text=_("Active or Archived."))
    conditions = ConditionSerializer(many=True, help_text=_("Ready: the project is active."))


class HistoryQuerySerializer(serializers.Serializer[Any]):
    at = InstantField(
        required=False, help_text=_("An instant (RFC 3339): answer with who paid then, instead of the whole timeline.")
    )
    asKnownAt = InstantField(
        required=False,
        help_text=_("An instant (RFC 3339), with `at`: answer as the ledger knew it then, from its history."),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "asKnownAt" in attrs and "at" not in attrs:
            raise serializers.ValidationError({"asKnownAt": _("needs at")})
        return attrs


class HistoryItemSerializer(serializers.Serializer[Any]):
    binding = serializers.CharField(help_text=_("Name of the binding."))
    account = serializers.CharField(help_text=_("Name of the billing account."))
    phase = ChoiceField(BillingAccountBinding.Phase.choices, help_text=_("Active, Superseded or Ended."))
    establishedAt = serializers.DateTimeField(help_text=_("Instant (UTC) from which the account pays."))
    endedAt = serializers.DateTimeField(required=False, help_text=_("Instant (UTC) from which it no longer does."))
    endReason = ChoiceField(
        BillingAccountBinding.EndReason.choices, required=False, help_text=_("Superseded or ProjectArchived.")
    )
    supersededBy = serializers.CharField(required=False, help_text=_("Name of the binding that took over."))


class HistorySerializer(serializers.Serializer[Any]):
    """The time line of a project."""

    apiVersion = serializers.CharField(help_text=_("resources.milo.io/v1alpha1."))
    kind = serializers.CharField(help_text=_("BillingHistory."))
    project = serializers.CharField(help_text=_("Name of the project."))
    items = HistoryItemSerializer(many=True, help_text=_("Oldest first; with `at`, the one in force then, if any."))
