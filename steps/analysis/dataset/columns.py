"""What a declaration says about one column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

CONFIGURATION = {"extra": "forbid", "use_attribute_docstrings": True}
"""For pydantic, which checks declarations where it is installed; the image lacks it. Its schema is of these classes."""

_WHOLE = re.compile(r"-?[0-9]+")


class ImpossibleError(ValueError):
    """A part of a declaration can't be: all that is wrong with it, each beginning with its field; the text has one."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems[0])


def refuse(problems: Iterable[str]) -> None:
    """Raise ImpossibleError where there is a problem."""
    if found := tuple(problems):
        raise ImpossibleError(found)


class Kind(StrEnum):
    """What the values of a column are."""

    MEASURE = "measure"
    """A real number with a unit."""
    COUNT = "count"
    """A whole number, 0 or more unless `minimum` says otherwise."""
    CATEGORY = "category"
    """One of a few levels; the model gets a dummy variable for each of them but the reference."""
    FLAG = "flag"
    """One of two whole numbers; the model gets the number itself."""
    IDENTIFIER = "identifier"
    """Names the row; never an input."""
    TEXT = "text"
    """Free text; never an input."""
    DATE = "date"
    """A day of the calendar."""
    DATETIME = "datetime"
    """A moment: a day with a time."""


NUMBERS = frozenset({Kind.MEASURE, Kind.COUNT, Kind.FLAG})
TIMES = frozenset({Kind.DATE, Kind.DATETIME})


class Missing(StrEnum):
    """What an empty cell means."""

    REFUSE = "refuse"
    """The file is refused."""
    DROP = "drop"
    """The row is dropped and counted."""
    PLACEHOLDER = "placeholder"
    """The value `placeholder` stands for it."""
    FILL = "fill"
    """The median of the training rows stands for it, or the commonest level."""


_QUANTILE_NAMES = {
    3: ("lowest third", "middle third", "highest third"),
    4: ("lowest quarter", "second quarter", "third quarter", "highest quarter"),
}


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Labelled intervals of a number, in its unit: fixed ones by `edges` and `labels`, or learned ones by `quantiles`.

    Each interval holds its lower edge and not its upper one, but the last holds both.
    """

    __pydantic_config__ = CONFIGURATION

    edges: tuple[float, ...] = ()
    """Rising; one more than labels. The outer ones are the column's `minimum` and `maximum`."""
    labels: tuple[str, ...] = ()
    """The name of each interval."""
    quantiles: int | None = None
    """How many intervals with equally many training rows are learned, instead of fixed ones."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each bin, the lowest first; learned ones are named by their place."""
        if self.quantiles is None:
            return self.labels
        count = self.quantiles
        return _QUANTILE_NAMES.get(count, tuple(f"part {part} of {count}" for part in range(1, count + 1)))

    def __post_init__(self) -> None:
        """Raise ValueError, naming the fields, for bins that are impossible."""
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if (self.quantiles is None) == (not self.edges):
            yield "edges: bins have either edges and labels, or quantiles"
            return
        if self.quantiles is not None and not 2 <= self.quantiles <= 20:  # noqa: PLR2004
            yield "quantiles: use 2 to 20"
        if self.edges and len(self.edges) != len(self.labels) + 1:
            yield f"labels: {len(self.edges)} edges have {len(self.edges) - 1} intervals between them"
        if list(self.edges) != sorted(set(self.edges)):
            yield "edges: they have to rise"
        if len(set(self.labels)) != len(self.labels):
            yield "labels: each needs a name of its own"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the table."""

    __pydantic_config__ = CONFIGURATION

    kind: Kind
    """What its values are."""
    description: str = ""
    """What it is, in a few words, for report and model card."""
    unit: str = ""
    """Of a measure, as readers write it."""
    headers: tuple[str, ...] = ()
    """Other names under which files have it. Case and surrounding spaces never matter."""
    minimum: float | None = None
    """The smallest possible value; smaller ones are refused."""
    maximum: float | None = None
    """The largest possible value; larger ones are refused."""
    usual_minimum: float | None = None
    """Smaller values are possible but strange: a finding, no refusal."""
    usual_maximum: float | None = None
    """Larger values are possible but strange: a finding, no refusal."""
    scales: dict[str, float] = field(default_factory=dict)
    """Form of the file → what its values are multiplied by to get the unit."""
    formats: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Form of the file → how it writes dates or moments, of yyyy, yy, mm, dd, HH, MM, SS and,
    at the end, zz: `Z`, `+hh:mm` or `+hhmm`. Moments of a zone are converted to UTC."""
    levels: dict[str, str] = field(default_factory=dict)
    """Of a category or flag: value in the file → name for readers, in their order."""
    reference: str | None = None
    """The level without a dummy variable; the first one by default."""
    prepared_as: dict[str, str] = field(default_factory=dict)
    """Level that is too rare to learn from → the level as which it is prepared, and counted."""
    bins: Bins | None = None
    """Intervals by which report and, where a profile says so, model see the number."""
    missing: Missing = Missing.REFUSE
    """What an empty cell means."""
    placeholder: str | None = None
    """The value that stands for an empty cell."""
    indicator: bool = False
    """Whether the model also gets a flag for the rows whose cell was empty."""
    never_input: str = ""
    """Why the model must not have it, as a sentence without its first capital; empty where it may."""
    optional: bool = False
    """Whether files may lack the column."""
    known_afterwards: bool = False
    """Whether it is known only when the target is. A model that takes it can score no new row, as with the target's
    parts, and is not put into use."""

    def __post_init__(self) -> None:
        """Raise ValueError, naming the fields, for what is impossible."""
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        for name in self._given():
            if self.kind not in _FITS[name]:
                kinds = ", ".join(kind for kind in Kind if kind in _FITS[name])
                yield f"{name}: it is for {kinds}, and not for {self.kind}"
        yield from self._problems_of_levels()
        yield from self._problems_of_numbers()
        if (self.missing is Missing.PLACEHOLDER) != (self.placeholder is not None):
            yield 'placeholder: it goes together with missing = "placeholder"'
        if self.indicator and self.missing not in {Missing.FILL, Missing.PLACEHOLDER}:
            yield 'indicator: it is for missing = "fill" or "placeholder", where rows with empty cells stay'
        if self.missing is Missing.FILL and self.kind not in NUMBERS | {Kind.CATEGORY}:
            yield f"missing: there is nothing to learn that could stand for a {self.kind}"
        if self.kind in TIMES and not self.formats:
            yield 'formats: say how it is written, as in formats = { standard = ["yyyy-mm-dd"] }'
        for pattern in (pattern for patterns in self.formats.values() for pattern in patterns):
            try:
                strptime_format(pattern)
            except ValueError as error:
                yield str(error)

    def _given(self) -> list[str]:
        return [name for name in _FITS if getattr(self, name) not in (None, "", (), {})]

    def _problems_of_levels(self) -> Iterator[str]:
        if self.kind is Kind.CATEGORY and len(self.levels) < 2:  # noqa: PLR2004
            yield 'levels: name at least two, as in levels = { 1 = "clear", 2 = "mist" }'
        if self.kind is Kind.FLAG and self.levels and (len(self.levels) != 2 or not self.has_whole_levels):  # noqa: PLR2004
            yield "levels: a flag has two, and they are whole numbers"
        if len(set(self.levels.values())) != len(self.levels):
            yield "levels: each needs a name of its own"
        asked: dict[str, list[str | None]] = {
            "reference": [self.reference],
            "prepared_as": [*self.prepared_as, *self.prepared_as.values()],
        }
        if self.kind is Kind.CATEGORY:
            asked["placeholder"] = [self.placeholder]
        for name, levels in asked.items():
            for level in levels:
                if level is not None and level not in self.levels:
                    yield f"{name}: {level!r} is not one of the levels {', '.join(self.levels)}"
        chained = set(self.prepared_as) & {*self.prepared_as.values(), self.reference}
        if chained:
            yield f"prepared_as: {min(map(str, chained))!r} can't also stand for another level"

    def _problems_of_numbers(self) -> Iterator[str]:
        limits = [self.minimum, self.usual_minimum, self.usual_maximum, self.maximum]
        known = [limit for limit in limits if limit is not None]
        if known != sorted(known):
            yield "minimum: minimum, usual_minimum, usual_maximum and maximum have to rise"
        if any(not scale > 0 for scale in self.scales.values()):
            yield "scales: a scale is more than 0"
        if self.scales and (self.minimum is None or self.maximum is None):
            yield "scales: a form can only be told by its range; give minimum and maximum, in the unit"
        if (
            self.bins is not None
            and self.bins.edges
            and [*self.bins.edges[:: len(self.bins.edges) - 1]]
            != [
                self.minimum,
                self.maximum,
            ]
        ):
            yield "bins: the outer edges are minimum and maximum, so that every valid value has its bin"

    @property
    def has_whole_levels(self) -> bool:
        """Whether every level is written as a whole number, so that 1 and 1.0 are the same one."""
        return bool(self.levels) and all(_WHOLE.fullmatch(level) for level in self.levels)

    @property
    def modelled_levels(self) -> tuple[str, ...]:
        """The levels that get a dummy variable, in order, the reference first: all but those prepared as another."""
        levels = [level for level in self.levels if level not in self.prepared_as]
        first = levels[0] if self.reference is None else self.reference
        return (first, *(level for level in levels if level != first))


_ORDERED = frozenset({Kind.MEASURE, Kind.COUNT})
_LEVELLED = frozenset({Kind.CATEGORY, Kind.FLAG})
_ANY = frozenset(Kind)
_FITS: dict[str, frozenset[Kind]] = {
    "unit": _ORDERED,
    "minimum": _ORDERED,
    "maximum": _ORDERED,
    "usual_minimum": _ORDERED,
    "usual_maximum": _ORDERED,
    "scales": frozenset({Kind.MEASURE}),
    "formats": TIMES,
    "levels": _LEVELLED,
    "reference": frozenset({Kind.CATEGORY}),
    "prepared_as": frozenset({Kind.CATEGORY}),
    "bins": _ORDERED,
    "placeholder": _ANY - TIMES,
    "never_input": NUMBERS | {Kind.CATEGORY},
}
"""Field → the kinds that it is for."""

_TOKENS = {"yyyy": "%Y", "yy": "%y", "mm": "%m", "dd": "%d", "HH": "%H", "MM": "%M", "SS": "%S", "zz": "%z"}
_TOKEN = re.compile("|".join(_TOKENS))


def strptime_format(pattern: str) -> str:
    """Translate a declared format, such as dd-mm-yy or yyyy-mm-dd HH:MM, to that of `strptime`."""
    found = _TOKEN.findall(pattern)
    rest = _TOKEN.sub("", pattern)
    if len(set(found)) != len(found) or not {"mm", "dd"} <= set(found) or len({"yyyy", "yy"} & set(found)) != 1:
        raise ValueError(f"formats: {pattern!r} needs one year (yyyy or yy), one mm and one dd")
    if "zz" in found and not ("HH" in found and pattern.endswith("zz")):
        raise ValueError(f"formats: {pattern!r} has a zone (zz), which is for hours (HH) and stands at the end")
    if re.search(r"[0-9A-Za-z%]", rest.replace("T", "", 1)):
        raise ValueError(f"formats: {pattern!r} has {rest!r} beside yyyy, yy, mm, dd, HH, MM, SS and zz")
    return _TOKEN.sub(lambda match: _TOKENS[match[0]], pattern)


def plain_name(header: str) -> str:
    """Return a column's name without what files spell differently: case, spaces, underscores, hyphens, full stops."""
    return re.sub(r"[\s_.\-]+", " ", header).strip().casefold()
