"""Places in a list that is merged from several sources, newest first, and in one source after another at an instant."""

from datetime import datetime
from typing import Any

from django.db.models import Q


def behind(place: tuple[datetime, Any, int], source: Any, time: str, key: str) -> Q:
    """Return the condition for rows of `source` behind `place`: its instant (UTC), its source and its key there.

    Sources are compared as they are ordered. `time` and `key` are columns of `source`; the highest key comes first.
    """
    at, its_source, number = place
    if source > its_source:
        return Q(**{f"{time}__lte": at})
    earlier = Q(**{f"{time}__lt": at})
    return earlier | Q(**{time: at, f"{key}__lt": number}) if source == its_source else earlier
