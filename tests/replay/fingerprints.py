"""The commands that workflows can send, read off their code: a second net beside the histories that are kept.

A history shows one way through a workflow. The outline of its code shows all of them: every call that leads to a command
(a step, a timer, a child, a signal to another life, attributes, a patch, a new run), in order, under the conditions it stands under, for each
function of `workflows/`. `python -m tests.replay.fingerprints` writes them anew.
"""

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOM = Path(__file__).parents[2] / "workflows"
KEPT = Path(__file__).with_name("fingerprints.json")
COMMANDS = {
    "execute_activity_method",
    "execute_child_workflow",
    "start_child_workflow",
    "get_external_workflow_handle_for",
    "upsert_search_attributes",
    "continue_as_new",
    "wait_condition",
    "patched",
    "deprecate_patch",
    "sleep",
}
HANDLERS = ("signal", "update")
NAMED_BY_THEIR_FIRST = COMMANDS - {"wait_condition", "sleep", "upsert_search_attributes"}
NAMED_BY_THEIR_FIRST |= {"perform"}
OWN = {"self", "self.clock", "super()", "workflow"}
# The way to lives from outside, and the room's words for operators: no part of what a workflow runs.
OUTSIDE = {"handles", "builds"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Outlines = Mapping[str, Sequence[str]]


def outlines(room: Path = ROOM) -> Outlines:
    """By the function's name: what in it leads to commands."""
    functions = dict(_functions(room))
    leading = _leading(functions)
    found = {name: list(_outline(function, leading)) for name, function in functions.items()}
    return {name: lines for name, lines in sorted(found.items()) if lines}


def _functions(room: Path) -> Iterator[tuple[str, Function]]:
    for path in sorted(room.glob("*.py")):
        if path.stem in OUTSIDE:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, Function):
                yield node.name, node
            elif isinstance(node, ast.ClassDef):
                for each in node.body:
                    if isinstance(each, Function):
                        yield f"{node.name}.{each.name}", each


def _leading(functions: Mapping[str, Function]) -> set[str]:
    """The names of all that leads to a command, whoever calls it."""
    leading = set(COMMANDS)
    while True:
        more = {
            function.name
            for function in functions.values()
            if any(_name(call) in leading for call in _calls(function))
        }
        if more <= leading:
            return leading
        leading |= more


def _outline(function: Function, leading: set[str]) -> Iterator[str]:
    for decorator in function.decorator_list:
        kind = ast.unparse(decorator).removeprefix("workflow.").split("(")[0]
        if kind in HANDLERS:
            yield f"{kind} {function.name}"
    if function.name in leading:
        yield from _lines(function.body, leading, "")


def _lines(body: Sequence[ast.stmt], leading: set[str], indent: str) -> Iterator[str]:
    for statement in body:
        head, parts = _parts(statement)
        own = [_told(call) for each in head for call in _calls(each) if _name(call) in leading]
        inner = [
            (label, list(_lines(part, leading, indent + "  "))) for label, part in parts if part
        ]
        if any(lines for _, lines in inner):
            for label, lines in inner:
                yield f"{indent}{label}"
                yield from lines
        elif own:
            yield from (f"{indent}{each}" for each in own)
        elif isinstance(statement, ast.Return | ast.Raise | ast.Break | ast.Continue):
            yield f"{indent}{type(statement).__name__.lower()}"


def _parts(statement: ast.stmt) -> tuple[list[ast.AST], list[tuple[str, list[ast.stmt]]]]:
    """What a statement looks at first, and the bodies it has, each under its condition."""
    match statement:
        case ast.If(test=test, body=body, orelse=orelse):
            return [test], [(f"if {ast.unparse(test)}", body), ("else", orelse)]
        case ast.While(test=test, body=body):
            return [test], [(f"while {ast.unparse(test)}", body)]
        case ast.For(target=target, iter=each, body=body):
            return [each], [(f"for {ast.unparse(target)} in {ast.unparse(each)}", body)]
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            return list(items), [(f"with {', '.join(map(ast.unparse, items))}", body)]
        case ast.Match(subject=subject, cases=cases):
            told = ast.unparse(subject)
            return [subject], [(f"{told} is {ast.unparse(c.pattern)}", c.body) for c in cases]
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=at_last):
            caught = [
                (f"except {ast.unparse(h.type)}" if h.type else "except", h.body) for h in handlers
            ]
            return [], [("try", body), *caught, ("else", orelse), ("finally", at_last)]
        case _:
            return [statement], []


def _calls(node: ast.AST) -> list[ast.Call]:
    """In the order in which they are made: those within another one first."""
    calls = [call for child in ast.iter_child_nodes(node) for call in _calls(child)]
    return [*calls, node] if isinstance(node, ast.Call) else calls


def _name(call: ast.Call) -> str:
    """What is called, of Temporal's, of the room's or of the workflow's own; nothing for the rules of other rooms."""
    match call.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=whose, attr=name) if ast.unparse(whose) in OWN:
            return name
        case _:
            return ""


def _told(call: ast.Call) -> str:
    """A call by what makes another command of it: what is done, and whether there is a timer."""
    name = _name(call)
    if name == "wait_condition":
        timed = any(keyword.arg == "timeout" for keyword in call.keywords)
        return f"{name} with a timer" if timed else name
    if name in NAMED_BY_THEIR_FIRST and call.args:
        return f"{name} {ast.unparse(call.args[0])}"
    return name


def sendable(workflow: str, found: Outlines) -> set[str]:
    """The commands that a workflow's code can send, and the messages it takes, but for those that every life takes."""
    reached: set[str] = set()
    ahead = {name for name in found if name.startswith(f"{workflow}.")}
    while ahead:
        reached |= ahead
        called = {line.strip() for name in ahead for line in found[name]}
        owners = (f"{workflow}.", "Life.", "Clock.", "")
        named = {f"{owner}{each}" for each in called for owner in owners}
        ahead = (named & set(found)) - reached
    lines = (line.strip() for name in reached for line in found[name])
    return {told for line in lines if (told := _command(line))}


def _command(line: str) -> str | None:
    word, _, what = line.partition(" ")
    match word:
        case "perform" | "execute_activity_method" if what.startswith("Steps."):
            return f"step {what.removeprefix('Steps.')}"
        case "execute_child_workflow" | "start_child_workflow":
            return f"child {what.removesuffix('.run')}"
        case "get_external_workflow_handle_for":
            return "signal to another life"
        case "patched":
            return f"patch {what}"
        case "signal" | "update":
            return line
        case "continue_as_new":
            return "new run"
        case "upsert_search_attributes":
            return "attributes"
        case "wait_condition" if what:
            return "timer"
        case _:
            return None


if __name__ == "__main__":
    KEPT.write_text(json.dumps(outlines(), indent=1) + "\n")
