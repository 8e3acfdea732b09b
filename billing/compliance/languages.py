"""Languages of invoices, as BCP 47 tags."""

from functools import cache

import langcodes
from langcodes.tag_parser import LanguageTagError

# CLDR, which langcodes follows, keeps the two written forms apart; who reads one reads the other
_WRITTEN_FORMS = {"nb": "no", "nn": "no"}


def canonical(tag: str) -> str | None:
    """The tag as BCP 47 writes it (`fr-ca` becomes `fr-CA`); None where it is not one that names a known language."""
    # a private tag names no language that anybody else knows
    if "_" in tag or tag.lower().startswith("x-"):
        return None
    try:
        return langcodes.standardize_tag(tag) if langcodes.tag_is_valid(tag) else None
    except LanguageTagError:
        return None


@cache
def spoken(tag: str) -> str:
    """The language of a valid tag without script and region: `zh` for `cmn-Hans-CN`, `no` for `nb-NO`."""
    language = langcodes.get(tag).prefer_macrolanguage().language or "und"
    return _WRITTEN_FORMS.get(language, language)
