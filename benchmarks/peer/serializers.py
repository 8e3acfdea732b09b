"""Accounts and bindings as flat JSON."""

from typing import Any

from rest_framework import serializers

from benchmarks.peer.models import BillingAccount, BillingAccountBinding, Project


class BillingAccountSerializer(serializers.ModelSerializer[BillingAccount]):
    organization = serializers.SlugRelatedField[Any](slug_field="name", read_only=True)
    linked_projects_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = BillingAccount
        fields = (
            "uid",
            "name",
            "organization",
            "labels",
            "annotations",
            "generation",
            "created_at",
            "display_name",
            "currency_code",
            "net_days",
            "invoice_frequency",
            "invoice_day_of_month",
            "payment_profile",
            "invoice_email_addresses",
            "phase",
            "phase_reason",
            "phase_message",
            "phase_since",
            "linked_projects_count",
        )
        read_only_fields = ("phase", "phase_reason", "phase_message", "phase_since")


class BindingSerializer(serializers.ModelSerializer[BillingAccountBinding]):
    organization = serializers.SlugRelatedField[Any](slug_field="name", read_only=True)
    project = serializers.SlugRelatedField[Any](slug_field="name", queryset=Project.objects.all())
    account = serializers.SlugRelatedField[Any](slug_field="name", queryset=BillingAccount.objects.all())

    class Meta:
        model = BillingAccountBinding
        fields = (
            "uid",
            "name",
            "organization",
            "labels",
            "annotations",
            "generation",
            "created_at",
            "project",
            "account",
            "phase",
            "established_at",
            "ended_at",
            "end_reason",
        )
        read_only_fields = ("phase", "established_at", "ended_at", "end_reason")

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        organization = self.context["view"].organization
        fields["project"].queryset = organization.projects.all()
        fields["account"].queryset = organization.accounts.all()
        return fields

    def validate_name(self, name: str) -> str:
        if self.context["view"].organization.bindings.filter(name=name).exists():
            raise serializers.ValidationError("the name is taken")
        return name

    def validate_project(self, project: Project) -> Project:
        if project.phase != "Active":
            raise serializers.ValidationError("the project is archived")
        return project

    def validate_account(self, account: BillingAccount) -> BillingAccount:
        if account.phase != "Ready":
            raise serializers.ValidationError("the account is not Ready")
        return account
