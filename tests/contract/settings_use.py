"""Which environment variables a function reads, found by following its names from app.py to scrapersky.settings.

A function reads a settings class if a name in app.py leads to it, straight or through the scrapersky functions and
classes that are named on the way. Nothing is run but the settings classes themselves, on a recording environment.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from contract.cloudformation import FUNCTIONS, ROOT
from scrapersky import settings

RUNTIME = ROOT / "shared" / "runtime"
# A value that every setting accepts, so that reading goes on to the last variable.
ACCEPTED = "10"
EVERY_ALGORITHM = ("HS256", "RS256", "ES256")
# Read, but never set by a deployment: each is the mark or the privilege of a local stack.
LOCAL = {*settings.LOCAL_ONLY, "AWS_ENDPOINT_URL"}

Name = tuple[str, str]  # module, name in it


class _Recording(dict[str, str]):
    """An environment that has every variable and remembers which ones were asked for."""

    def __init__(self, algorithm: str) -> None:
        super().__init__()
        self.asked: set[str] = set()
        self._algorithm = algorithm

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        if name in LOCAL:
            return default
        return self._algorithm if name == "JWT_ALGORITHM" else ACCEPTED


def variables_read(folder: str) -> set[str]:
    """The variables that the function's settings ask for, those of a local stack left out."""
    read: set[str] = set()
    app = ast.parse((FUNCTIONS / folder / "app.py").read_text())
    for module, name in names_reached(folder):
        reader = getattr(getattr(settings, name, None), "from_env", None) if module == settings.__name__ else None
        if reader is not None:
            for algorithm in EVERY_ALGORITHM:
                env = _Recording(algorithm)
                reader(env, *([_queues(app)] if name == settings.QueueSettings.__name__ else ()))
                read |= env.asked
    return read - LOCAL


def names_reached(folder: str) -> set[Name]:
    """The scrapersky functions and classes that the names in the function's app.py lead to."""
    return _reached(ast.parse((FUNCTIONS / folder / "app.py").read_text()))


def _queues(app: ast.Module) -> set[str]:
    """The queues that app.py has a sender for."""
    return {
        argument.value
        for call in ast.walk(app)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "sender"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def _reached(app: ast.Module) -> set[Name]:
    reached: set[Name] = set()
    waiting = [origin for name in _names(app) if (origin := _imports(app).get(name)) is not None]
    while waiting:
        module, name = origin = waiting.pop()
        if origin not in reached:
            reached.add(origin)
            waiting.extend(_named_by(module, name))
    return reached


def _named_by(module: str, name: str) -> Iterator[Name]:
    """What the definition of `name` names in turn."""
    tree = _tree(module)
    definition = _definitions(tree).get(name)
    if definition is None:
        return
    for used in _names(definition):
        if used in _definitions(tree):
            yield module, used
        elif used in _imports(tree):
            yield _imports(tree)[used]


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _definitions(tree: ast.Module) -> dict[str, ast.AST]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in tree.body if isinstance(node, kinds)}


def _imports(tree: ast.Module) -> dict[str, Name]:
    """Local name to where it comes from, for what is imported from scrapersky; a module's name leads no further."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "scrapersky"
        for alias in node.names
    }


@cache
def _tree(module: str) -> ast.Module:
    path = RUNTIME.joinpath(*module.split("."))
    source: Path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(source.read_text())
