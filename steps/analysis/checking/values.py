"""From text cells to typed values: a strict rule for the text first, and only then Arrow's cast.

Arrow alone would take " 7", "0x1F", "inf" and digits of other scripts. All functions take an array of text in which
null is an empty cell, and return values that are null where the text has none.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.checking.problems import Mask
from analysis.dataset.columns import Column, Kind, strptime_format

_NUMBER = r"\A[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\z"
_EXACT_WHOLE = 2.0**53
_FIRST_CENTURY_OF_TWO_DIGITS = 69
"""As POSIX reads two digits: 69 to 99 are of the 1900s, 00 to 68 of the 2000s."""
FLAG_LEVELS = {"0": "no", "1": "yes"}
"""Of a flag whose declaration names none."""
_WIDTHS = {"%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2}
_CALENDAR = (np.datetime64("0001-01-01"), np.datetime64("10000-01-01"))
_ZONE = "(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_HIGHEST = {"%H": 23, "%M": 59, "%S": 59}


@dataclass(frozen=True)
class Typed:
    """Values of one column.

    values: null where the cell is empty or can't be read. wrong: what is the matter → where.
    """

    values: pa.Array
    wrong: dict[str, Mask]


def filled_cells(texts: pa.Array, marks: Collection[str], levels: Collection[str] = ()) -> pa.Array:
    """Return the texts without surrounding space, null where one is a mark of an empty cell and no level."""
    trimmed = pc.utf8_trim_whitespace(texts)
    empty = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array([*marks, ""], pa.string()))
    if levels:
        empty = pc.and_(empty, pc.invert(pc.is_in(trimmed, value_set=pa.array([*levels], pa.string()))))
    return pc.if_else(empty, pa.scalar(None, pa.string()), trimmed)


def typed_cells(texts: pa.Array, column: Column) -> Typed:
    """Type the cells of a column that holds neither dates nor moments."""
    if column.kind is Kind.CATEGORY:
        return level_codes(texts, column)
    if column.kind is Kind.MEASURE:
        return numbers(texts)
    if column.kind in {Kind.COUNT, Kind.FLAG}:
        return whole_numbers(texts)
    return Typed(texts, {})


def numbers(texts: pa.Array) -> Typed:
    """Read numbers, correctly rounded as Python's float() is: what was written by `repr` is read back bit for bit."""
    numeric = pc.match_substring_regex(texts, _NUMBER)
    values = pc.cast(pc.if_else(numeric, texts, pa.scalar(None, pa.string())), pa.float64())
    finite = pc.is_finite(values)
    wrong = {
        "is not a number": where(pc.invert(numeric)),
        "is too large for a double": where(pc.invert(finite)),
    }
    return Typed(pc.if_else(finite, values, pa.scalar(None, pa.float64())), _found(wrong))


def whole_numbers(texts: pa.Array) -> Typed:
    """Read whole numbers, also those that are written 7.0 or 7e0."""
    typed = numbers(texts)
    exact = pc.less(pc.abs(typed.values), _EXACT_WHOLE)
    whole = pc.equal(pc.floor(typed.values), typed.values)
    wrong = {
        **typed.wrong,
        "is not a whole number": where(pc.invert(whole)),
        "is too large for a whole number": where(pc.and_(whole, pc.invert(exact))),
    }
    values = pc.if_else(pc.and_(whole, exact), typed.values, pa.scalar(None, pa.float64()))
    return Typed(pc.cast(values, pa.int64()), _found(wrong))


def level_codes(texts: pa.Array, column: Column) -> Typed:
    """Read levels as the declaration writes them; where all are whole numbers, 1.0 and 01 are 1.

    Other levels than the declared ones are values too, so that a message can name them.
    """
    if not column.has_whole_levels:
        return Typed(texts, {})
    typed = whole_numbers(texts)
    declared = pa.array([*column.levels], pa.string())
    place = pc.index_in(typed.values, value_set=pc.cast(declared, pa.int64()))
    codes = pc.coalesce(declared.take(place), pc.cast(typed.values, pa.string()))
    wrong = where(pc.and_(codes.is_null(), texts.is_valid()))
    return Typed(codes, _found({f"is not one of {allowed_levels(column)}": wrong}))


def allowed_levels(column: Column) -> str:
    """Return the levels with their names, for messages."""
    levels = column.levels or FLAG_LEVELS
    return ", ".join(level if level == called else f"{level} ({called})" for level, called in levels.items())


def moments(texts: pa.Array, pattern: str, kind: Kind) -> tuple[pa.Array, Mask]:
    """Read dates (date32) or moments (timestamp[us], of a zone as UTC) of a declared pattern, such as dd-mm-yy.

    The second value says where a text has the form; where it has and the value is null, it is no day of the calendar.
    """
    layout = strptime_format(pattern)
    zoned = layout.endswith("%z")
    pieces = re.findall(r"%[YymdHMS]|.", layout.removesuffix("%z"))
    shape = "".join(f"[0-9]{{{_WIDTHS[piece]}}}" if piece in _WIDTHS else re.escape(piece) for piece in pieces)
    shape += _ZONE if zoned else ""
    shaped = pc.match_substring_regex(texts, rf"\A{shape}\z")
    matching = pc.if_else(shaped, texts, pa.scalar(None, pa.string()))
    parts: dict[str, npt.NDArray[np.int64]] = {}
    start = 0
    for piece in pieces:
        width = _WIDTHS.get(piece, 1)
        if piece in _WIDTHS:
            digits = pc.cast(pc.utf8_slice_codeunits(matching, start, start + width), pa.int64())
            parts[piece] = pc.fill_null(digits, 1).to_numpy(zero_copy_only=False)
        start += width
    days, valid = _days(parts)
    for piece, highest in _HIGHEST.items():
        if piece in parts:
            valid &= parts[piece] <= highest
    fits = where(shaped)
    if kind is Kind.DATE:
        return pa.array(days, mask=~(fits & valid)), fits
    seconds = sum(parts.get(piece, 0) * unit for piece, unit in (("%H", 3600), ("%M", 60), ("%S", 1)))
    if zoned:
        offsets, known = _offsets(pc.utf8_slice_codeunits(matching, start))
        seconds, valid = seconds - offsets, valid & known
    moments = days.astype("datetime64[us]") + np.asarray(seconds) * np.timedelta64(1_000_000, "us")
    valid &= (moments >= _CALENDAR[0]) & (moments < _CALENDAR[1])
    return pa.array(moments, mask=~(fits & valid)), fits


def _offsets(zones: pa.Array) -> tuple[npt.NDArray[np.int64], Mask]:
    """Return how many seconds zones, such as +02:00, are before UTC, and which of them there can be."""
    digits = pc.replace_substring(pc.replace_substring(zones.fill_null("Z"), "Z", "+0000"), ":", "")
    hours, minutes = (pc.cast(pc.utf8_slice_codeunits(digits, *place), pa.int64()) for place in ((1, 3), (3, 5)))
    sign = pc.if_else(pc.starts_with(digits, "-"), -1, 1).to_numpy(zero_copy_only=False)
    hours, minutes = hours.to_numpy(), minutes.to_numpy()
    return sign * (hours * 3600 + minutes * 60), (hours <= _HIGHEST["%H"]) & (minutes <= _HIGHEST["%M"])


def _days(parts: dict[str, npt.NDArray[np.int64]]) -> tuple[Any, Mask]:
    """Return days, and which of them are in the calendar."""
    if "%Y" in parts:
        years = parts["%Y"]
    else:
        years = parts["%y"] + np.where(parts["%y"] < _FIRST_CENTURY_OF_TWO_DIGITS, 2000, 1900)
    months = (years - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (parts["%m"] - 1)
    days = months.astype("datetime64[D]") + (parts["%d"] - 1)
    of_the_month = (days.astype("datetime64[M]") == months) & (parts["%d"] > 0)
    return days, of_the_month & (parts["%m"] > 0) & (parts["%m"] <= 12) & (years > 0)  # noqa: PLR2004 - months of a year


def where(condition: pa.Array | pa.ChunkedArray) -> Mask:
    """Return where a condition is true, neither false nor null."""
    mask: Mask = np.asarray(pc.fill_null(condition, fill_value=False))
    return mask


def _found(wrong: dict[str, Mask]) -> dict[str, Mask]:
    return {what: mask for what, mask in wrong.items() if mask.any()}
