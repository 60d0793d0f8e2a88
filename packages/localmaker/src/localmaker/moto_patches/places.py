"""Places inside moto, and a description of each that shows whether another version of moto has changed it.

A description is a line of text, its "look", so that the manifest reads like a table:

- ``(self, name=, *args)``: a function, by its parameters; a default value is not compared, only that there is one.
- ``(self) 1a2b3c4d``: the same with a hash of its source, for a function that is replaced as a whole and never called,
  so that a new behaviour would go unnoticed. Likewise ``property`` and ``property 1a2b3c4d``.
- ``class Base, Other``: a class, by its bases.
- ``list``: any other value, by its type.
- ``instance attribute``: one that the ``__init__`` of the class sets.
- ``absent``: moto has nothing there, and the endpoint adds something.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ABSENT = "absent"
INSTANCE_ATTRIBUTE = "instance attribute"
_WITHOUT_OWNER = "gone with its module or class"
_HASH_CHARACTERS = 8
_ENDS_WITH_HASH = re.compile(r" [0-9a-f]{8}$")


@dataclass(frozen=True)
class Place:
    """Something inside moto that the endpoint replaces, or relies on.

    Attributes:
        module: a module of moto.
        name: dotted, within the module.
        look: its expected description.
        used_by: the module or room of localmaker that needs it.
        why: the purpose.
        is_replaced: whether the endpoint puts something else there.
    """

    module: str
    name: str
    look: str
    used_by: str
    why: str
    is_replaced: bool

    @property
    def path(self) -> str:
        """Return the module and the name, as they are imported."""
        return f"{self.module}.{self.name}"

    def difference(self) -> str | None:
        """Describe how the installed moto differs here; None if it does not."""
        found = self._found()
        return None if found == self.look else f"{self.path} is {found} instead of {self.look}"

    def _found(self) -> str:
        try:
            owner: Any = importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{self.module}.".startswith(f"{error.name}."):
                raise  # a dependency of moto is not installed
            return _WITHOUT_OWNER
        *owners, name = self.name.split(".")
        for one in owners:
            owner = vars(owner).get(one)
            if not isinstance(owner, type):
                return _WITHOUT_OWNER
        if self.look == INSTANCE_ATTRIBUTE:
            code = getattr(owner.__init__, "__code__", None)
            return INSTANCE_ATTRIBUTE if code is not None and name in code.co_names else ABSENT
        # An inherited member is not in the namespace: replacing it in this class would have another effect.
        if name not in vars(owner):
            return ABSENT
        return look_of(vars(owner)[name], with_source=_ENDS_WITH_HASH.search(self.look) is not None)


def look_of(value: Any, *, with_source: bool = False) -> str:
    """Describe a value in the form of the manifest.

    Args:
        value: from the namespace of its module or class.
        with_source: add a hash of the source of a function or property.
    """
    if isinstance(value, type):
        return f"class {', '.join(base.__name__ for base in value.__bases__)}"
    functions: tuple[Callable[..., Any], ...]
    if isinstance(value, property):
        look, functions = "property", tuple(one for one in (value.fget, value.fset) if one is not None)
    elif isinstance(value, (staticmethod, classmethod)):
        look, functions = f"{type(value).__name__} {_parameters(value.__func__)}", (value.__func__,)
    elif callable(value) and hasattr(value, "__name__"):
        look, functions = _parameters(value), (value,)
    else:
        return type(value).__name__
    return f"{look} {_source_hash(functions)}" if with_source else look


def _parameters(function: Callable[..., Any]) -> str:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # not written in Python
        return "(?)"
    shown = [
        f"{parameter.replace(annotation=parameter.empty, default=parameter.empty)}"
        f"{'' if parameter.default is parameter.empty else '='}"
        for parameter in parameters
    ]
    return f"({', '.join(shown)})"


def _source_hash(functions: tuple[Callable[..., Any], ...]) -> str:
    """Hash the lines that are not blank, with their indentation; the result is the same in every Python version."""
    try:
        source = "\n".join(textwrap.dedent(inspect.getsource(function)) for function in functions)
    except (OSError, TypeError):  # no source file, or not written in Python
        return "without source"
    lines = [line.rstrip() for line in source.splitlines() if line.strip()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_HASH_CHARACTERS]
