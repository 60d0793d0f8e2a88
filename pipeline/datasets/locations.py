"""Where each field of a TOML document stands; Python's parser does not say."""

import re
import tomllib
from collections.abc import Mapping
from typing import NamedTuple

Path = tuple[str | int, ...]
"""Names of tables and fields, and positions in arrays, from the outside in."""

_TOKEN = re.compile(
    r"""
      (?P<text>\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5}|"(?:[^"\\]|\\.)*"|'[^']*')
    | (?P<comment>\#[^\n]*)
    | (?P<end>\n)
    | (?P<mark>[\[\]{}=,.])
    | (?P<bare>[^\s\[\]{}=,."'\#]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_IGNORED = {"comment", "end"}


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def locate(text: str) -> Mapping[Path, int]:
    """Return field → line, counted from 1, of a document that `tomllib` reads; a table's line is its first one.

    Inline tables, elements of arrays and tables that only their subtables name have their lines, too.
    """
    return _Scanner(text).lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of a field, or of what it is missing in."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Scanner:
    """Goes through the tokens once; that the document is valid leaves few cases."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}
        self._tokens = _tokens(text)
        self._next = 0
        place: Path = ()
        while self._skip(_IGNORED):
            if self._peek().text == "[" and self._peek().kind == "mark":
                place = self._header()
            else:
                self._field(place)

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _skip(self, kinds: set[str]) -> bool:
        """Go on to a token of another kind, if there is one."""
        while self._next < len(self._tokens) and self._peek().kind in kinds:
            self._next += 1
        return self._next < len(self._tokens)

    def _is(self, *marks: str) -> bool:
        return self._skip(_IGNORED) and self._peek().kind == "mark" and self._peek().text in marks

    def _record(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _header(self) -> Path:
        """Read `[a.b]` or `[[a.b]]`; a name of an array of tables means its last one."""
        line = self._take().line
        repeated = self._is("[") and bool(self._take())
        *outer, last = self._names()
        place: Path = ()
        for name in outer:
            place = self._newest((*place, name))
        place = (*place, last)
        if repeated:
            self._tables[place] = self._tables.get(place, -1) + 1
        place = self._newest(place)
        self._record(place, line)
        while self._is("]"):
            self._take()
        return place

    def _newest(self, place: Path) -> Path:
        return (*place, self._tables[place]) if place in self._tables else place

    def _names(self) -> list[str]:
        names = [_name(self._take())]
        while self._is("."):
            self._take()
            names.append(_name(self._take()))
        return names

    def _field(self, place: Path) -> None:
        line = self._peek().line
        path = (*place, *self._names())
        self._record(path, line)
        self._take()
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._is("["):
            self._take()
            position = 0
            while not self._is("]"):
                self._record((*path, position), self._peek().line)
                self._value((*path, position))
                position += 1
                if self._is(","):
                    self._take()
            self._take()
        elif self._is("{"):
            self._take()
            while not self._is("}"):
                self._field(path)
                if self._is(","):
                    self._take()
            self._take()
        else:
            self._plain()

    def _plain(self) -> None:
        """Read a value of one line; a number has a full stop in it, a moment may have a space."""
        self._take()
        while self._next < len(self._tokens):
            token = self._peek()
            if token.kind in _IGNORED or (token.kind == "mark" and token.text in "]},"):
                return
            self._take()


def _tokens(text: str) -> list[_Token]:
    tokens, line, position = [], 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", position, match.start())
        tokens.append(_Token(match.lastgroup or "", match[0], line))
        position = match.start()
    return tokens


def _name(token: _Token) -> str:
    if token.kind == "bare":
        return token.text
    (name,) = tomllib.loads(f"{token.text} = 0")
    return name
