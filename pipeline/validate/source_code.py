"""The step scripts as syntax trees: read, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pipeline.validate.registry import Sources


@dataclass(frozen=True)
class Call:
    """A function call in a file."""

    file: str
    line: int
    name: str
    keywords: frozenset[str | None]
    #: Its first argument, where that is a literal text.
    text: str


def trees(script: str, sources: Sources) -> Iterator[tuple[str, ast.Module]]:
    """A script and the modules beside it that it imports, directly or not; at any depth of its functions."""
    waiting, seen = [script], {script}
    while waiting:
        file = waiting.pop()
        tree = _parsed(sources[file], file)
        yield file, tree
        for module in _imported(tree):
            for candidate in (f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"):
                if candidate in sources and candidate not in seen:
                    seen.add(candidate)
                    waiting.append(candidate)


@cache
def _parsed(source: str, file: str) -> ast.Module:
    return ast.parse(source, file)


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
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                first = node.args[0] if node.args else None
                text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
                yield Call(file, node.lineno, name, frozenset(keyword.arg for keyword in node.keywords), text)
