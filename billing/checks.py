"""The check of the settings that regional rules and the verifier read: a fault is found at the start."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from billing.compliance.dataset import data
from billing.compliance.jurisdictions import COUNTRIES


@checks.register
def check_settings(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """`manage.py check`: an error for each setting that names what there is not."""
    return [checks.Error(fault, id="milo.E004") for fault in _faults()]


def _faults() -> Iterator[str]:
    country = settings.MILO_PLATFORM_COUNTRY
    if country and country not in COUNTRIES:
        yield f"MILO_PLATFORM_COUNTRY must be an ISO 3166-1 alpha-2 code, as DE, not {country!r}"
    regions = ", ".join(sorted(data().regions - COUNTRIES))
    for region in settings.MILO_DATA_REGIONS:
        if region not in data().regions | COUNTRIES:
            yield f"MILO_DATA_REGIONS must name regions ({regions}) or ISO 3166-1 countries, not {region!r}"
    try:
        import_string(settings.MILO_PAYMENT_PROFILE_VERIFIER)
    except ImportError as error:
        yield f"MILO_PAYMENT_PROFILE_VERIFIER: {error}"
