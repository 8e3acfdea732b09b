"""Forms and form fields of service actions. Refusals of the service appear at the fields that they name."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import NON_FIELD_ERRORS
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from milo.admin.masking import MaskedErrors, is_masked
from milo.admin.messages import in_their_format, refusal_text
from milo.admin.panels import moment
from milo.admin.wording import in_words, readable
from milo.errors import Cause, Refused

_INDEX = re.compile(r"\[(\d+)\]")

Fieldsets = Sequence[tuple[Any, dict[str, Any]]]


class ActForm(forms.Form):
    """The form of an action on `row` (None for an action of a list). `paths` maps manifest paths to field names.

    `fieldsets` group the fields as those of a ModelAdmin do; without them the fields are listed in their order. Of
    `conditional_fields` each has an expression of Alpine, in which fields are named, and is shown while it holds. Both
    are rendered by unfold.
    """

    paths: Mapping[str, str] = {}
    fieldsets: Fieldsets = ()
    conditional_fields: Mapping[str, str] = {}

    def __init__(self, *args: Any, row: models.Model | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **{"error_class": MaskedErrors} | kwargs)
        self.row = row

    def clean(self) -> dict[str, Any]:
        """Refuse values with masked card numbers, which come from a refused form and would be saved with the stars."""
        values = super().clean() or {}
        for name in [name for name, value in values.items() if is_masked(value)]:
            self.add_error(name, _("Type this again: what looked like a card number was replaced by stars."))
        return values

    @property
    def adminform(self) -> AdminForm:
        """Return the form in its fieldsets, without the fields that it lacks, as unfold's templates expect it."""
        fieldsets = [
            (title, {**options, "fields": [line for line in map(self._line, options["fields"]) if line]})
            for title, options in self.fieldsets
        ]
        # the templates ask a ModelAdmin for nothing but conditions
        return AdminForm(self, fieldsets, {}, model_admin=self)  # type: ignore[arg-type]

    def _line(self, names: str | tuple[str, ...]) -> list[str]:
        return [name for name in ((names,) if isinstance(names, str) else names) if name in self.fields]

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal: each cause at its field if the form has it, else above the form."""
        self.add_error(None, refusal_text(refusal.message))
        for cause in refusal.causes:
            field = self._field_of(cause)
            message = self._message(cause) if field else f"{in_words(cause.field)}: {refusal_text(cause.message)}"
            # a text may be both a column and the message of the change
            if message not in self.errors.get(field or NON_FIELD_ERRORS, []):
                self.add_error(field, message)

    def _field_of(self, cause: Cause) -> str | None:
        """Return the field with the path of the cause, or with the nearest path above it."""
        path = _INDEX.sub("", cause.field)
        while path:
            if self.paths.get(path) in self.fields:
                return self.paths[path]
            path = path.rpartition(".")[0]
        return None

    @staticmethod
    def _message(cause: Cause) -> str:
        index = _INDEX.search(cause.field)
        message = refusal_text(cause.message)
        return f"{int(index[1]) + 1}: {message}" if index else message


def refuse_backwards(form: forms.BaseForm, first: str, last: str) -> None:
    """Add an error to the field `last` of a form if its day or instant is before that of `first`."""
    since, until = (form.cleaned_data.get(name) for name in (first, last))
    if since and until and until < since:
        form.add_error(last, _("This is before the beginning: exchange the two."))


def value_text(field: forms.Field, value: Any) -> str:
    """Return a value of a field on one line, choices by their labels, rows by their names, days as people read.

    A dash if it is empty.
    """
    choices = dict(getattr(field, "choices", ()))

    def text(scalar: Any) -> str:
        if isinstance(field, Day):
            return in_their_format(str(scalar))
        if isinstance(scalar, datetime):
            return moment(scalar)
        if isinstance(scalar, models.Model):
            return str(scalar)
        return str(choices.get(scalar) or field.prepare_value(scalar))

    return readable(value, text=text)


class Text(forms.CharField):
    widget = UnfoldAdminTextInputWidget


class Paragraph(forms.CharField):
    """A text in a field of several lines."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 4})


class Number(forms.IntegerField):
    widget = UnfoldAdminIntegerFieldWidget


class Percent(forms.DecimalField):
    """A percentage, to 4 decimal places."""

    widget = UnfoldAdminDecimalFieldWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 7, "decimal_places": 4} | kwargs)

    def prepare_value(self, value: Any) -> Any:
        # without the trailing zeros that the column adds
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class Tick(forms.BooleanField):
    """Yes or no."""

    widget = UnfoldBooleanWidget


class Select(forms.ChoiceField):
    widget = UnfoldAdminSelectWidget


class SearchedSelect(forms.ChoiceField):
    """One of many choices that the page holds, in a list that is searched by typing."""

    widget = UnfoldAdminSelect2Widget


class Choices(forms.MultipleChoiceField):
    """Any number of a few choices, as check boxes."""

    widget = UnfoldAdminCheckboxSelectMultipleWidget


class InstantInput(UnfoldAdminTextInputWidget):
    input_type = "datetime-local"


class DayInput(UnfoldAdminTextInputWidget):
    input_type = "date"


class Day(forms.DateField):
    """A calendar day."""

    widget = DayInput


class Instant(forms.DateTimeField):
    """An instant in UTC, to the minute, whatever the zone in which pages are shown."""

    widget = InstantInput

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(UTC):
            return super().to_python(value)

    def prepare_value(self, value: Any) -> Any:
        with timezone.override(UTC):
            return super().prepare_value(value)


class Lines(forms.CharField):
    """A list of texts, one per line. Empty lines are dropped."""

    of_lines = True
    widget = UnfoldAdminTextareaWidget(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]
