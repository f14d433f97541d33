"""Who servers run as. Postgres and PgBouncer refuse to run as root, so root lends them the user `nobody`.

That user must be able to reach the programs and the data. Folders on the way may be closed to it (a virtual environment
or a data directory below /root, say); their modes are not ours to loosen, so what it needs moves to SHELTER instead.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scrapersky_local.processes import Account

SHELTER = Path("/var/lib/scrapersky")


def service_account() -> Account | None:
    """The unprivileged user for servers, or None when we are one ourselves."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def can_reach(account: Account | None, path: Path) -> bool:
    """Whether every folder above `path` lets the account through."""
    if account is None:
        return True
    for folder in path.absolute().parents:
        status = folder.stat()
        if status.st_uid == account.uid:
            needed = 0o100
        elif status.st_gid == account.gid:
            needed = 0o010
        else:
            needed = 0o001
        if not status.st_mode & needed:
            return False
    return True


def own_directory(path: Path, account: Account | None) -> Path:
    """A directory that belongs to the account alone: `path`, or one in SHELTER that `path` then links to."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not can_reach(account, path):
        sheltered = SHELTER / hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        _make_shelter()
        if not path.is_symlink():
            path.symlink_to(sheltered)
        path = sheltered
    path.mkdir(exist_ok=True)
    path.chmod(0o700)
    if account is not None:
        os.chown(path, account.uid, account.gid)
    return path


def own_file(path: Path, text: str, account: Account | None) -> None:
    """Write a file that only the account (and root) can read."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        if account is not None:
            os.fchown(file.fileno(), account.uid, account.gid)


@contextlib.contextmanager
def throwaway_directory() -> Iterator[Path]:
    """A temporary directory that servers run as another user can pass through; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="scrapersky-") as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


def reachable_copy(name: str, folders: list[Path], account: Account | None) -> Path:
    """The folder that holds `folders`: where they are, or a copy called `name` in SHELTER for an account kept out."""
    if all(can_reach(account, folder / "any") for folder in folders):
        return folders[0].parent
    copy = SHELTER / name
    if not copy.exists():
        _make_shelter()
        unfinished = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=SHELTER))
        for folder in folders:
            shutil.copytree(folder, unfinished / folder.name, symlinks=True)
        _open_to_readers(unfinished)
        try:
            unfinished.rename(copy)
        except OSError:  # another process made the same copy meanwhile
            if not copy.exists():
                raise
            shutil.rmtree(unfinished)
    return copy


def _make_shelter() -> None:
    SHELTER.mkdir(parents=True, exist_ok=True)
    SHELTER.chmod(0o755)  # whatever our umask is


def _open_to_readers(tree: Path) -> None:
    """Let everybody read the tree and run what its owner may run."""
    for path in (tree, *tree.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
