"""What the pages of resources have in common: metadata, and revising what one has seen."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django import forms
from django.http import HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from milo import audit
from milo.admin.actions import ServiceAction
from milo.admin.conflicts import changes_since
from milo.admin.forms import ActForm
from milo.kube.kinds import kind_of
from milo.kube.store import changes

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

    def renew(self, seen: Mapping[str, Any]) -> None:
        """Take the values `seen` as those seen when the form is sent again; what was typed stays."""
        data = QueryDict(mutable=True)
        data.update(self.data)
        data.update({name: str(value) for name, value in seen.items()})
        self.data = data


class SeenAction(ServiceAction):
    """An act on an object as it was when the form was opened."""

    form_class = SeenForm
    version = 0

    def load(self, object_id: str) -> Any:
        """The object, and its revision, which is read before what is shown: a later one would stand for more than that.

        Nobody would then be told of a change that came between the two.
        """
        row = super().load(object_id)
        if row is None:
            return None
        self.version = changes.version_of(row)
        return super().load(object_id)

    def seen(self) -> dict[str, Any]:
        """Hidden fields that say what is shown."""
        return {"resource_version": self.version}

    def get_initial(self) -> dict[str, Any]:
        return self.seen()

    @contextmanager
    def acting(self, values: dict[str, Any]) -> Iterator[None]:
        """One act with the service: the revision is compared under the lock, which is held until the act is done."""
        kind = kind_of(type(self.row))
        assert kind
        with audit.transaction():
            kind.lock(self.row)
            changes.expect(self.row, values["resource_version"])
            yield

    def look_again(self, form: ActForm) -> None:
        """Say who changed what since the form was opened, and take that as seen from now on."""
        assert isinstance(form, SeenForm)
        seen = form.cleaned_data.get("resource_version")
        # read before the changes, so that none is passed over that came meanwhile
        self.row = form.row = self.load(str(self.row.pk))
        if self.version == seen:
            return
        for sentence in changes_since(self.row, seen, form) if seen is not None else []:
            form.add_error(None, sentence)
        form.add_error(None, _("What you typed is kept. Look at the changes; sending it again goes over them."))
        form.renew(self.seen())

    def form_invalid(self, form: ActForm) -> HttpResponse:
        if "resource_version" in form.errors:
            self.look_again(form)
        return super().form_invalid(form)
