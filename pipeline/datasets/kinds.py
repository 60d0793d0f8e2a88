"""Guess what a column is from its cells, and say what somebody has to look at."""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from analysis.dataset.columns import Kind, Missing
from pipeline.datasets import toml
from pipeline.datasets.observed import Observed

_MOST_LEVELS, _MOST_CODES, _ROWS_A_LEVEL, _LONGEST_LEVEL = 50, 24, 5, 60
_NAMES_A_ROW = re.compile(r"(?:^|[^a-z])(?:id|no|nr|number|code|key|index|uuid|serial)$", re.IGNORECASE)
_MARGIN = 0.5
"""How far beyond the smallest and largest value limits are, as a share of the spread between these."""
_NEARLY = 0.8
"""A largest value of this share of 1 or 100 means a share or percentage, which ends there."""
_LARGEST = 1e15
_ORDERS = (
    ("no", "yes"),
    ("false", "true"),
    ("off", "on"),
    ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    (
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ),
    ("winter", "spring", "summer", "autumn", "fall"),
    ("morning", "noon", "afternoon", "evening", "night"),
    ("very low", "low", "medium", "moderate", "high", "very high"),
    ("xs", "s", "m", "l", "xl", "xxl"),
    ("tiny", "small", "medium", "large", "huge"),
    ("very bad", "bad", "poor", "fair", "average", "good", "very good", "excellent"),
    ("never", "rarely", "sometimes", "often", "always"),
)


@dataclass(frozen=True)
class Guess:
    """What is written of one column."""

    kind: Kind
    fields: dict[str, str] = field(default_factory=dict)
    """Field → value as TOML."""
    reviews: tuple[str, ...] = ()
    """What somebody has to look at, one sentence each."""

    def with_field(self, name: str, value: str, review: str) -> "Guess":
        """Return the guess with one more field."""
        return replace(self, fields={**self.fields, name: value}).with_review(review)

    def with_review(self, review: str) -> "Guess":
        """Return the guess with one more thing to look at."""
        return replace(self, reviews=(*self.reviews, review))


def guess(seen: Observed) -> Guess:
    """Guess a column that is known before the target is."""
    if not seen.counts:
        found = Guess(Kind.TEXT, {}, ("no row has a value",))
    elif seen.patterns:
        found = _moment(seen)
    elif seen.numbers is not None:
        found = _number(seen)
    else:
        found = _text(seen)
    return _with_missing(found, seen)


def guess_answer(seen: Observed, kind: Kind) -> Guess:
    """Return the target, or a part of it, which have one kind."""
    low, high = _shown(seen.known.min()), _shown(seen.known.max())
    fields = {"unit": toml.text("")} if kind is Kind.MEASURE else {}
    if kind is Kind.COUNT and seen.known.min() < 0:
        fields["minimum"] = low
    found = Guess(kind, fields, (f"seen {low} to {high}",))
    if not seen.missing:
        return found
    return found.with_field("missing", toml.text(Missing.DROP), f"{seen.missing} rows lack it and can't be trained on")


def _with_missing(found: Guess, seen: Observed) -> Guess:
    """Add what becomes of empty cells, where there are some."""
    if not seen.missing:
        return found
    cells = "1 cell is" if seen.missing == 1 else f"{seen.missing} cells are"
    if found.kind in {Kind.DATE, Kind.DATETIME}:
        return found.with_field("missing", toml.text(Missing.DROP), f"{cells} missing; their rows are dropped")
    if found.kind in {Kind.IDENTIFIER, Kind.TEXT}:
        found = replace(found, fields={**found.fields, "missing": toml.text(Missing.PLACEHOLDER)})
        return found.with_field("placeholder", toml.text("unknown"), f"{cells} missing")
    what = "commonest level" if found.kind is Kind.CATEGORY else "median"
    review = f"{cells} missing; the {what} of the training rows stands for them (or: drop, refuse)"
    return found.with_field("missing", toml.text(Missing.FILL), review)


def _moment(seen: Observed) -> Guess:
    first, *others = seen.patterns
    kind = Kind.DATETIME if "HH" in first else Kind.DATE
    reviews = [f"its cells can also be read as {other}" for other in others]
    earliest, latest = min(seen.moments.values()), max(seen.moments.values())
    shown = [str(moment.date() if kind is Kind.DATE else moment) for moment in (earliest, latest)]
    reviews.append(f"from {shown[0]} to {shown[1]}{', as UTC' if first.endswith('zz') else ''}")
    return Guess(kind, {"formats": f"{{ standard = [{toml.text(first)}] }}"}, tuple(reviews))


def _number(seen: Observed) -> Guess:
    values, rows = seen.known, len(seen.cells.codes)
    distinct = np.unique(values)
    if len(distinct) == 1:
        kind = Kind.COUNT if seen.whole and distinct[0] >= 0 else Kind.MEASURE
        return Guess(
            kind, {"never_input": toml.text("it is the same in every row")}, (f"always {_shown(distinct[0])}",)
        )
    if seen.whole and len(distinct) == rows and (seen.counts_rows or _NAMES_A_ROW.search(seen.name)):
        return Guess(Kind.IDENTIFIER, {}, ("each row has a number of its own; if it is a quantity, it is a count",))
    if seen.whole and len(distinct) == 2:  # noqa: PLR2004
        levels = {str(int(value)): str(int(value)) for value in distinct}
        levels = {"0": "no", "1": "yes"} if list(levels) == ["0", "1"] else levels
        return Guess(Kind.FLAG, {"levels": toml.table(levels)}, ("name its two values",))
    if seen.whole and _are_codes(distinct, len(values)):
        levels = {str(int(value)): str(int(value)) for value in distinct}
        review = "few whole numbers without a gap: levels, which need names; if it is a quantity, it is a count"
        return Guess(Kind.CATEGORY, {"levels": toml.table(levels)}, (review, *_rare(seen)))
    low, high = _shown(distinct[0]), _shown(distinct[-1])
    if seen.whole and distinct[0] >= 0:
        return Guess(Kind.COUNT, {}, (f"seen {low} to {high}; give a minimum and a maximum where there are some",))
    fields = {"unit": toml.text(""), **dict(_limits(float(distinct[0]), float(distinct[-1])))}
    return Guess(
        Kind.MEASURE, fields, (f"its unit; seen {low} to {high}, and what lies outside of the limits is refused",)
    )


def _are_codes(distinct: "np.typing.NDArray[np.float64]", rows: int) -> bool:
    """Tell whether whole numbers look like the numbers of levels: few, from 0 or 1, without a gap."""
    gapless = distinct[0] in (0, 1) and distinct[-1] - distinct[0] == len(distinct) - 1
    return bool(gapless and len(distinct) <= _MOST_CODES and rows >= _ROWS_A_LEVEL * len(distinct))


def _text(seen: Observed) -> Guess:
    texts, rows = list(seen.counts), sum(seen.counts.values())
    if len(texts) == 1:
        return Guess(Kind.TEXT, {}, (f"always {toml.text(texts[0])}",))
    short = max(map(len, texts)) <= _LONGEST_LEVEL
    if short and len(texts) <= _MOST_LEVELS and rows >= _ROWS_A_LEVEL * len(texts):
        levels = {text: text for text in ordered(texts)}
        return Guess(
            Kind.CATEGORY,
            {"levels": toml.table(levels)},
            ("its levels in their order, the first is the reference", *_rare(seen)),
        )
    if short and len(texts) == len(seen.cells.codes):
        return Guess(Kind.IDENTIFIER, {}, ("each row has a text of its own",))
    return Guess(Kind.TEXT, {}, (f"{len(texts)} different texts are too many for levels: no input",))


def _rare(seen: Observed) -> Iterator[str]:
    rare = [toml.text(text) for text, count in seen.counts.items() if count < _ROWS_A_LEVEL]
    if rare:
        yield f'rare: {", ".join(rare[:5])}; prepared_as = {{ "rare" = "other" }} prepares a level as another'


def ordered(texts: Iterable[str]) -> list[str]:
    """Return levels in the order of a known scale, or else of numbers and letters."""
    texts = sorted(texts, key=lambda text: (_parts(text), text))
    known = [text.casefold() for text in texts]
    for order in _ORDERS:
        if set(known) <= set(order) and len(set(known)) == len(known):
            return sorted(texts, key=lambda text: order.index(text.casefold()))
    return texts


def _parts(text: str) -> list[str | int]:
    """Split into texts and numbers, in turn, so that 9 comes before 10."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return [int(part) if position % 2 else part for position, part in enumerate(parts)]


def _limits(low: float, high: float) -> Iterator[tuple[str, str]]:
    """Yield limits around what was seen, at round numbers; what is never negative stays so."""
    spread = high - low
    if not 1 / _LARGEST < spread < _LARGEST or max(abs(low), abs(high)) > _LARGEST:
        return
    exponent = math.floor(math.log10(spread)) - 1
    step = next(times for times in (1, 2, 5, 10) if times * 10.0**exponent >= spread / 10)
    unit = step * 10.0**exponent
    least = math.floor((low - _MARGIN * spread) / unit)
    yield "minimum", _multiple(max(least, 0) if low >= 0 else least, step, exponent)
    end = next((end for end in (1, 100) if low >= 0 and _NEARLY * end < high <= end), None)
    yield "maximum", str(end or _multiple(math.ceil((high + _MARGIN * spread) / unit), step, exponent))


def _multiple(times: int, step: int, exponent: int) -> str:
    """Write a decimal number exactly."""
    return str(times * step * 10**exponent) if exponent >= 0 else str(times * step / 10**-exponent)


def _shown(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < _LARGEST else repr(float(value))
