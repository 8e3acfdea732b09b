"""Languages of invoices, as BCP 47 tags."""

import re
from functools import cache

import langcodes
from langcodes.registry_parser import parse_registry
from langcodes.tag_parser import LanguageTagError

# CLDR, and so langcodes, distinguishes Bokmål and Nynorsk; for invoices they are one language
_WRITTEN_FORMS = {"nb": "no", "nn": "no"}
# "Private use" in the IANA registry of language subtags, except XK, which CLDR and the EU use for Kosovo
_PRIVATE_LANGUAGE = re.compile(r"q[a-t][a-z]")
_PRIVATE_REGION = re.compile(r"AA|Q[M-Z]|X[A-JL-Z]|ZZ")
# scripts of private use, of symbols, unwritten and unknown ones
_NO_SCRIPT = re.compile(r"Qa[a-b][a-x]|Z(inh|mth|sye|sym|xxx|yyy|zzz)")
# extensions registered with the IANA: locales (RFC 6067) and transformed content (RFC 6497)
_EXTENSIONS = ("u-", "t-")


def canonical(tag: str) -> str | None:
    """Return the canonical form of a BCP 47 tag (`fr-CA` for `fr-ca`); None if no invoice can be written in it.

    That is so for invalid tags, for codes of no language (`und`, `mul`, `mis`, `zxx`, `root`), for families of
    languages (`gem`, `art`), and for languages, scripts and regions of private use (`qaa`, `x-ours`, `de-Qaaa`,
    `de-ZZ`).
    """
    if "_" in tag or tag.lower().startswith("x-"):
        return None
    try:
        written = langcodes.standardize_tag(tag) if langcodes.tag_is_valid(tag) else ""
        return written if written and _is_written(langcodes.get(written)) else None
    except LanguageTagError:
        return None


def _is_written(language: langcodes.Language) -> bool:
    code, private = language.language or "und", language.private or ""
    return not (
        code in _no_languages()
        or _PRIVATE_LANGUAGE.fullmatch(code)
        or _NO_SCRIPT.fullmatch(language.script or "")
        or _PRIVATE_REGION.fullmatch(language.territory or "")
        # i-default and other grandfathered tags without a language
        or private.startswith("x-i-")
        or not all(extension.startswith(_EXTENSIONS) for extension in language.extensions or ())
    )


@cache
def _no_languages() -> frozenset[str]:
    """Return the language subtags of the IANA registry that are special codes or families."""
    return frozenset(
        entry["Subtag"]
        for entry in parse_registry()  # type: ignore[no-untyped-call]
        if entry["Type"] == "language" and entry.get("Scope") in ("special", "collection")
    )


@cache
def spoken(tag: str) -> str:
    """Return the language of a valid tag without script and region: `zh` for `cmn-Hans-CN`, `no` for `nb-NO`."""
    language = langcodes.get(tag).prefer_macrolanguage().language or "und"
    return _WRITTEN_FORMS.get(language, language)
