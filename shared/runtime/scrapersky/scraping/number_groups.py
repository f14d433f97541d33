"""Whether digits are grouped as phone numbers are: what tells them from ids and amounts where no label does."""

import re
from itertools import accumulate

_DIGITS = re.compile(r"\d+")
# What follows an area code or a mobile network's digits, by the groups' lengths. Ids end in other ways: 522-3229-576.
_TAILS = frozenset(
    {
        *((6,), (7,), (3, 3), (3, 4), (4, 4), (2, 2, 2), (3, 2, 2), (2, 2, 2, 2), (3, 3, 3)),
    }
)
# Nine digits without an area code of its own, as in Spain, Poland and the Czech Republic.
_NINE_DIGITS = frozenset({(3, 3, 3), (3, 2, 2, 2), (2, 3, 2, 2)})


def grouping(written: str, usual: str, country_code: int, *, free: bool) -> str | None:
    """`whole` when grouped just like `usual`, the library's spelling; `usual` when people group so too; else None.

    Both are national. `free`: a plan of variable length, in which everybody groups as they like behind the area code.
    """
    groups, expected = _groups(written, country_code), _groups(usual, country_code)
    if len(groups) < 2 or not expected:
        return None
    if groups == expected:
        return "whole"
    # Where the area code ends, a group ends.
    splits_area = len(expected[0]) in accumulate(len(group) for group in groups)
    if free:
        return "usual" if splits_area else None
    lengths = tuple(map(len, groups))
    is_usual = lengths in _NINE_DIGITS or (lengths[1:] in _TAILS and (splits_area or groups[0].startswith("0")))
    return "usual" if is_usual else None


def group_count(written: str) -> int:
    """How many groups of digits there are."""
    return len(_DIGITS.findall(written))


def _groups(text: str, country_code: int) -> list[str]:
    """The groups, without North America's trunk 1 and with a trunk 0 joined to its area code: "0 805 123 456"."""
    groups = _DIGITS.findall(text)
    if len(groups) > 1 and groups[0] == "0":
        groups = [groups[0] + groups[1], *groups[2:]]
    if len(groups) > 2 and groups[0] == "1" and country_code == 1:
        groups = groups[1:]
    return groups
