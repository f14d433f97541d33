"""Which country's numbering plan a site's national phone numbers belong to, by what the site shows of its country.

Countries are ISO 3166 alpha-2 codes, upper case, as `phonenumbers` names its regions.
"""

import re
from collections.abc import Iterable, Iterator

from scrapersky.scraping.words import words

_DOMAIN_COUNTRY = {"uk": "GB", "su": "RU"}
# Cities and regions with a top-level domain of their own (IANA root zone database).
_PLACE_DOMAINS = {
    **dict.fromkeys(("berlin", "hamburg", "koeln", "cologne", "bayern", "ruhr", "nrw", "saarland"), "DE"),
    **dict.fromkeys(("wien", "tirol"), "AT"),
    **dict.fromkeys(("swiss", "zuerich"), "CH"),
    **dict.fromkeys(("paris", "bzh", "alsace", "corsica"), "FR"),
    **dict.fromkeys(("london", "scot", "wales", "cymru"), "GB"),
    **dict.fromkeys(("nyc", "boston", "miami", "vegas"), "US"),
    **dict.fromkeys(("amsterdam", "frl"), "NL"),
    **dict.fromkeys(("brussels", "vlaanderen", "gent"), "BE"),
    **dict.fromkeys(("barcelona", "madrid", "cat", "eus", "gal"), "ES"),
    **dict.fromkeys(("istanbul", "ist"), "TR"),
    **dict.fromkeys(("tokyo", "osaka", "kyoto", "nagoya", "yokohama", "okinawa"), "JP"),
    **dict.fromkeys(("sydney", "melbourne"), "AU"),
    **dict.fromkeys(("rio",), "BR"),
    **dict.fromkeys(("moscow", "tatar"), "RU"),
    **dict.fromkeys(("kiwi",), "NZ"),
    **dict.fromkeys(("quebec",), "CA"),
    **dict.fromkeys(("capetown", "durban", "joburg"), "ZA"),
}
# Where most who write the language on a site without a country live. English, Spanish, Portuguese and Arabic have no
# such country beyond doubt: what they stand for here must still be valid there to the digit.
_LANGUAGES = (
    "de:DE fr:FR it:IT nl:NL pl:PL sv:SE cs:CZ tr:TR ja:JP da:DK fi:FI nb:NO nn:NO no:NO hu:HU ro:RO el:GR sk:SK he:IL "
    "ko:KR uk:UA bg:BG hr:HR sl:SI lt:LT lv:LV et:EE ru:RU th:TH vi:VN ca:ES eu:ES gl:ES zh:CN fa:IR hi:IN en:US es:ES "
    "pt:PT is:IS sq:AL sr:RS mk:MK ka:GE hy:AM id:ID ms:MY mt:MT"
)
_LANGUAGE_COUNTRY = dict(pair.split(":") for pair in _LANGUAGES.split())

# Of several countries of one language that a number may be in, none is the likeliest.
_SHARED = {
    "US": ("GB", "IE", "AU", "NZ", "ZA", "IN", "SG"),
    "ES": ("MX", "AR", "CO", "CL", "PE"),
    "PT": ("BR",),
    "FR": ("BE", "CH"),
    "DE": ("AT", "CH"),
}

# How sites write their country in an address: in English, in its own languages, by ISO code.
_NAMES = {
    "DE": "deutschland germany allemagne alemania germania duitsland deu",
    "AT": "österreich austria autriche aut",
    "CH": "schweiz suisse svizzera switzerland che",
    "FR": "france frankreich francia fra",
    "GB": "england scotland wales uk gbr britain united-kingdom great-britain northern-ireland",
    "IE": "ireland éire irl",
    "US": "usa united-states united-states-of-america",
    "CA": "canada can",
    "AU": "australia aus",
    "NZ": "new-zealand nzl",
    "IN": "india ind bharat",
    "ES": "españa spain spanien espagne esp",
    "IT": "italia italy italien italie ita",
    "PT": "portugal prt",
    "BR": "brasil brazil brasilien bra",
    "MX": "méxico mexico mex",
    "AR": "argentina arg",
    "CL": "chile chl",
    "CO": "colombia col",
    "NL": "nederland netherlands niederlande the-netherlands nld",
    "BE": "belgië belgique belgium belgien bel",
    "LU": "luxembourg luxemburg lux",
    "PL": "polska poland polen pol",
    "CZ": "česko czechia czech-republic česká-republika tschechien cze",
    "SK": "slovensko slovakia svk",
    "HU": "magyarország hungary ungarn hun",
    "SE": "sverige sweden schweden swe",
    "NO": "norge norway norwegen nor",
    "DK": "danmark denmark dänemark dnk",
    "FI": "suomi finland finnland fin",
    "TR": "türkiye turkey türkei tur",
    "GR": "ελλάδα greece griechenland grc",
    "RO": "românia romania rumänien rou",
    "JP": "日本 japan jpn",
    "KR": "대한민국 south-korea kor",
    "CN": "中国 china chn",
    "SG": "singapore sgp",
    "HK": "香港 hong-kong hkg",
    "ZA": "south-africa zaf",
    "AE": "uae united-arab-emirates dubai abu-dhabi are",
    "IL": "ישראל israel isr",
}
_COUNTRY_OF = {name.replace("-", " "): code for code, names in _NAMES.items() for name in names.split()}
_WHOLE_NAMES = sorted((name for name in _COUNTRY_OF if len(name) > 3), key=len, reverse=True)
_ADDRESS = re.compile(
    r"\b(?:(?P<name>(?i:" + "|".join(map(re.escape, _WHOLE_NAMES)) + r")|UK|USA|UAE)\b"
    # A British postcode, a Canadian one, and a state with its ZIP code.
    r"|(?P<GB>[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})\b|(?P<CA>[A-Z]\d[A-Z] \d[A-Z]\d)\b"
    r"|(?P<US>[A-Z]{2},? \d{5}(?:-\d{4})?)\b)"
)
_ANY_WORD = re.compile(r"\w+")
_FIRST_WORDS = frozenset(word[0] for name in _WHOLE_NAMES if (word := _ANY_WORD.match(name)))
# Scripts of one country's language each: kana among Chinese characters, and Hangul. A page is in one when half of its
# letters are: a link to another language's pages has a few.
_EASTERN = re.compile(r"[\u3041-\u30fa\u30fc-\u30ff\uff66-\uff9f\uac00-\ud7a3]")
_KANA = re.compile(r"[\u3041-\u30fa\u30fc-\u30ff\uff66-\uff9f]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_SCRIPT_CHARS = 10_000  # of a page's text, enough to tell its script
_LEAST_KANA = 0.1  # of Japanese text: a Chinese one has some as an ornament
_LANGUAGES_OF_SCRIPT = {"ja": "JP", "ko": "KR"}
# An address and its number stand together in a footer; further off begins another office's.
_NEAR_CHARS = 250


def country_of_domain(domain: str) -> str | None:
    """The country that a domain's ending stands for, when it stands for one."""
    ending = domain.rpartition(".")[2].lower()
    if ending in _PLACE_DOMAINS:
        return _PLACE_DOMAINS[ending]
    if len(ending) != 2 or not ending.isascii() or ending in words("worldwide_domain"):
        return None
    return _DOMAIN_COUNTRY.get(ending, ending.upper())


def country_named(text: str) -> str | None:
    """The country of an address field: an ISO code, or a name in its own language or English."""
    text = text.strip()
    if len(text) == 2 and text.isascii() and text.isalpha():
        return {"UK": "GB"}.get(text.upper(), text.upper())
    return _COUNTRY_OF.get(text.lower())


def country_near(text: str, start: int, end: int) -> str | None:
    """The country that an address around `text[start:end]` names: the last one before it, else the first one after."""
    before = list(_addresses(text, max(0, start - _NEAR_CHARS), start))
    match = before[-1] if before else next(_addresses(text, end, end + _NEAR_CHARS), None)
    if match is None:
        return None
    return _COUNTRY_OF[match["name"].lower()] if match["name"] else match.lastgroup


def _addresses(text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """Matches of _ADDRESS, tried only at words that can begin one: hundreds of names are slow to try at each."""
    for word in _ANY_WORD.finditer(text, start, end):
        can_begin = word[0].lower() in _FIRST_WORDS or (len(word[0]) <= 4 and word[0].isupper())
        if can_begin and (match := _ADDRESS.match(text, word.start(), end)):
            yield match


def country_of_script(text: str, language: str | None) -> str | None:
    """The country whose people write as a page does: Japan or South Korea by the script, else by the language tag."""
    sample = "" if text.isascii() else text[:_SCRIPT_CHARS]
    if _EASTERN.search(sample):
        letters = sum(map(str.isalpha, sample))
        kana, hangul = len(_KANA.findall(sample)), len(_HANGUL.findall(sample))
        chinese = len(_CHINESE.findall(sample)) if kana else 0
        if hangul and 2 * hangul >= letters:
            return "KR"
        if kana and kana >= _LEAST_KANA * (kana + chinese) and 2 * (kana + chinese) >= letters:
            return "JP"
    return _LANGUAGES_OF_SCRIPT.get((language or "").replace("_", "-").partition("-")[0].lower())


def in_order(
    domain: str, *, languages: Iterable[str | None], countries: Iterable[str | None], dialled: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Countries to try for a number without one, each once: those that the site gives itself, and those only guessed.

    `languages` are tags (BCP 47), `countries` those of its addresses as written, `dialled` those that its
    international numbers are in. Where a domain, an address or a language tag names a country, none is guessed.
    """
    tags = [tag.replace("_", "-").split("-") for tag in languages if tag]
    own = country_of_domain(domain)
    addresses = [code for name in countries if name and (code := country_named(name))]
    # What a shop system or theme is set to at first says little of who set it up.
    of_languages = [code for tag in tags if (code := _country_of_tag(tag)) and tag != ["en", "US"]]
    given = list(dict.fromkeys([*([own] if own else []), *addresses, *of_languages, *dialled]))
    spoken = [code for tag in tags if (code := _LANGUAGE_COUNTRY.get(tag[0].lower()))]
    # A page without a language is English more often than not.
    guessed = [] if given else list(dict.fromkeys(spoken or ["US"]))
    return given, guessed


def sharing(guessed: Iterable[str]) -> list[str]:
    """Other countries that write in the languages which stand for these."""
    return [other for country in guessed for other in _SHARED.get(country, ())]


def _country_of_tag(tag: list[str]) -> str | None:
    return next((part.upper() for part in tag[1:] if len(part) == 2 and part.isalpha()), None)
