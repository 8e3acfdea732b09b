"""Pages of resources: the metadata fieldset, and actions that refuse to overwrite changes of others."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django import forms
from django.db import models
from django.http import HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from milo import audit, card_numbers
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.conflicts import changes_since
from milo.admin.forms import ActForm, Paragraph, value_text
from milo.kube.store import changes

METADATA = (
    gettext_lazy("Metadata"),
    {
        "fields": ("uid", "generation", "created_at", "label_pairs", "annotation_pairs", "managed_fields"),
        "classes": ("collapse",),
    },
)


class SeenForm(ActForm):
    """A form that carries the revision shown when it was opened, so that nobody overwrites unseen changes."""

    resource_version = forms.IntegerField(widget=forms.HiddenInput)

    def renew(self, seen: Mapping[str, Any]) -> None:
        """Replace the hidden fields by `seen`, and keep the other values as typed."""
        data = QueryDict(mutable=True)
        data.update(self.data)
        data.update({name: str(value) for name, value in seen.items()})
        self.data = data


class SeenAction(ServiceAction):
    """An action on an object as it was when the form was opened. Raises a conflict if it has changed since."""

    form_class = SeenForm
    version = 0

    def load(self, object_id: str) -> Any:
        """Return the object, and note its revision in `version`.

        The revision is read before the row. If a change comes in between, the form carries the older revision and
        submitting it is refused. In the other order, the person would overwrite a change that was never shown.
        """
        self.version = changes.version_of_key(self.admin.opts.model, object_id)
        return super().load(object_id)

    def seen(self) -> dict[str, Any]:
        """Return the values of the hidden fields, which identify the state shown."""
        return {"resource_version": self.version}

    def get_initial(self) -> dict[str, Any]:
        return self.seen()

    @contextmanager
    def acting(self, values: dict[str, Any]) -> Iterator[None]:
        """Compare the revision of the object before the service, and again while it holds the lock. One transaction."""
        row = self.row
        with audit.transaction(), changes.compared(row, lambda: changes.expect(row, values["resource_version"])):
            yield

    def look_again(self, form: ActForm) -> None:
        """Show who changed what since the form was opened, and renew the revision in the form."""
        assert isinstance(form, SeenForm)
        seen = form.cleaned_data.get("resource_version")
        # load before listing changes: a change that comes in between is then listed next time, not skipped
        self.row = form.row = self.load(str(self.row.pk))
        if self.version == seen:
            return
        self.conflict = True
        for sentence in changes_since(self.row, seen, form) if seen is not None else []:
            form.add_error(None, sentence)
        form.add_error(None, _("What you typed is kept. Look at the changes; sending it again goes over them."))
        form.renew(self.seen())

    def form_invalid(self, form: ActForm) -> HttpResponse:
        if "resource_version" in form.errors:
            self.look_again(form)
        return super().form_invalid(form)


class ReviseForm(SeenForm):
    """The values of an object as it is, and why they change. Subclasses add the fields and their paths."""

    why = Paragraph(
        max_length=2000, label=gettext_lazy("Reason"), help_text=gettext_lazy("It stays in the history for ever.")
    )

    paths = {"message": "why"}

    def clean_why(self) -> str:
        """Refuse a card number here already: a revision that changes nothing writes no reason, and refuses none."""
        why: str = self.cleaned_data["why"]
        if causes := card_numbers.causes(why, "message"):
            raise forms.ValidationError(causes[0].message)
        return why


class ReviseAction(SeenAction):
    """Replace values of an object, after a look at those that change, for a reason that the history keeps."""

    name = "revise"
    title = gettext_lazy("Revise")
    icon = "edit"
    verb = "update"
    form_class = ReviseForm
    previews = True
    revised: Any = None
    becomes: Mapping[str, Any] = {}
    """The form's values of the row as the service has revised it."""

    def values_of(self, row: Any) -> dict[str, Any]:
        """Return the form's values for `row`."""
        raise NotImplementedError

    def revise(self, values: dict[str, Any], *, actor: Actor) -> models.Model:
        """Call the service with the form's values and return the row as it is then."""
        raise NotImplementedError

    def get_initial(self) -> dict[str, Any]:
        return {**super().get_initial(), **self.values_of(self.row)}

    def call(self, values: dict[str, Any], *, actor: Actor) -> models.Model:
        self.revised = self.revise(values, actor=actor)
        # before a dry run is rolled back, since values may be of other rows
        self.becomes = self.values_of(self.revised)
        return self.revised

    def preview(self, values: dict[str, Any]) -> Facts:
        """Return the values that change, before and after, as the service would write them; then the reason."""
        changed = [
            (self._label(name), f"{self._text(name, was)} \N{RIGHTWARDS ARROW} {self._text(name, self.becomes[name])}")
            for name, was in self.values_of(self.row).items()
            if was != self.becomes[name]
        ]
        if not changed:
            return [(_("What changes"), _("nothing, so that nothing is written, and no reason either"))]
        return [*changed, (_("Reason"), values["why"])]

    def _label(self, name: str) -> str:
        return str(self.form_class.base_fields[name].label)

    def _text(self, name: str, value: Any) -> str:
        return value_text(self.form_class.base_fields[name], value)
