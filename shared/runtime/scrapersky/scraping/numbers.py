"""Phone numbers in E.164 by the numbering plans of libphonenumber. Its import takes 20 to 50 ms: only for candidates.

A national number is read by the plans of the countries that its site belongs to. What no plan makes a number, or none
is known for, cannot be dialled by who reads the result, and is no fact.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from scrapersky.scraping.number_groups import group_count, grouping
from scrapersky.scraping.phones import digits_of

# Plans of variable length, where what lacks its trunk 0 may be valid and yet be a local number without its area code.
_WITH_TRUNK_ZERO = frozenset({"DE", "AT", "FI", "SE", "JP"})
# Where national numbers are written with it, so that digits without it and without a label are something else.
_USUALLY_TRUNK_ZERO_NAMES = "FR GB NL BE CH IE NZ ZA RO HR SI RS BG SK TR UA ID MY TH VN EG MA IL AE"
_USUALLY_TRUNK_ZERO = frozenset(_USUALLY_TRUNK_ZERO_NAMES.split())
_TRUNK_ZERO = re.compile(r"\( ?0 ?\)")
_PREFIXES = re.compile(r"^\(?00(?=[1-9])\)?")
# A country code and seven digits: nothing shorter is reached from abroad.
_LEAST_DIGITS = 8
# National helplines are short and free of charge, as Childline's 0800 1111: nobody's own number.
_SHORT_CODES_END = 10_000_000
_ITALY, _BRITAIN = 39, 44
_FILLING = "1234567890"
# Germany, Austria, Finland, Sweden, Switzerland: behind the area code, people group as they like.
_FREELY_GROUPED = frozenset({49, 43, 358, 46, 41})
# Where numbers have any length, what has fewer digits than this, area code and all, is rather something else.
_ANY_LENGTH = _FREELY_GROUPED | {_ITALY}
_LEAST_DIGITS_OF_ANY_LENGTH = 9


def e164(text: str, countries: Iterable[str], *, declared: bool) -> str | None:
    """The number in E.164, else None: `text` is as written, `countries` those to try, in order.

    `declared`: a link, field or label says that it is a phone number, so that an international one, or one with its
    trunk 0, only has to be of a possible length: plans grow faster than their descriptions.
    """
    text = _PREFIXES.sub("+", text.strip())
    if text.startswith("+"):
        return _international(text, declared) or (
            _national(text[1:], countries, declared) if text[1:2] == "0" else None
        )
    return _national(text, countries, declared)


def of_only_one(text: str, countries: Iterable[str]) -> str | None:
    """The E.164 of a national number that is written to the letter as those of just one of these countries are."""
    tried = (e164(text, [country], declared=False) for country in countries)
    found = {number for number in tried if number and _grouping(text, number) == "whole"}
    return found.pop() if len(found) == 1 else None


def unlabelled(text: str, countries: Iterable[str], *, likely: bool) -> str | None:
    """The E.164 of a national number that only its form speaks for: in groups, its area code or network's first.

    One in an unlikely place, or that no plan knows yet, must be written to the letter as numbers of its kind are.
    """
    tried = list(countries)
    number = e164(text, tried, declared=False)
    if number is not None:
        found = _grouping(text, number)
        # A trunk 0, three groups and an area code that is there: hardly anything else is written so.
        likely = likely or (text.startswith(("0", "(0")) and group_count(text) > 2)
        return number if found == "whole" or (found and likely) else None
    number = e164(text, tried, declared=True) if likely else None
    return number if number is not None and _grouping(text, number) == "whole" else None


def _grouping(text: str, number: str) -> str | None:
    library = _library()
    parsed = library.parse(number, None)
    usual = library.format_number(parsed, library.PhoneNumberFormat.NATIONAL)
    free = parsed.country_code in _FREELY_GROUPED
    if parsed.country_code in _ANY_LENGTH and len(digits_of(text)) < _LEAST_DIGITS_OF_ANY_LENGTH:
        return None
    return grouping(text, usual, parsed.country_code, free=free)


@lru_cache(maxsize=4096)
def country_of(number: str) -> str | None:
    """The country that a number in E.164 belongs to."""
    library = _library()
    country: str | None = library.region_code_for_number(library.parse(number, None))
    return country


def _international(text: str, declared: bool) -> str | None:
    # "+49 (0)30": the zero falls away; but not in Italy's plan, where it is a part of the number.
    spellings = dict.fromkeys((_TRUNK_ZERO.sub("", text), _TRUNK_ZERO.sub("0", text)))
    for lenient in (False, True) if declared else (False,):
        for spelling in spellings:
            if number := _number(spelling, None, lenient):
                return number
    return None


def _national(text: str, countries: Iterable[str], declared: bool) -> str | None:
    tried = list(countries)
    text = _TRUNK_ZERO.sub("0", text)
    for lenient in (False, True) if declared and digits_of(text).startswith("0") else (False,):
        for country in tried[:1] if lenient else tried:
            needs_zero = country in _WITH_TRUNK_ZERO or (not declared and country in _USUALLY_TRUNK_ZERO)
            if needs_zero and not digits_of(text).startswith("0"):
                if number := _with_country_code(text, country):
                    return number
                continue
            if number := _number(text, country, lenient):
                return number
    return None


def _with_country_code(text: str, country: str) -> str | None:
    """`49 30 1234567`: an international number whose `+` was forgotten."""
    library = _library()
    code = str(library.country_code_for_region(country))
    return _number(f"+{text.lstrip('(')}", None, False) if digits_of(text).startswith(code) else None


@lru_cache(maxsize=4096)
def _number(text: str, country: str | None, lenient: bool) -> str | None:
    library = _library()
    if country is not None and country not in library.SUPPORTED_REGIONS:
        return None
    try:
        parsed = library.parse(text, country)
    except library.NumberParseException:
        return None
    if not library.is_valid_number(parsed):
        reason = library.is_possible_number_with_reason(parsed)
        # North America's plan is complete: what it does not know are the numbers of templates, 555-555-5555.
        if not lenient or reason != library.ValidationResult.IS_POSSIBLE or parsed.country_code == 1:
            return None
        if parsed.italian_leading_zero and parsed.country_code != _ITALY:
            return None
        if str(parsed.national_number) in _FILLING:
            return None
    kind = library.number_type(parsed)
    if kind == library.PhoneNumberType.PREMIUM_RATE and not _is_british_service(parsed):
        return None
    if kind == library.PhoneNumberType.TOLL_FREE and parsed.national_number < _SHORT_CODES_END:
        return None
    parsed.extension = None
    number: str = library.format_number(parsed, library.PhoneNumberFormat.E164)
    return number if len(number) > _LEAST_DIGITS else None


def _is_british_service(parsed: Any) -> bool:
    """084 and 087 cost more than a local call, but are what many British companies have for their customers."""
    return bool(parsed.country_code == _BRITAIN and str(parsed.national_number)[:2] in ("84", "87"))


def _library() -> Any:
    import phonenumbers

    return phonenumbers
