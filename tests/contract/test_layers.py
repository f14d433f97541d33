"""The dependency layer: everything that the functions import and nothing else, each file known by its hash."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from contract.cloudformation import FUNCTIONS, ROOT

REQUIREMENTS = ROOT / "layers" / "dependencies" / "requirements.txt"
RUNTIME = ROOT / "shared" / "runtime"
IN_LAMBDA = {"boto3", "botocore"}  # part of Lambda's Python runtime


@cache
def entries() -> dict[Requirement, list[str]]:
    """Each requirement with its hashes. A package stands twice where Python versions need different ones."""
    found = {}
    for line in REQUIREMENTS.read_text().replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            pin, *hashes = line.split(" --hash=")
            found[Requirement(pin)] = [text.strip() for text in hashes]
    return found


def in_lambda(extra: str = "") -> dict[str, str]:
    """Markers as Lambda's python3.13 on arm64 answers them, for one of a package's extras."""
    return {
        "extra": extra,
        "python_version": "3.13",
        "python_full_version": "3.13.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "aarch64",
    }


def shipped() -> dict[str, str]:
    """Package to version, as installed in the layer."""
    return {
        canonicalize_name(requirement.name): next(iter(requirement.specifier)).version
        for requirement in entries()
        if requirement.marker is None or requirement.marker.evaluate(in_lambda())
    }


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(text) for text in project["dependencies"]]


def imported() -> dict[str, Path]:
    """Third-party top-level module to one file that imports it. Imports for the type checker alone do not count."""
    sources = [*RUNTIME.rglob("*.py"), *FUNCTIONS.rglob("*.py")]
    return {
        module: source
        for source in sources
        for module in _modules(ast.parse(source.read_text()))
        if module != "scrapersky" and module not in sys.stdlib_module_names
    }


def _modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]
        else:
            yield from _modules(node)


def test_every_requirement_is_one_version_by_hash() -> None:
    assert entries()
    for requirement, hashes in entries().items():
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes), requirement
        assert requirement.url is None


def test_the_file_names_no_place_on_this_machine_and_no_index() -> None:
    text = REQUIREMENTS.read_text()

    assert "://" not in text
    assert not re.search(r"^\s*(--index-url|--extra-index-url|--find-links|-i|-f)\b", text, re.M)
    assert not re.search(r"(^|\s)/\w", text)


def test_every_import_is_provided() -> None:
    providers = packages_distributions()
    missing = {
        module: str(source.relative_to(ROOT))
        for module, source in imported().items()
        if not {canonicalize_name(name) for name in providers.get(module, [module])} & (shipped().keys() | IN_LAMBDA)
    }

    assert missing == {}


def test_what_ships_is_what_the_project_depends_on() -> None:
    for dependency in declared():
        assert dependency.specifier.contains(shipped()[canonicalize_name(dependency.name)]), dependency
    assert shipped().keys() == _closure(declared())


def _closure(wanted: list[Requirement]) -> set[str]:
    """The names that the requirements lead to, by the installed packages' own metadata."""
    names: set[str] = set()
    waiting = [(canonicalize_name(item.name), frozenset(item.extras)) for item in wanted]
    seen = set()
    while waiting:
        name, extras = package = waiting.pop()
        if package in seen:
            continue
        seen.add(package)
        names.add(name)
        for requirement in _requirements(name, extras):
            waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return names


def _requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    try:
        texts = requires(name) or []
    except PackageNotFoundError:  # wanted only where this interpreter is older than Lambda's; it ends the branch
        texts = []
    for text in texts:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate(in_lambda(extra)) for extra in {"", *extras}):
            yield requirement
