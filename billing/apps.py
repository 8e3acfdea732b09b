from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class BillingConfig(AppConfig):
    """Registers rules of access, guards, seals, kinds and inspections: each at start, before the first request."""

    name = "billing"
    verbose_name = gettext_lazy("Billing")

    def ready(self) -> None:
        from billing import access, checks, features, guards  # noqa: F401  the checks register themselves
        from billing.services import continuity, default_accounts, sealed, unbound
        from billing.services.affiliations import inspection
        from milo.ledger import inspections
        from projects.services.projects import after_creation

        access.declare_rules()
        features.register_gates()
        guards.declare_guards()
        sealed.seal_tables()
        after_creation(default_accounts.bind_new_project)
        from billing.api import (  # noqa: F401  registers the kinds, whose revisions background work writes too
            affiliations,
            approvals,
            charges,
            event_types,
            kinds,
            organizations,
            payer_changes,
            projects,
            usage_documents,
        )

        inspections.register(
            inspections.Check(
                "continuity",
                "name every project whose intervals of responsibility leave a gap or overlap, archived ones included",
                continuity.breaks,
            )
        )
        inspections.register(
            inspections.Check(
                "hierarchy",
                "name every month of an account without a relation between two, and every payer of record that is not",
                inspection.breaks,
            )
        )
        inspections.register(
            inspections.Check(
                "unbound",
                "name every project that is wrongly among the unbound projects, or wrongly not",
                unbound.differences,
            )
        )
