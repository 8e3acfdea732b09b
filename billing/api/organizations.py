"""Extension of the kind Organization: the account that pays for new projects, and usage without a payer."""

from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_serializer

from billing.api.usage import UNASSIGNED
from billing.services.accounts import missing_account
from billing.services.default_accounts import DEFAULT_FIELD, set_default
from milo import audit
from milo.access import Actor
from milo.errors import Invalid
from milo.kube.fields import ReferenceSerializer
from milo.kube.kinds import ObjectInput, register
from milo.kube.models import ResourceQuerySet
from projects.api.kinds import OrganizationKind
from projects.api.serializers import OrganizationSpecSerializer
from projects.models import Organization
from projects.services.organizations import OrganizationSpec

_COLUMNS = [column.name for column in Organization._meta.concrete_fields]


@extend_schema_serializer(component_name="OrganizationSpec")
class BilledOrganizationSpecSerializer(OrganizationSpecSerializer):
    defaultBillingAccountRef = ReferenceSerializer(
        source="default_account",
        required=False,
        help_text=gettext_lazy("The account that pays for new projects; existing projects stay as they are."),
    )


@register
class BilledOrganizationKind(OrganizationKind):
    namespace_description = gettext_lazy("An organization, as the namespace of its accounts and bindings.")
    spec_serializer = BilledOrganizationSpecSerializer
    read_subresources = (UNASSIGNED, *OrganizationKind.read_subresources)

    def queryset(self) -> ResourceQuerySet[Organization]:
        # of the account only its name, or the many other columns would dominate the query
        named = ("default_account__organization_id", "default_account__account__name")
        return super().queryset().select_related("default_account__account").only(*_COLUMNS, *named)

    def spec(self, row: Organization) -> dict[str, Any]:
        default = getattr(row, "default_account", None)
        account = default.account if default else None
        return super().spec(row) | {"defaultBillingAccountRef": account and {"name": account.name}}

    def normalized(self, spec: dict[str, Any], row: Organization | None) -> dict[str, Any]:
        reference = spec.pop("default_account", None)
        return super().normalized(spec, row) | {"defaultBillingAccountRef": reference}

    def create(self, body: ObjectInput, *, actor: Actor) -> Organization:
        default = _named(body)
        with audit.transaction():
            organization = super().create(body, actor=actor)
            if default:
                # an organization has no accounts before it is there
                raise Invalid.because([missing_account(default, DEFAULT_FIELD)])
            return organization

    def update(
        self, row: Organization, body: ObjectInput, *, actor: Actor, resource_version: int | None
    ) -> Organization:
        default = _named(body)
        spec = OrganizationSpec(**body.spec)
        return set_default(row.pk, spec, default, body.metadata, actor=actor, resource_version=resource_version)

    def warnings(self, row: Organization) -> tuple[str, ...]:
        warning: str = getattr(row, "unbound_warning", "")
        return (warning,) if warning else ()


def _named(body: ObjectInput) -> str:
    """Take the name of the default account out of a validated spec; "" if it has none."""
    name: str = (body.spec.pop("default_account", None) or {}).get("name", "")
    return name
