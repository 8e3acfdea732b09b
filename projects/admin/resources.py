"""What the pages of resources have in common: metadata, and revising what one has seen."""

from typing import Any

from django import forms
from django.http import HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from milo.admin.actions import ServiceAction
from milo.admin.forms import ActForm
from milo.kube import changes
from projects.admin.conflicts import changes_since

METADATA = (
    gettext_lazy("Metadata"),
    {
        "fields": ("uid", "generation", "created_at", "label_pairs", "annotation_pairs", "managed_fields"),
        "classes": ("collapse",),
    },
)


class SeenForm(ActForm):
    """Carries the revision that the person saw, so that nobody overwrites what they have not seen."""

    resource_version = forms.IntegerField(widget=forms.HiddenInput)

    def renew(self, version: int) -> None:
        """Take `version` as seen when the form is sent again; what was typed stays."""
        data = QueryDict(mutable=True)
        data.update(self.data)
        data["resource_version"] = str(version)
        self.data = data


class SeenAction(ServiceAction):
    """An act on an object as it was when the form was opened."""

    form_class = SeenForm

    def get_initial(self) -> dict[str, Any]:
        return {"resource_version": changes.version_of(self.row)}

    def look_again(self, form: ActForm) -> None:
        """Say who changed what since the form was opened, and take that as seen from now on."""
        assert isinstance(form, SeenForm)
        # read before the changes, so that none is passed over that came meanwhile
        newest, seen = changes.version_of(self.row), form.cleaned_data.get("resource_version")
        if newest == seen:
            return
        for sentence in changes_since(self.row, seen, form) if seen is not None else []:
            form.add_error(None, sentence)
        form.add_error(None, _("What you typed is kept. Look at the changes; sending it again goes over them."))
        form.renew(newest)
        # what stands above the form is the object as it is now
        self.row = form.row = self.admin.get_object(self.request, str(self.row.pk))

    def form_invalid(self, form: ActForm) -> HttpResponse:
        if "resource_version" in form.errors:
            self.look_again(form)
        return super().form_invalid(form)
