"""Viewsets of the peer."""

from functools import cached_property
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import mixins, viewsets
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.pagination import PageNumberPagination

from benchmarks.peer.models import BillingAccount, BillingAccountBinding, Organization, Project
from benchmarks.peer.serializers import BillingAccountSerializer, BindingSerializer

WRITERS = {"billing-admin", "billing-user"}


class Pages(PageNumberPagination):
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000


class OfOrganization(viewsets.GenericViewSet[Any]):
    """Rows of the organization in the address, for its members only."""

    pagination_class = Pages
    lookup_field = "name"

    @cached_property
    def organization(self) -> Organization:
        mine = Organization.objects.filter(memberships__user=self.request.user).distinct()
        return get_object_or_404(mine, name=self.kwargs["organization"])

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(organization=self.organization)


class BillingAccountViewSet(OfOrganization, viewsets.ModelViewSet[BillingAccount]):
    queryset = BillingAccount.objects.select_related("organization").with_linked_projects_count().order_by("name")
    serializer_class = BillingAccountSerializer


class BindingViewSet(OfOrganization, mixins.CreateModelMixin, viewsets.ReadOnlyModelViewSet[BillingAccountBinding]):
    queryset = BillingAccountBinding.objects.select_related("organization", "project", "account").order_by("name")
    serializer_class = BindingSerializer

    def perform_create(self, serializer: Any) -> None:
        roles = self.organization.memberships.filter(user=self.request.user).values_list("role", flat=True)
        if not WRITERS.intersection(roles):
            raise PermissionDenied
        with transaction.atomic():
            project = Project.objects.select_for_update().get(pk=serializer.validated_data["project"].pk)
            active = project.bindings.filter(phase="Active").first()
            now = timezone.now()
            if active:
                if active.account_id == serializer.validated_data["account"].pk:
                    raise ValidationError("the account pays already")
                active.phase, active.ended_at, active.end_reason = "Superseded", now, "Superseded"
                active._change_reason = "superseded"
                active.save()
            binding = BillingAccountBinding(
                organization=self.organization, supersedes=active, established_at=now, **serializer.validated_data
            )
            binding._change_reason = "bound"
            binding.save()
            serializer.instance = binding
