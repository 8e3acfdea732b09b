"""The read-only list and page of notices, and the action that requeues an undeliverable one."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import escape, format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.access import NOTICES
from billing.models import Notice
from billing.services.notices.deliveries import message_id, requeue, text_of
from milo import email_addresses
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.attention import attention
from milo.admin.panels import Attention, lines, link
from milo.admin.read_only import ReadOnlyAdmin
from milo.admin.related_filters import RelatedFilter


class Requeue(ServiceAction):
    """Try an undeliverable notice again, under the same Message-ID."""

    name = "requeue"
    title = gettext_lazy("Requeue")
    icon = "forward_to_inbox"
    verb, resource, action = "create", NOTICES, "requeue"

    @classmethod
    def offered(cls, row: Notice) -> bool:
        return row.phase == Notice.Phase.DEAD

    def facts(self) -> Facts:
        return [
            (_("Notice"), link(self.row)),
            (_("Last error"), self.row.last_error or "-"),
            (_("What will happen"), _("It is tried again from now on, under its old Message-ID.")),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> Notice:
        return requeue(self.row.pk, actor=actor)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    resource = NOTICES
    icon = "mail"
    nothing_yet = gettext_lazy(
        "Notices are sent about requests, suspensions and changes of the payer. Nobody has to write them."
    )
    phase_colors = {"Delivered": "success", "Pending": "info", "Dead": "danger"}
    list_display = (
        "recipient",
        "about",
        "account_link",
        "project_link",
        "phase_badge",
        "attempts",
        "created_at",
        "delivered_at",
    )
    list_filter = (
        ("account", RelatedFilter),
        ("project", RelatedFilter),
        ("about", ChoicesDropdownFilter),
        ("phase", ChoicesDropdownFilter),
    )
    list_select_related = ("account", "project")
    search_fields = ("recipient", "account__name", "project__name", "uid")
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "recipient",
                    "sent_to",
                    "about",
                    "account_link",
                    "project_link",
                    "phase_badge",
                    "attempts",
                    "created_at",
                    "due_at",
                    "delivered_at",
                    "last_error",
                )
            },
        ),
        (gettext_lazy("Message"), {"fields": ("message_id", "language", "subject", "text", "html")}),
    )
    object_actions = (Requeue,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        return super().get_queryset(request).select_related("account", "project")

    @admin.display(description=gettext_lazy("billing account"), ordering="account__name")
    def account_link(self, row: Notice) -> str:
        return link(row.account)

    @admin.display(description=gettext_lazy("project"), ordering="project__name")
    def project_link(self, row: Notice) -> str:
        return link(row.project)

    @admin.display(description=gettext_lazy("Message-ID"))
    def message_id(self, row: Notice) -> str:
        return message_id(row)

    @admin.display(description=gettext_lazy("address on the envelope"))
    def sent_to(self, row: Notice) -> str:
        """Return the recipient with its domain in ASCII, as sent to the mail server; else the error."""
        try:
            return email_addresses.to_ascii(row.recipient)
        except ValueError as error:
            return str(error)

    @admin.display(description=gettext_lazy("subject"))
    def subject(self, row: Notice) -> str:
        return text_of(row).subject

    @admin.display(description=gettext_lazy("text"))
    def text(self, row: Notice) -> str:
        return lines(text_of(row).plain.splitlines())

    @admin.display(description="HTML")
    def html(self, row: Notice) -> str:
        # an empty `sandbox` forbids scripts, forms and the page's origin; the text is safe as HTML, but as the value of
        # an attribute it must be escaped
        return format_html(
            '<iframe sandbox srcdoc="{}" title="HTML" class="bg-white rounded-default w-full" height="320"></iframe>',
            escape(text_of(row).html),
        )

    def attention(self, request: HttpRequest) -> list[Attention]:
        dead = Notice.objects.filter(phase=Notice.Phase.DEAD)
        page = self.list_address(phase__exact=Notice.Phase.DEAD.value)
        return [attention(_("Undeliverable notices"), dead, "created_at", page)]
