"""Many short texts looked for in one long one, which seldom has any of them."""

import string
from collections.abc import Iterable, Iterator
from typing import Final, Generic, TypeVar

_Meaning = TypeVar("_Meaning")

# The characters that scripts are seldom made of, and the names of software often: an eighth of a script is left.
_RARE: Final = f"{string.ascii_uppercase}_gjkmpqvwxyz".encode()
_COMMON: Final = bytes(code for code in range(256) if code not in _RARE)


class Pieces(Generic[_Meaning]):
    """Pieces of text, each with what it stands for.

    A text that has a piece has, without its common characters, what is left of the piece without them. That is looked
    for first, in a text that is so much shorter.
    """

    def __init__(self, meanings: Iterable[tuple[str, _Meaning]]) -> None:
        self._meanings = [(_rare(piece), piece, meaning) for piece, meaning in meanings]

    def found_in(self, text: str) -> Iterator[tuple[str, _Meaning]]:
        """Each piece that is in the text, with its meaning, in their own order."""
        rare = _rare(text)
        for trace, piece, meaning in self._meanings:
            if trace in rare and piece in text:
                yield piece, meaning


def _rare(text: str) -> bytes:
    return text.encode("utf-8", "replace").translate(None, _COMMON)
