"""Places inside moto, and what they look like: enough to notice that another moto has another thing there.

A look is a line of text, so that the manifest is read and compared like a table:

- ``(self, name=, *args)``: a function, by its parameters; a default value is not compared, only that there is one.
- ``(self) 1a2b3c4d``: the same, and a hash of its source, for a function that is not called any more but replaced as a
  whole: nobody would see what a new moto does there. Likewise ``property`` and ``property 1a2b3c4d``.
- ``class Base, Other``: a class, by its bases.
- ``list``: any other value, by its type.
- ``instance attribute``: what the class's ``__init__`` sets.
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
        module: of moto.
        name: dotted, within the module.
        look: what it must look like.
        used_by: the module or room of localmaker that needs it.
        why: what it needs it for.
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
        """Say how the installed moto differs here; None where it does not."""
        found = self._found()
        return None if found == self.look else f"{self.path} is {found} instead of {self.look}"

    def _found(self) -> str:
        try:
            owner: Any = importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{self.module}.".startswith(f"{error.name}."):
                raise  # something that moto needs is not installed
            return _WITHOUT_OWNER
        *owners, name = self.name.split(".")
        for one in owners:
            owner = vars(owner).get(one)
            if not isinstance(owner, type):
                return _WITHOUT_OWNER
        if self.look == INSTANCE_ATTRIBUTE:
            code = getattr(owner.__init__, "__code__", None)
            return INSTANCE_ATTRIBUTE if code is not None and name in code.co_names else ABSENT
        # What a class only inherits is not in its own namespace: replacing it there would do something else.
        if name not in vars(owner):
            return ABSENT
        return look_of(vars(owner)[name], with_source=_ENDS_WITH_HASH.search(self.look) is not None)


def look_of(value: Any, *, with_source: bool = False) -> str:
    """Describe a value as the manifest does.

    Args:
        value: as it stands in the namespace of its module or class.
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
    """Hash the lines that say something, with their indentation; the same in every version of Python."""
    try:
        source = "\n".join(textwrap.dedent(inspect.getsource(function)) for function in functions)
    except (OSError, TypeError):  # there is none, or the function is not written in Python
        return "without source"
    lines = [line.rstrip() for line in source.splitlines() if line.strip()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_HASH_CHARACTERS]
