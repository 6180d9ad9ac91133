"""The house's rules on Python source. Each takes a parsed module and names what breaks it, line by line."""

import ast
from collections.abc import Iterator

LONGEST_FUNCTION = 50

_CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}
_CLOCK_OWNERS = {"datetime", "date"}
_IMPURE_MODULES = {"random", "secrets", "time", "os", "socket", "subprocess", "threading"}
_CHANCE = {"uuid1", "uuid4", "urandom"}


def inexact_numbers(module: ast.Module) -> Iterator[str]:
    """A float by name, or one of the roundings that belong to money and decimals alone. To recognise a float (`isinstance`,
    `case float()`) in order to refuse it is no use of one.
    """
    refused = {
        id(name)
        for asking in ast.walk(module)
        if isinstance(asking, ast.MatchClass)
        or (isinstance(asking, ast.Call) and _name(asking.func) == "isinstance")
        for name in ast.walk(asking)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and node.id == "float" and id(node) not in refused:
            yield f"{node.lineno}: float"
        if isinstance(node, ast.Attribute) and node.attr == "quantize":
            yield f"{node.lineno}: quantize"
        if isinstance(node, ast.Call) and _name(node.func) == "round":
            yield f"{node.lineno}: round"


def inexact_literals(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{node.lineno}: {node.value}"


def clocks_and_chance(module: ast.Module) -> Iterator[str]:
    """What makes the same call answer differently: `workflow.now()` and its like are recorded and do not."""
    for node in ast.walk(module):
        match node:
            case ast.Attribute(value=owner, attr=attr) if (
                attr in _CLOCKS and _last(owner) in _CLOCK_OWNERS
            ):
                yield f"{node.lineno}: {_last(owner)}.{attr}"
            case ast.Attribute(value=owner, attr=attr) if (
                attr in _CHANCE and _last(owner) != "workflow"
            ):
                yield f"{node.lineno}: {attr}"
            case ast.Import(names=names):
                for alias in names:
                    if alias.name.split(".")[0] in _IMPURE_MODULES:
                        yield f"{node.lineno}: import {alias.name}"
            case ast.ImportFrom(module=source, names=names):
                if (source or "").split(".")[0] in _IMPURE_MODULES:
                    yield f"{node.lineno}: from {source}"
                yield from (f"{node.lineno}: {a.name}" for a in names if a.name in _CHANCE)


def long_functions(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{node.lineno}: {node.name} has {lines} lines"


def unwritten_code(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Raise) and _last(_called(node.exc)) == "NotImplementedError":
            yield f"{node.lineno}: NotImplementedError"


def more_than_a_docstring(module: ast.Module) -> Iterator[str]:
    body = module.body
    if body and not (len(body) == 1 and ast.get_docstring(module) is not None):
        yield f"{body[-1].lineno}: more than a docstring"


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _last(node: ast.expr | None) -> str:
    """`datetime` of both `datetime` and `datetime.datetime`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _called(node: ast.expr | None) -> ast.expr | None:
    return node.func if isinstance(node, ast.Call) else node
