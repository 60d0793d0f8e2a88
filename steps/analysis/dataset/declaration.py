"""The declaration of a data set: what its table, its rows and its models are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from itertools import chain

from analysis.dataset.card import Card
from analysis.dataset.columns import CONFIGURATION, TIMES, Column, Kind, plain_name, refuse
from analysis.dataset.operands import problems_of_operands
from analysis.dataset.past import Past, problems_of_past
from analysis.dataset.rules import Rule
from analysis.runtime.names import PROFILE_NAME

_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
MARKS = ("", "na", "n/a", "nan", "null", "none", "#n/a", "-", "?")

TAKEN = ("line",)
"""Names that a job needs beside the columns: it keeps the line of each row."""


class Repeated(StrEnum):
    """What a row means that is there already, or whose key is."""

    REFUSE = "refuse"
    """The file is refused."""
    DROP = "drop"
    """The first one is kept, the others are dropped and counted."""
    KEEP = "keep"
    """They are different things that happen to look alike."""


@dataclass(frozen=True, kw_only=True)
class Noun:
    """A word for readers."""

    __pydantic_config__ = CONFIGURATION

    one: str
    """One of them, without an article: `day`."""
    many: str
    """Several of them: `days`."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """How report, model card and predictions speak of the table."""

    __pydantic_config__ = CONFIGURATION

    row: Noun
    """What a row is."""
    target: str
    """What is predicted: `daily sales`."""
    unit: Noun
    """What the target is counted or measured in: one `euro`, many `euros`."""
    use: str
    """What predictions are for, as a sentence, for the model card."""
    limits: str = ""
    """What the model can't do, as sentences, for the model card."""


@dataclass(frozen=True, kw_only=True)
class OtherTable:
    """Columns by which a file is recognised as another table than this one."""

    __pydantic_config__ = CONFIGURATION

    columns: tuple[str, ...]
    """A file that has one of them is the other table."""
    message: str
    """What to tell the sender: what the file is, and what is wanted."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One way of modelling the table."""

    __pydantic_config__ = CONFIGURATION

    description: str
    """What the model is for, in one sentence."""
    inputs: tuple[str, ...] = ()
    """The columns that it gets; by default all that may be inputs, in the order of the declaration."""
    model_columns: tuple[str, ...] = ()
    """Exactly these columns of the model, dummy variables by their names (`month_1`), as a published analysis has them.

    Nothing is selected among them then.
    """
    parts_of_target: bool = False
    """Whether the parts of the target are inputs too. They are the answer: such a model can score no new row."""
    binned: tuple[str, ...] = ()
    """Inputs that enter as dummy variables of their bins."""
    past: tuple[str, ...] = ()
    """Features of the past that it gets as well, after all other columns."""
    first_levels: bool = False
    """Whether the reference levels get a dummy variable as well."""
    scaled: bool = True
    """Whether numbers are min-max scaled, with bounds of the training rows."""
    feature_count: int | None = None
    """How many columns recursive feature elimination keeps; by default all of them."""
    repeated_rows: Repeated | None = None
    """Instead of the table's, for this model."""
    known_leaks: tuple[str, ...] = ()
    """Columns that are known to give the target away, so that finding them fails nothing."""


class GateFigure(StrEnum):
    """Rows on which a model is measured before it is registered."""

    RANDOM = "random"
    """The test rows of the random split."""
    CHRONOLOGICAL = "chronological"
    """The latest rows, by a refit on the rows before them."""
    ROLLING = "rolling"
    """The latest rows, by refits on all rows before each fold (rolling origin)."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What a model has to reach before it is registered. An environment may ask for more."""

    __pydantic_config__ = CONFIGURATION

    figure: GateFigure = GateFigure.RANDOM
    """Whose R-squared decides."""
    minimum_r_squared: float
    """Of that figure."""
    leakage: float = 0.999
    """Adjusted R-squared of the target on the inputs from which the answer counts as given away."""
    minimum_rows: int = 60
    """Fewer are not trained on."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One published figure."""

    __pydantic_config__ = CONFIGURATION

    label: str
    """For readers."""
    name: str
    """Its name in the summary of the fit or in the evaluation, or the model column whose coefficient it is."""
    published: str
    """As printed."""
    form: str
    """Python's format of the reproduced number."""
    judged: bool = True
    """Whether both have to be equal when written so; figures of rounding noise differ from machine to machine."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """Figures that somebody has published for one profile; the report sets this run's beside them."""

    __pydantic_config__ = CONFIGURATION

    profile: str
    """The profile that reproduces them."""
    source: str
    """Who published them, where."""
    sha256: str = ""
    """Of the file that they are of."""
    figures: tuple[Figure, ...]
    """In the order of the report."""


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One form in which the table is published, by what it holds."""

    __pydantic_config__ = CONFIGURATION

    rows: int
    """How many rows it has."""
    target_sum: float
    """The sum of the target over all of them."""


@dataclass(frozen=True, kw_only=True)
class Download:
    """Where the table can be had."""

    __pydantic_config__ = CONFIGURATION

    url: str
    """Of a zip archive with the table, or of the CSV itself."""
    member: str
    """Name of the file, in the archive and here."""
    page: str
    """For people, where it is described."""
    editions: tuple[Edition, ...]
    """What is accepted as the table."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A table, and all that the project knows about it."""

    __pydantic_config__ = CONFIGURATION

    name: str
    """Part of the names of resources: at most 20 small letters, digits and hyphens."""
    title: str
    """For readers."""
    description: str
    """What the table holds, in a sentence or two."""
    source: str
    """Where the data is from, with its licence."""
    words: Words
    """How texts speak of it."""
    columns: dict[str, Column]
    """Its columns, in their published order; names as files have them."""
    target: str
    """The column that is predicted."""
    parts: tuple[str, ...] = ()
    """Columns whose sum is the target, known only when it is."""
    key: tuple[str, ...] = ()
    """Columns that name a row; without any, a row is named by the content of its input cells."""
    time: str | None = None
    """The column that says when a row happened."""
    repeated_rows: Repeated = Repeated.REFUSE
    """What a row means that equals an earlier one."""
    repeated_keys: Repeated = Repeated.REFUSE
    """What a row means whose key an earlier one has; keys can't be kept twice."""
    missing_marks: tuple[str, ...] = MARKS
    """Texts that mean an empty cell, in small letters."""
    rules: tuple[Rule, ...] = ()
    """What holds between columns."""
    other_tables: tuple[OtherTable, ...] = ()
    """Tables that are taken for this one by mistake."""
    past: dict[str, Past] = field(default_factory=dict)
    """Features that earlier rows give a row: lags, and means of a window. For tables with a time in their key."""
    profiles: dict[str, Profile]
    """The ways of modelling it; the first one is the default."""
    gate: Gate
    """What a model has to reach."""
    published: tuple[Published, ...] = ()
    """Figures to set this run's beside."""
    download: Download | None = None
    """Where the table can be had."""
    card: Card = field(default_factory=Card)
    """What people say about its models, for their model cards."""

    def __post_init__(self) -> None:
        """Raise ValueError, naming the fields, for what is wrong in combination."""
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield "name: use at most 20 small letters, digits and hyphens, a letter first"
        unknown = list(self._unknown_names())
        yield from unknown
        yield from self._problems_of_spellings()
        if self.repeated_keys is Repeated.KEEP:
            yield "repeated_keys: a key names one row; refuse or drop further ones"
        if not unknown:
            yield from self._problems_of_kinds()
            yield from self._problems_of_target()
            yield from problems_of_past(self.past, self.columns, {*self.inputs, *self.answers}, self.key, self.time)
            for name, profile in self.profiles.items():
                if not PROFILE_NAME.fullmatch(name):
                    yield f"profiles.{name}: use at most 40 small letters, digits and hyphens; not -latest at the end"
                yield from self._problems_of_profile(f"profiles.{name}", profile)
        yield from self._problems_of_forms()
        if not self.profiles:
            yield "profiles: at least one is needed"
        for number, published in enumerate(self.published):
            if published.profile not in self.profiles:
                yield f"published.{number}.profile: there is no profile {published.profile!r}"

    def _unknown_names(self) -> Iterator[str]:
        named = {
            "target": [self.target],
            "parts": self.parts,
            "key": self.key,
            "time": [] if self.time is None else [self.time],
            **{f"rules.{number}": rule.columns() for number, rule in enumerate(self.rules)},
            **{f"past.{name}.column": [feature.column] for name, feature in self.past.items()},
        }
        for where, names in named.items():
            yield from (f"{where}: {self._no_column(name)}" for name in names if name not in self.columns)

    def _problems_of_kinds(self) -> Iterator[str]:
        calendar = [("time", self.time)] if self.time is not None else []
        calendar += [
            (f"rules.{number}", name) for number, rule in enumerate(self.rules) for name in rule.dated_columns()
        ]
        for where, name in calendar:
            if self.columns[name].kind not in TIMES:
                yield f"{where}: {name} is of kind {self.columns[name].kind}, not date or datetime"
        for number, rule in enumerate(self.rules):
            yield from (f"rules.{number}.{problem}" for problem in problems_of_operands(rule, self.columns))

    def _problems_of_spellings(self) -> Iterator[str]:
        for name in TAKEN:
            if name in self.columns:
                yield f"columns.{name}: jobs keep each row's line by this name; use {name}_, which files match, too"
        for spelling, names in self._spellings():
            if len(names) > 1:
                yield f"columns.{names[1]}: files could not tell it from {names[0]} by the name {spelling!r}"

    def _spellings(self) -> Iterator[tuple[str, list[str]]]:
        spelled: dict[str, list[str]] = {}
        for name, column in self.columns.items():
            for spelling in {plain_name(header) for header in (name, *column.headers)}:
                spelled.setdefault(spelling, []).append(name)
        yield from spelled.items()

    def _problems_of_target(self) -> Iterator[str]:
        kind = self.columns[self.target].kind
        if kind not in {Kind.MEASURE, Kind.COUNT}:
            yield f"target: {self.target} is of kind {kind}; a regression predicts a measure or a count"
        for part in self.parts:
            if self.columns[part].kind is not kind:
                yield f"parts: {part} is of kind {self.columns[part].kind}, the target of kind {kind}"
        if len(self.parts) == 1:
            yield "parts: a sum has at least two"
        overlap = {self.target, *self.parts} & {*self.key, self.time}
        if overlap:
            yield f"key: {min(map(str, overlap))} is only known afterwards and can't name a row"

    def _problems_of_forms(self) -> Iterator[str]:
        for name, column in self.columns.items():
            if column.kind in TIMES and set(column.formats) != set(self.forms):
                yield f"columns.{name}.formats: say for each of the forms {', '.join(self.forms)} how"

    def _problems_of_profile(self, where: str, profile: Profile) -> Iterator[str]:
        allowed = [*self.inputs, *(self.parts if profile.parts_of_target else ())]
        for name in profile.inputs:
            if name not in allowed:
                yield f"{where}.inputs: {self._why_no_input(name)}"
        for name in profile.binned:
            if name not in self.inputs or self.columns[name].bins is None:
                yield f"{where}.binned: {name} is no input with bins"
        for name in profile.past:
            if name not in self.past:
                yield f"{where}.past: there is no feature of the past {name!r}" + _hint(name, self.past)
        if profile.parts_of_target and not self.parts:
            yield f"{where}.parts_of_target: the target has no parts"
        if profile.feature_count is not None and profile.feature_count < 1:
            yield f"{where}.feature_count: keep at least one column"
        if profile.model_columns and (profile.inputs or profile.binned or profile.feature_count is not None):
            yield f"{where}.model_columns: nothing is chosen then; leave out inputs, binned, feature_count"

    def _why_no_input(self, name: str) -> str:
        if name not in self.columns:
            return self._no_column(name)
        return f"{name} is no input: {self.columns[name].never_input or f'it is of kind {self.columns[name].kind}'}"

    def _no_column(self, name: str) -> str:
        return f"there is no column {name!r}" + _hint(name, self.columns)

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """Names of the forms that files may have, the unscaled one first: `standard`, where no date names it."""
        named = chain.from_iterable([*column.formats, *column.scales] for column in self.columns.values())
        scaled = {form for column in self.columns.values() for form in column.scales}
        unnamed = [] if any(column.formats for column in self.columns.values()) else ["standard"]
        return tuple(sorted(dict.fromkeys([*unnamed, *named]), key=lambda form: form in scaled))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The columns that a model may have, in the order of the declaration."""
        answers = {self.target, *self.parts}
        never = TIMES | {Kind.IDENTIFIER, Kind.TEXT}
        return tuple(
            name
            for name, column in self.columns.items()
            if name not in answers and column.kind not in never and not column.never_input
        )

    @property
    def answers(self) -> tuple[str, ...]:
        """The parts of the target and the target: what becomes known later than the rest."""
        return (*self.parts, self.target)

    @property
    def known_before(self) -> tuple[str, ...]:
        """All columns but the answers, in the order of the declaration."""
        return tuple(name for name in self.columns if name not in self.answers)

    def of_kind(self, *kinds: Kind, among: Collection[str] | None = None) -> tuple[str, ...]:
        """Return the columns of these kinds, in the order of the declaration."""
        names = self.columns if among is None else among
        return tuple(name for name in self.columns if name in names and self.columns[name].kind in kinds)


def _hint(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
