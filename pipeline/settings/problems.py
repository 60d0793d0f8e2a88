"""What is wrong with a setting, said of the key as it stands in TOML and in words instead of patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORDS = {
    "bool_parsing": "has to be true or false",
    "bool_type": "has to be true or false",
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "string_type": "has to be text, in quotes",
    "tuple_type": "has to be a list",
}
#: Types of errors of which the value says nothing more.
_WITHOUT_VALUE = {"extra_forbidden", "missing"}


@dataclass(frozen=True)
class Form:
    """Checks that a text has a form, and says in words which.

    Attributes:
        pattern: regular expression of the whole text.
        words: what the text has to be.
    """

    pattern: str
    words: str

    def __call__(self, value: str | None) -> str | None:
        """The value itself.

        Raises:
            ValueError: it has another form.
        """
        if value is not None and not re.fullmatch(self.pattern, value):
            raise ValueError(f"has to be {self.words}")
        return value


def describe(item: object) -> list[str]:
    """Lines for one error of pydantic: the key as written in TOML, then what is wrong."""
    assert isinstance(item, dict)  # noqa: S101 - pydantic's ErrorDetails
    message = _WORDS.get(item["type"], str(item["msg"]).removeprefix("Value error, "))
    if not item["loc"]:  # of all settings together: the message begins with the key
        return [f"  {message}"]
    # Of a key that is no step pydantic says "[key]", which nobody wrote.
    key = ".".join(str(part) for part in item["loc"] if part != "[key]")
    return [f"  {key}: {message}" + ("" if item["type"] in _WITHOUT_VALUE else f" (got {item['input']!r})")]
