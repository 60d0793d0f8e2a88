"""Check a declaration: everything that is wrong with it at once, each with its line, its field and what is allowed."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from analysis.dataset.columns import ImpossibleError
from analysis.dataset.declaration import Dataset
from pipeline.datasets.locations import Path as FieldPath
from pipeline.datasets.locations import line_of, locate
from pipeline.errors import DeclarationError, InputFileError

_SYNTAX = re.compile(
    r"(?P<message>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)
_WANTED = {
    "string_type": "text, in quotes",
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list, in square brackets",
    "dict_type": "a table",
    "dataclass_type": "a table",
}


@dataclass(frozen=True, order=True)
class DeclarationProblem:
    """One thing wrong with a declaration."""

    line: int
    field: str  #: Dotted; empty where the syntax is wrong.
    message: str  #: What is wrong, and what is allowed.

    def __str__(self) -> str:
        return f"{self.line}: {self.field}: {self.message}" if self.field else f"{self.line}: {self.message}"


@cache
def adapter() -> TypeAdapter[Dataset]:
    """Return pydantic's view of the declaration's classes."""
    return TypeAdapter(Dataset)


def read_declaration(path: Path) -> Dataset:
    """Read a declaration.

    Raises:
        InputFileError: the file can't be read.
        DeclarationError: something is wrong with it; the message has a line for each problem.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"{path} can't be read: {error.strerror}.") from error
    found = check_declaration(content)
    if isinstance(found, Dataset):
        return found
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    lines = "\n".join(f"{path}:{problem}" for problem in found)
    raise DeclarationError(f"{count} in {path}\n{lines}", "docs/declaration.md explains every field.", found)


def check_declaration(content: bytes) -> Dataset | tuple[DeclarationProblem, ...]:
    """Return the declaration, or all that is wrong with it, in the order of its lines.

    What fields mean together is only looked at once each of them is right.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return (DeclarationProblem(line, "", f"byte 0x{content[error.start]:02x} is not UTF-8"),)
    try:
        document = json.dumps(tomllib.loads(text), default=_date)
    except (ValueError, RecursionError) as error:
        return (_syntax_problem(str(error), text),)
    try:
        return adapter().validate_json(document, strict=True)
    except ValidationError as error:
        lines = locate(text)
        problems = {problem for found in error.errors() for problem in _problems(found, lines)}
    return tuple(sorted(problems))


def _date(value: object) -> dict[str, str]:
    """Stand for a date without quotes, which no field has."""
    return {"date": str(value)}


def _syntax_problem(message: str, text: str) -> DeclarationProblem:
    match = _SYNTAX.fullmatch(message)
    if match is None or match["line"] is None:
        return DeclarationProblem(
            text.rstrip().count("\n") + 1, "", f"not TOML: {match['message'] if match else message}"
        )
    return DeclarationProblem(int(match["line"]), "", f"not TOML: {match['message']}, at column {match['column']}")


def _problems(error: Mapping[str, Any], lines: Mapping[FieldPath, int]) -> Iterator[DeclarationProblem]:
    """Yield the problems that one error of pydantic's means."""
    place: FieldPath = error["loc"]
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, ImpossibleError):
        for problem in cause.problems:
            path, message = _split(problem, place, lines)
            yield DeclarationProblem(line_of(lines, path), _dotted(path), message)
    else:
        yield DeclarationProblem(line_of(lines, place), _dotted(place), _message(error, place))


def _split(problem: str, place: FieldPath, lines: Mapping[FieldPath, int]) -> tuple[FieldPath, str]:
    """Split `columns.size.formats: say …`: names of columns may have full stops and colons of their own."""
    start = len(place)
    inside = {_dotted(path[start:]): path for path in lines if len(path) > start and path[:start] == place}
    known = max((text for text in inside if problem.startswith((f"{text}: ", f"{text}."))), key=len, default="")
    field, _, message = problem.removeprefix(known).partition(": ")
    rest = field.strip(".")
    return (*inside.get(known, place), *((rest,) if rest else ())), message


def _message(error: Mapping[str, Any], place: FieldPath) -> str:
    given, kind = error["input"], error["type"]
    if kind == "missing":
        return "is missing"
    if kind == "unexpected_keyword_argument":
        return _unknown(str(place[-1]), place[:-1])
    if kind == "enum":
        return f"{given!r} is none of {error['ctx']['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    if kind in _WANTED:
        shown = (
            f"the date {given['date']} without quotes"
            if isinstance(given, dict) and [*given] == ["date"]
            else repr(given)
        )
        return f"has to be {_WANTED[kind]}, not {shown}"
    return str(error["msg"])


def _unknown(name: str, place: FieldPath) -> str:
    allowed = _fields_at(place)
    near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
    return f"unknown field; did you mean {near[0]}?" if near else f"unknown field; there are {', '.join(allowed)}"


def _fields_at(place: FieldPath) -> list[str]:
    """Return the fields of the class that stands somewhere in a declaration."""
    kind: Any = Dataset
    for name in place:
        if is_dataclass(kind):
            kind = get_type_hints(kind)[str(name)]
        else:
            kind = get_args(kind)[0 if get_origin(kind) is tuple else 1]
        if get_origin(kind) in {Union, UnionType}:
            kind = next(option for option in get_args(kind) if option is not NoneType)
    return [field.name for field in fields(kind)]


def _dotted(path: FieldPath) -> str:
    return ".".join(map(str, path))
