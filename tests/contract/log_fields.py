"""What our log lines say, read off the code: the messages, and the fields of each line.

A field is a key of what is given to a logger's call as `extra`, or a name that the call is given. What stands there
under a name or comes from a call (`extra=keys`, `**job.keys()`) is followed to the dict displays that the name is given
in the same module, or that a function of that name returns anywhere.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from contract.cloudformation import FUNCTIONS, ROOT

RUNTIME = ROOT / "shared" / "runtime"
LEVELS = {"debug", "info", "warning", "error", "exception"}
# What Powertools puts on every line of an invocation (inject_lambda_context, exceptions), by its own documentation.
POWERTOOLS = {
    "cold_start",
    "correlation_id",
    "exception",
    "exception_name",
    "function_arn",
    "function_memory_size",
    "function_name",
    "function_request_id",
    "level",
    "location",
    "message",
    "service",
    "stack_trace",
    "timestamp",
    "xray_trace_id",
}
_NOT_FIELDS = {"extra", "exc_info", "stack_info", "stacklevel"}  # of logging's own


@cache
def modules() -> dict[Path, ast.Module]:
    """All code that ships."""
    files = [*RUNTIME.glob("scrapersky/**/*.py"), *FUNCTIONS.glob("*/app.py")]
    return {file: ast.parse(file.read_text("utf-8")) for file in files}


@cache
def messages() -> frozenset[str]:
    """What lines are called: the first argument of a logger's call, also of a function that hands it on to one."""
    found = set()
    for tree in modules().values():
        handing_on = {
            function.name
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for call in _calls(function)
            if call.args and isinstance(call.args[0], ast.Name) and call.args[0].id in _parameters(function)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (_is_log(node) or _name(node.func) in handing_on):
                found |= {text for argument in node.args[:1] for text in _texts(argument, tree)}
    return frozenset(found)


@cache
def fields() -> frozenset[str]:
    """The names of all fields of all lines."""
    found = set(POWERTOOLS)
    for tree in modules().values():
        for call in _calls(tree):
            for given in call.keywords:
                if given.arg == "extra":
                    found |= set(_keys(given.value, tree))
                elif given.arg is not None and given.arg not in _NOT_FIELDS:
                    found.add(given.arg)
    return frozenset(found)


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_log(node))


def _is_log(call: ast.Call) -> bool:
    """Whether it is `logger().<level>(…)`."""
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr in LEVELS
        and isinstance(function.value, ast.Call)
        and _name(function.value.func) == "logger"
    )


Seen = frozenset[str]


def _keys(node: ast.AST, tree: ast.Module, above: Seen = frozenset()) -> Iterator[str]:
    """The keys of what a mapping is made of; `above` are the names that led here."""
    match node:
        case ast.Dict():
            for key, inner in zip(node.keys, node.values, strict=True):
                yield from _keys(inner, tree, above) if key is None else _texts(key, tree)
        case ast.IfExp():
            yield from _keys(node.body, tree, above)
            yield from _keys(node.orelse, tree, above)
        case ast.DictComp():
            for generator in node.generators:
                yield from _texts(generator.iter, tree)
        case ast.Name() | ast.Attribute():
            name = _name(node)
            if name not in above:
                for value in _given(tree).get(name, ()):
                    yield from _keys(value, tree, above | {name})
        case ast.Call():
            name = _name(node.func)
            if name == "dict":
                for argument in node.args:
                    yield from _keys(argument, tree, above)
            elif name not in above:
                for returned, its_tree in _returned().get(name, ()):
                    yield from _keys(returned, its_tree, above | {name})


def _texts(node: ast.AST, tree: ast.Module, above: Seen = frozenset()) -> Iterator[str]:
    """The texts that an expression can be, or that a display of them holds."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.IfExp():
            yield from _texts(node.body, tree, above)
            yield from _texts(node.orelse, tree, above)
        case ast.Tuple() | ast.List() | ast.Set():
            for element in node.elts:
                yield from _texts(element, tree, above)
        case ast.Name(id=name) if name not in above:
            for value in _given(tree).get(name, ()):
                yield from _texts(value, tree, above | {name})


@cache
def _given(tree: ast.Module) -> dict[str, list[ast.AST]]:
    """What each name or attribute of a module is given, wherever."""
    found: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                found.setdefault(_name(target), []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            found.setdefault(_name(node.target), []).append(node.value)
    return found


@cache
def _returned() -> dict[str, list[tuple[ast.AST, ast.Module]]]:
    """What the functions of each name return, with their modules."""
    found: dict[str, list[tuple[ast.AST, ast.Module]]] = {}
    for tree in modules().values():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for inner in ast.walk(function):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        found.setdefault(function.name, []).append((inner.value, tree))
    return found


def _parameters(function: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in function.args.args}


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
