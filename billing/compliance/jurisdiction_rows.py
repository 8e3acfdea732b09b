"""Parse the rows of `data/jurisdictions.csv`."""

import re
from collections.abc import Collection

import langcodes

from billing.compliance.findings import Confidence
from billing.compliance.jurisdictions import (
    COUNTRIES,
    Group,
    Jurisdiction,
    ResidencyMode,
    RetentionStart,
    TaxIdRequirement,
    TermCap,
)
from billing.compliance.languages import spoken
from billing.compliance.table import Row
from billing.currencies import ALLOWED

COLUMNS = (
    "country effective_from name group currency tax_id_name "
    "b2b_tax_id_required einvoice_mandatory einvoice_optional einvoice_required_ids peppol_eas "
    "language_default language_rule retention_years retention_books_years retention_start retention_note "
    "residency_mode residency_home_region residency_allowed residency_note max_net_days_b2b max_net_kind max_net_note "
    "max_net_days_public late_interest recovery_fee conf_tax conf_einv conf_ret conf_res conf_net unsourced "
    "sources"
).split()

# the groups of columns that each word of the column `unsourced` means; empty: columns that no rule reads
_UNSOURCED: dict[str, tuple[Group, ...]] = {
    **{str(group): (group,) for group in Group},
    "all": tuple(Group),
    "einv_date": (Group.EINVOICE,),
    "net30": (Group.TERMS,),
    "net_public": (Group.TERMS,),
    "res detail": (Group.RESIDENCY,),
    "RBI circular text": (Group.RESIDENCY,),
    "adequacy": (Group.RESIDENCY,),
    "threshold": (Group.TAX_REQUIREMENT,),
    "tin format": (),
    "current record act": (Group.RETENTION,),
    "interest": (),
    "14.6%": (),
    "fee": (),
    "fee_bands_ok": (),
    "state rules": (),
}
# languages named in the column `language_rule`, with the codes that `languages.spoken` returns
_LANGUAGES = {
    "ARABIC": "ar", "CHINESE": "zh", "DANISH": "da", "DUTCH": "nl", "ENGLISH": "en", "FRENCH": "fr", "HEBREW": "he",
    "INDONESIAN": "id", "KOREAN": "ko", "MALAY": "ms", "MAORI": "mi", "NORWEGIAN": "no", "PORTUGUESE": "pt",
    "SPANISH": "es", "SWEDISH": "sv", "THAI": "th", "TURKISH": "tr", "VIETNAMESE": "vi",
}  # fmt: skip
_CONDITION = re.compile(
    r"ANY|ANY_WITH_(SAFEGUARD|FILING|[A-Z]{2}_COPY|[A-Z]{2}_TERMINAL)|APPROVED_OFFSHORE|US_DPF[A-Z_]*"
)


def jurisdiction(
    row: Row, sources: Collection[str], formats: Collection[str], regions: Collection[str]
) -> Jurisdiction:
    """Return a validated row. It may refer to keys of `sources`, `formats` and `regions`. Raises `BrokenData`."""
    allowed = row.items("residency_allowed", "|")
    conditions = tuple(code for code in allowed if _CONDITION.fullmatch(code))
    if unknown := [code for code in allowed if code not in regions and code not in conditions]:
        raise row.broken("residency_allowed", f"{unknown[0]!r} is unknown")
    cap, most = row.member("max_net_kind", TermCap), row.optional_number_in("max_net_days_b2b", 1, 365)
    if (cap is TermCap.NONE and most is not None) or (cap in (TermCap.HARD, TermCap.HARD_CONDITIONAL) and most is None):
        raise row.broken("max_net_days_b2b", f"does not fit a cap of kind {cap}")
    confidences = {
        Group.TAX_REQUIREMENT: row.member("conf_tax", Confidence),
        Group.EINVOICE: row.member("conf_einv", Confidence),
        Group.RETENTION: row.member("conf_ret", Confidence),
        Group.RESIDENCY: row.member("conf_res", Confidence),
        Group.TERMS: row.member("conf_net", Confidence),
    }
    languages = _language_tags(row)
    return Jurisdiction(
        country=row.known("country", COUNTRIES),
        effective_from=row.optional_day("effective_from"),
        name=row.required("name"),
        in_eu=row.known("group", ("EU", "EEA", "NON_EU")) == "EU",
        currency=row.known("currency", ALLOWED),
        tax_id_name=row.required("tax_id_name"),
        tax_id_requirement=row.member("b2b_tax_id_required", TaxIdRequirement),
        einvoice_formats=_formats(row, formats),
        peppol_schemes=_peppol_schemes(row),
        default_languages=languages,
        language_rule=row.required("language_rule"),
        invoice_languages=_invoice_languages(row, languages),
        retention_years=row.number_in("retention_years", 1, 100),
        retention_books_years=row.optional_number_in("retention_books_years", 1, 100),
        retention_start=row.member("retention_start", RetentionStart),
        residency_mode=row.member("residency_mode", ResidencyMode),
        residency_home=home_region(row),
        residency_regions=frozenset(allowed) - frozenset(conditions),
        residency_conditions=conditions,
        residency_note=row.text("residency_note"),
        term_cap=cap,
        max_net_days=most,
        max_net_days_public=row.optional_number_in("max_net_days_public", 1, 365),
        max_net_note=row.text("max_net_note"),
        confidences=confidences,
        unsourced=_unsourced(row),
        sources=row.items("sources", ";", sources),
    )


def home_region(row: Row) -> str:
    """Return the home region of a country's records: `EU`, `UK`, or the country itself."""
    region = row.required("residency_home_region")
    if not re.fullmatch(r"[A-Z]{2}", region):
        raise row.broken("residency_home_region", f"{region!r} is no region of 2 capitals")
    return region


def _formats(row: Row, formats: Collection[str]) -> tuple[str, ...]:
    names = tuple(part.split(" (")[0] for part in row.items("einvoice_optional", ";"))
    if unknown := [name for name in names if name not in formats]:
        raise row.broken("einvoice_optional", f"{unknown[0]!r} is unknown")
    return names


def _peppol_schemes(row: Row) -> tuple[str, ...]:
    schemes = row.items("peppol_eas", "|")
    if wrong := [scheme for scheme in schemes if not re.fullmatch("[0-9]{4}", scheme)]:
        raise row.broken("peppol_eas", f"{wrong[0]!r} is no scheme of 4 digits")
    return schemes


def _language_tags(row: Row) -> tuple[str, ...]:
    tags = row.items("language_default", "|")
    if wrong := [tag for tag in tags if not langcodes.tag_is_valid(tag)]:
        raise row.broken("language_default", f"{wrong[0]!r} is no BCP 47 tag")
    return tags


def _invoice_languages(row: Row, tags: tuple[str, ...]) -> frozenset[str]:
    """Return the languages that a rule allows: those of the country and those it names; empty if there is no rule."""
    rule = row.required("language_rule").upper()
    if rule.startswith("NONE"):
        return frozenset()
    named = {code for word, code in _LANGUAGES.items() if re.search(rf"\b{word}\b", rule)}
    if not named:
        raise row.broken("language_rule", "names no known language")
    return frozenset(spoken(tag) for tag in tags) | named


def _unsourced(row: Row) -> frozenset[Group]:
    # a remark in brackets is about contradicting sources, not about a missing one
    cell = re.sub(r"\s*\(.*?\)", "", row.text("unsourced"))
    words = cell.split(",") if cell else []
    if unknown := [word for word in words if word not in _UNSOURCED]:
        raise row.broken("unsourced", f"{unknown[0]!r} names no known group of columns")
    return frozenset(group for word in words for group in _UNSOURCED[word])
