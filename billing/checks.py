"""The system check of the settings for regional rules, the verifier and the archive."""

from collections.abc import Iterator

from django.conf import settings
from django.core.files.storage import storages
from django.utils.module_loading import import_string

from billing.compliance.dataset import data
from billing.compliance.jurisdictions import COUNTRIES
from milo.settings import checks


@checks.register("milo.E004")
def faults() -> Iterator[str]:
    """Yield a message for each setting that names an unknown country, region, class or storage."""
    country = settings.MILO_PLATFORM_COUNTRY
    if country and country not in COUNTRIES:
        yield f"MILO_PLATFORM_COUNTRY must be an ISO 3166-1 alpha-2 code such as DE, not {country!r}"
    for region in settings.MILO_DATA_REGIONS:
        if region not in data().regions | COUNTRIES:
            regions = ", ".join(sorted(data().regions - COUNTRIES))
            yield f"MILO_DATA_REGIONS must name regions ({regions}) or ISO 3166-1 countries, not {region!r}"
    yield from _faults_of_verifier(settings.MILO_PAYMENT_PROFILE_VERIFIER)
    try:
        _ = storages["archive"]
    except Exception as error:
        # storages raise exceptions of their own for wrong options
        yield f"MILO_ARCHIVE_STORAGE and MILO_ARCHIVE_OPTIONS make no storage: {error}"


def _faults_of_verifier(path: str) -> Iterator[str]:
    try:
        verifier = import_string(path)()
    except Exception as error:
        yield f"MILO_PAYMENT_PROFILE_VERIFIER must name a class that is made without arguments, not {path!r}: {error}"
    else:
        if not callable(getattr(verifier, "verify", None)):
            yield f"MILO_PAYMENT_PROFILE_VERIFIER must name a class with a method verify, not {path!r}"
