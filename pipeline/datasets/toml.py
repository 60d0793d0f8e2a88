"""Write values as TOML, whatever is in them."""

import json
import re
from collections.abc import Iterable, Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def text(value: str) -> str:
    """Return a basic string in one line: JSON's, with all control characters escaped."""
    return comment(json.dumps(value, ensure_ascii=False))


def comment(line: str) -> str:
    """Return a comment in one line, with what could end it escaped."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04X}", line)


def key(name: str) -> str:
    """Return a name, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else text(name)


def table(values: Mapping[str, str]) -> str:
    """Return an inline table of texts."""
    return f"{{ {', '.join(f'{key(name)} = {text(value)}' for name, value in values.items())} }}"


def texts(values: Iterable[str]) -> str:
    """Return an array of texts."""
    return f"[{', '.join(map(text, values))}]"
