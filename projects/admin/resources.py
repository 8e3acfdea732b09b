"""What the pages of resources have in common: metadata, and revising what one has seen."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from milo.admin.actions import ServiceAction
from milo.admin.forms import ActForm
from milo.kube import changes

METADATA = (
    _("Metadata"),
    {
        "fields": ("uid", "generation", "created_at", "label_pairs", "annotation_pairs", "managed_fields"),
        "classes": ("collapse",),
    },
)


class SeenForm(ActForm):
    """Carries the revision that the person saw, so that nobody overwrites what they have not seen."""

    resource_version = forms.IntegerField(widget=forms.HiddenInput)


class SeenAction(ServiceAction):
    """An act on an object as it was when the form was opened."""

    form_class = SeenForm

    def get_initial(self) -> dict[str, Any]:
        return {"resource_version": changes.version_of(self.row)}
