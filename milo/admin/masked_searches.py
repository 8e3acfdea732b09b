"""Searches of whoever reads masks: a part of a masked value finds nothing, a whole value its rows, which is noted."""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Model, Q, QuerySet

from milo import personal
from milo.admin import searches


def masked_columns(model: type[Model]) -> set[str]:
    """Return the columns of `model` that the answer being made masks.

    A model of a library declares no `columns`; its admin names them in `masked_search_fields`.
    """
    if not personal.hides():
        return set()
    columns: Any = getattr(model, "columns", None)
    of_library = getattr(admin.site.get_model_admin(model), "masked_search_fields", ())
    return {*of_library, *(columns.masked if columns else ())}


def partly_masked(model: type[Model]) -> dict[str, Q]:
    """Return the JSON columns of which the answer being made masks a part, each with the rows that have such a part."""
    columns: Any = getattr(model, "columns", None)
    rows: dict[str, Q] = {}
    if personal.hides() and columns:
        for column, key in columns.keys:
            rows[column] = rows.get(column, Q(pk__in=[])) | Q(**{f"{column}__icontains": json.dumps(key)})
    return rows


def whole_value(rows: QuerySet[Any], names: Sequence[str], text: str) -> Q:
    """Return the condition that `text` is a whole value of one of the columns; that one of `rows` has it is noted."""
    whole = searches.whole(rows.model, names, text)
    note_if_found(rows.filter(whole), names, text)
    return whole


def note_if_found(rows: QuerySet[Any], names: Sequence[str], text: str) -> None:
    """Note that the answer tells that `text` is a value of the columns `names`, if there are such rows."""
    if rows.exists():
        personal.confirm(f"{rows.model._meta.model_name}.{', '.join(names)}", text)
