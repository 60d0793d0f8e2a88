"""Docstrings as Markdown: an extension of griffe, which reads them for the API reference."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([^`]+)`")
_EXAMPLE = re.compile(r"^(?:>>> .*\n?)+", re.MULTILINE)
_LITERAL = re.compile(r"^::\n\n|(?<=:):$", re.MULTILINE)


class Roles(griffe.Extension):
    """Writes what a docstring says in reStructuredText (roles, literal blocks, examples) as Markdown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(docstring: str) -> str:
    """Return a docstring without what only Sphinx reads."""
    docstring = _LITERAL.sub("", _ROLE.sub(r"`\1`", docstring))
    return _EXAMPLE.sub(lambda found: f"```python\n{found[0].replace('>>> ', '').rstrip()}\n```\n", docstring)
