"""The step scripts as syntax trees: read, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

#: Path below the folder of the step scripts → Python source.
Sources = Mapping[str, str]

#: Value of a keyword that is no literal.
UNKNOWN = object()


@dataclass(frozen=True)
class Call:
    """A function call in a file.

    Attributes:
        file: below ``steps/``.
        line: where it begins.
        name: of the function or method.
        keywords: name → literal value, or :data:`UNKNOWN`; under None what is unpacked.
        text: its first argument, where that is a literal text.
    """

    file: str
    line: int
    name: str
    keywords: Mapping[str | None, Any]
    text: str


def scripts(sources: Sources) -> list[str]:
    """What can run as a step: the files that stand in no folder."""
    return sorted(name for name in sources if "/" not in name)


def trees(script: str, sources: Sources) -> Iterator[tuple[str, ast.Module]]:
    """A script and the modules beside it that it imports, directly or not; at any depth of its functions."""
    waiting, seen = [script], {script}
    while waiting:
        file = waiting.pop()
        tree, _ = parsed(sources[file], file)
        yield file, tree
        for module in _imported(tree):
            for candidate in (f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"):
                if candidate in sources and candidate not in seen:
                    seen.add(candidate)
                    waiting.append(candidate)


@cache
def parsed(source: str, file: str) -> tuple[ast.Module, str]:
    """(tree, why there is none); of what is no Python, an empty tree."""
    try:
        return ast.parse(source, file), ""
    except SyntaxError as error:
        return ast.Module([], []), f"line {error.lineno}: {error.msg}"
    except ValueError as error:
        return ast.Module([], []), str(error)
    except RecursionError:
        return ast.Module([], []), "it is nested too deeply"


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(script: str, sources: Sources) -> Iterator[Call]:
    """Every call in a script and in the modules beside it that it imports."""
    for file, tree in trees(script, sources):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield _call(node, file)


def scopes(script: str, sources: Sources) -> Iterator[tuple[str, list[Call]]]:
    """(name of a function, the calls that it makes itself) in the order of the text; the module's name is empty."""
    for file, tree in trees(script, sources):
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
                found = sorted(_own_calls(node), key=lambda call: (call.end_lineno or 0, call.end_col_offset or 0))
                yield getattr(node, "name", ""), [_call(call, file) for call in found]


def _own_calls(scope: ast.AST) -> Iterator[ast.Call]:
    """Calls below a function, and not those of the functions in it."""
    waiting: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def _call(node: ast.Call, file: str) -> Call:
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    first = node.args[0] if node.args else None
    text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
    keywords = {
        keyword.arg: keyword.value.value if isinstance(keyword.value, ast.Constant) else UNKNOWN
        for keyword in node.keywords
    }
    return Call(file, node.lineno, name, keywords, text)
