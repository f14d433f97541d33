"""How other shells find a stack: by one line in the user's state, there while the stack runs."""

from pathlib import Path

import pytest

from scrapersky_cli.config import DEFAULT_DATA_DIR, STACK_FILE, stack_dir
from scrapersky_cli.running import announce, announced


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "HOME"])
def test_a_stack_is_found_while_it_runs_and_not_after(tmp_path: Path, variable: str) -> None:
    environ = {variable: str(tmp_path / "user")}
    with announce(Path("data"), environ):
        assert announced(environ) == tmp_path / "data"
        assert stack_dir(None, environ) == tmp_path / "data"
    assert announced(environ) is None
    assert stack_dir(None, environ) == DEFAULT_DATA_DIR


def test_what_is_said_or_is_here_comes_first(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    with announce(tmp_path / "data", environ):
        assert stack_dir(Path("given"), environ) == Path("given")
        assert stack_dir(None, environ | {"SCRAPERSKY_DATA_DIR": "named"}) == Path("named")
        DEFAULT_DATA_DIR.mkdir()
        (DEFAULT_DATA_DIR / STACK_FILE).touch()
        assert stack_dir(None, environ) == DEFAULT_DATA_DIR


def test_the_end_of_an_earlier_stack_leaves_the_later_ones_announcement(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    with announce(tmp_path / "later", environ):
        with announce(tmp_path / "earlier", environ):
            (tmp_path / ".local/state/scrapersky/running").write_text(str(tmp_path / "later"))
        assert announced(environ) == tmp_path / "later"


def test_a_user_without_a_place_for_state_runs_a_stack_all_the_same(tmp_path: Path) -> None:
    with announce(tmp_path / "data", {}):
        assert announced({}) is None
    (tmp_path / "file").touch()
    with announce(tmp_path / "data", {"XDG_STATE_HOME": str(tmp_path / "file")}):
        assert announced({"XDG_STATE_HOME": str(tmp_path / "file")}) is None
