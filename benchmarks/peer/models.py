"""The tables of Milo that the peer reads and writes."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils import timezone
from simple_history.models import HistoricalRecords

from milo.audit import Provenance


def _username(request: HttpRequest | None, **kwargs: Any) -> str:
    return request.user.get_username() if request else ""


def _get_author(row: Any) -> str:
    return str(row.history_user_id)


def _set_author(row: Any, author: str) -> None:
    row.history_user_id = author


class Token(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "identity_servicetoken"

    def __str__(self) -> str:
        return str(self.user)


class Named(models.Model):
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=63)
    labels = models.JSONField(default=dict, blank=True)
    annotations = models.JSONField(default=dict, blank=True)
    managed_fields = models.JSONField(default=list, editable=False)
    generation = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Organization(Named):
    class Meta:
        managed = False
        db_table = "projects_organization"


class Membership(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="peer_memberships")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20)

    class Meta:
        managed = False
        db_table = "projects_membership"

    def __str__(self) -> str:
        return self.role


class Project(Named):
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="projects")
    phase = models.CharField(max_length=20)

    class Meta:
        managed = False
        db_table = "projects_project"


class BillingAccountQuerySet(models.QuerySet["BillingAccount"]):
    def with_linked_projects_count(self) -> "BillingAccountQuerySet":
        return self.annotate(linked_projects_count=Count("bindings", filter=Q(bindings__phase="Active")))


class BillingAccount(Named):
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="accounts")
    display_name = models.CharField(max_length=200, blank=True)
    currency_code = models.CharField(max_length=3, blank=True)
    net_days = models.PositiveSmallIntegerField(null=True, blank=True)
    invoice_frequency = models.CharField(max_length=10, blank=True)
    invoice_day_of_month = models.PositiveSmallIntegerField(null=True, blank=True)
    payment_profile = models.JSONField(null=True, blank=True)
    invoice_email_addresses = models.JSONField(default=list, blank=True)
    phase = models.CharField(max_length=20)
    phase_reason = models.CharField(max_length=60)
    phase_message = models.TextField(blank=True)
    phase_since = models.DateTimeField()

    objects = BillingAccountQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "billing_billingaccount"


class BillingAccountBinding(Named):
    project = models.ForeignKey(Project, models.PROTECT, related_name="bindings")
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="bindings")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="bindings")
    supersedes = models.OneToOneField("self", models.PROTECT, null=True, related_name="superseded_by")
    phase = models.CharField(max_length=20, default="Active")
    established_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=60, blank=True)

    history = HistoricalRecords(
        table_name="billing_historicalbillingaccountbinding",
        bases=[Provenance],
        get_user=_username,
        history_id_field=models.BigAutoField(),
        history_user_id_field=models.CharField(max_length=200),
        history_user_getter=_get_author,
        history_user_setter=_set_author,
        history_change_reason_field=models.TextField(),
    )

    class Meta:
        managed = False
        db_table = "billing_billingaccountbinding"
