"""Values as Athena writes them into cells of a result."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_PLAIN_FROM, _PLAIN_BELOW = -3, 7
_FLOAT_DIGITS = 9


def text_of(value: Any, *, single: bool = False) -> str:
    """Return the text of a value that is not NULL.

    Args:
        value: as DuckDB returns it.
        single: whether it is a float of four bytes (real).
    """
    if single:
        return _number(value, _single(value))
    return _WRITERS.get(type(value), str)(value)


def _moment(value: datetime) -> str:
    # Athena's timestamps have milliseconds.
    zone = f" {value.tzname()}" if value.tzinfo is not None else ""
    return f"{value.replace(tzinfo=None).isoformat(' ', 'milliseconds')}{zone}"


def _interval(value: timedelta) -> str:
    minutes, seconds = divmod(value.seconds, 60)
    return f"{value.days} {minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{value.microseconds // 1000:03}"


def _pairs(value: dict[Any, Any]) -> str:
    return f"{{{', '.join(f'{_inner(key)}={_inner(item)}' for key, item in value.items())}}}"


def _inner(value: Any) -> str:
    return "null" if value is None else text_of(value)


_WRITERS: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    float: lambda value: _number(value, repr(value)),
    Decimal: lambda value: format(value, "f"),
    bytes: lambda value: value.hex(" "),
    datetime: _moment,
    date: date.isoformat,
    time: lambda value: value.isoformat("milliseconds"),
    timedelta: _interval,
    list: lambda value: f"[{', '.join(map(_inner, value))}]",
    tuple: lambda value: _pairs({f"field{number}": item for number, item in enumerate(value)}),
    dict: _pairs,
}


def quoted(text: str | None) -> str:
    """Return a cell of the CSV file: every text is quoted, NULL is empty."""
    return "" if text is None else '"{}"'.format(text.replace('"', '""'))


def _number(value: float, shortest: str) -> str:
    """Write a number as Java does: 1.0, 1.0E10, -0.0, NaN, Infinity."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(shortest).normalize().as_tuple()
    written = "".join(map(str, digits))
    point = len(written) + int(exponent)
    minus = "-" if sign else ""
    if not value:
        return f"{minus}0.0"
    if not _PLAIN_FROM < point <= _PLAIN_BELOW:
        return f"{minus}{written[0]}.{written[1:] or '0'}E{point - 1}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{written}"
    return f"{minus}{written[:point].ljust(point, '0')}.{written[point:] or '0'}"


def _single(value: float) -> str:
    """Return the shortest decimal that is this number in four bytes."""
    for digits in range(1, _FLOAT_DIGITS):
        text = f"{value:.{digits}g}"
        if math.isfinite(value) and struct.pack("f", float(text)) == struct.pack("f", value):
            return text
    return f"{value:.{_FLOAT_DIGITS}g}"
