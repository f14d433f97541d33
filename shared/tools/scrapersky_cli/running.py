"""Where the stack that `scrapersky up` runs keeps its state, told to the other shells of the same user.

It is one line in a file of the user's own (XDG Base Directory Specification: `$XDG_STATE_HOME`, else
`~/.local/state`), there while the stack runs. Of two stacks at once the later one is found; the other by --data-dir.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


def _file(environ: Mapping[str, str]) -> Path | None:
    """None for a user who has neither variable, and so no place for state."""
    state = environ.get("XDG_STATE_HOME") or (f"{home}/.local/state" if (home := environ.get("HOME")) else None)
    return Path(state) / "scrapersky" / "running" if state else None


def announced(environ: Mapping[str, str]) -> Path | None:
    """The data directory of the stack that was announced last and was not ended since."""
    file = _file(environ)
    try:
        text = file.read_text("utf-8").strip() if file else ""
    except (OSError, UnicodeDecodeError):
        return None
    return Path(text) if text else None


@contextmanager
def announce(data_dir: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Announce a stack for as long as the block runs. It runs all the same where nothing can be written."""
    file, text = _file(environ), str(data_dir.resolve())
    if file is not None:
        with suppress(OSError):  # a home that is not ours to write in: --data-dir still finds the stack
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    try:
        yield
    finally:
        if file is not None and announced(environ) == Path(text):
            with suppress(OSError):
                file.unlink()
