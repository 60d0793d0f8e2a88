"""Load pickles that hold plain data, and refuse every other before a single instruction of it is executed.

A pickle is a program for a small stack machine; what makes one dangerous are the instructions that import a name, call
it, or set an object's state. The whole program is read first, with ``pickletools``, and each instruction has to be in
``ALLOWED_INSTRUCTIONS``: numbers, text, lists, dictionaries. None of them can name a class or a function, so the list
of allowed names is empty, and an ``Unpickler`` that resolves no name is a second barrier behind the check.

Joblib's files are pickles too. Its own loader is not used: where a file says that an array of objects follows, it hands
the rest to an ordinary, unrestricted ``pickle.load``, and it opens compressed files by itself.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import NoReturn

from scripts.lib.program import ExportRefusedError

PROTOCOL = 4
"""Read by every Python since 3.4; both formats are written with it."""

_STRUCTURE = {"PROTO", "FRAME", "MARK", "STOP", "MEMOIZE", "BINGET", "LONG_BINGET"}
_SCALARS = {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
_STRINGS = {"SHORT_BINUNICODE", "BINUNICODE"}
_CONTAINERS = {"EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"}
ALLOWED_INSTRUCTIONS = frozenset(_STRUCTURE | _SCALARS | _STRINGS | _CONTAINERS)
"""The instructions of protocol 4 for ``dict``, ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None``."""

_START = b"\x80\x04"
_COMPRESSED = (b"\x1f\x8b", b"BZ", b"\xfd7zXZ", b"\x5d\x00", b"\x78", b"ZF", b"PK", b"\x28\xb5\x2f\xfd", b"\x04\x22")
_NAMED_INLINE = frozenset({"GLOBAL", "INST"})
_LONGEST_SHOWN = 80
_DAMAGE = (pickle.UnpicklingError, EOFError, ValueError, OverflowError, TypeError, LookupError, AttributeError)
"""The exceptions of Python's unpickler for a malformed program."""
_HINT = "Don't load it by other means. Export the model again: python scripts/export_model.py --help"


def load_data(content: bytes, source: str) -> object:
    """Return the object that a pickle or joblib file of plain data holds; `source` is its name for messages.

    Raises ExportRefusedError where it is compressed, of another protocol, damaged, or holds an instruction that is not
    allowed; the message names the instruction and, where it imports something, what.
    """
    check_instructions(content, source)
    try:
        return _NamelessUnpickler(io.BytesIO(content)).load()
    except _DAMAGE as error:
        raise ExportRefusedError(f"{source} is damaged: {error}.", _HINT) from error


def check_instructions(content: bytes, source: str) -> None:
    """Read the whole pickle without executing it; raise ExportRefusedError as `load_data` does."""
    if not content.startswith(_START):
        kind = "is compressed" if content.startswith(_COMPRESSED) else f"is not a pickle of protocol {PROTOCOL}"
        raise ExportRefusedError(f"{source} {kind}; exports are plain pickles of protocol {PROTOCOL}.", _HINT)
    end = -1
    try:
        for opcode, argument, position in pickletools.genops(content):
            if opcode.name not in ALLOWED_INSTRUCTIONS:
                _refuse(opcode.name, argument, position or 0, content, source)
            end = (position or 0) + 1
    except ValueError as error:
        raise ExportRefusedError(f"{source} is damaged: {error}.", _HINT) from error
    if end != len(content):
        raise ExportRefusedError(f"{source} has {len(content) - end} bytes after its end.", _HINT)


def _refuse(instruction: str, argument: object, position: int, content: bytes, source: str) -> NoReturn:
    if instruction in _NAMED_INLINE:
        what = f"names {_shown(str(argument).replace(' ', '.'))}"
    elif instruction == "STACK_GLOBAL":
        what = f"names {_shown(_name_on_stack(content[:position]))}"
    else:
        what = f"holds the instruction {instruction}"
    raise ExportRefusedError(
        f"{source} {what} (byte {position}), which is not on the allow-list: an export is data and names nothing. "
        "It was not loaded.",
        _HINT,
    )


def _name_on_stack(program: bytes) -> str:
    """Return the name that the last two texts on the stack make up after the instructions; it is for a message only."""
    pushed, memo = ["?"], []
    for opcode, argument, _ in pickletools.genops(program + b"."):
        if opcode.name == "MEMOIZE":
            memo.append(pushed[-1])
        elif opcode.name in {"BINGET", "LONG_BINGET"}:
            place = argument or 0
            pushed.append(memo[place] if place < len(memo) else "?")
        elif opcode.name not in {"FRAME", "STOP"}:
            pushed.append(argument if isinstance(argument, str) else "?")
    return ".".join(pushed[-2:])


def _shown(text: str) -> str:
    """Make untrusted text safe for a terminal: escapes are shown as such, and long text is cut."""
    return ascii(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "...")


class _NamelessUnpickler(pickle.Unpickler):
    """Finds no class, no function and no object kept elsewhere."""

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        """Refuse every class and function."""
        name = _shown(f"{module_name}.{global_name}")
        raise pickle.UnpicklingError(f"it names {name}, which is not on the allow-list")

    def persistent_load(self, pid: object) -> NoReturn:
        """Refuse every reference to an object kept elsewhere."""
        raise pickle.UnpicklingError(f"it refers to {_shown(str(pid))}, which is kept elsewhere")
