"""An organisation's own standard for model cards: fields that it wants, who fills them in, and what they may say.

It is a file of TOML; docs/model-cards.md explains it. A field stands among the custom details of a card under its
title, unless it names a place that SageMaker's schema has for it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.card.declared import CUSTOM, OWN_DETAILS, WRITTEN_IN, declared_parts
from analysis.dataset.card import MOST_FIELDS
from analysis.dataset.columns import refuse
from analysis.dataset.declaration import Dataset
from analysis.dataset.reading import built_from
from analysis.runtime.errors import CardError, SettingsError

STANDARD_FILE = "card_standard.toml"
"""Name of the standard beside the scripts, in the code that jobs get."""
_LONGEST_TITLE = 63
_FACTS = tuple(
    f"{CUSTOM}.{name}" for name in ("Git commit", "Execution", "Data SHA-256", "Code SHA-256", "Scores new rows")
)
"""Places that a run fills in."""


@dataclass(frozen=True, kw_only=True)
class CardField:
    """One field that the organisation wants."""

    title: str
    """What readers call it."""
    owner: str
    """Who fills it in: one of the owners of the standard."""
    meaning: str = ""
    """What belongs into it."""
    required: bool = True
    """Whether a version without it is refused."""
    allowed: tuple[str, ...] = ()
    """The only values that it may have."""
    pattern: str = ""
    """A regular expression that all of the value has to match."""
    place: str = ""
    """Where in the card it stands, such as `intended_uses.risk_rating`; by default among the custom details."""


@dataclass(frozen=True, kw_only=True)
class Standard:
    """The fields that a card must have, and may have, beside SageMaker's schema."""

    title: str
    """Of the standard, for the card."""
    version: str
    """Of the standard, for the card."""
    owners: dict[str, str]
    """Who fills fields in → what they add, and when."""
    fields: dict[str, CardField] = field(default_factory=dict)
    """By the name under which the declaration's `[card.fields]` has them."""

    def __post_init__(self) -> None:
        """Raise ValueError, naming the fields, for what is impossible."""
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if len(self.fields) > MOST_FIELDS:
            yield f"fields: a card has room for {MOST_FIELDS} of them, not for {len(self.fields)}"
        seen: dict[str, str] = {}
        for name, one in self.fields.items():
            if one.owner not in self.owners:
                yield f"fields.{name}.owner: {one.owner!r} is none of {', '.join(self.owners)}"
            if not 0 < len(one.title) <= _LONGEST_TITLE:
                yield f"fields.{name}.title: use 1 to {_LONGEST_TITLE} characters"
            if seen.setdefault(one.title, name) != name:
                yield f"fields.{name}.title: {seen[one.title]} has it, too"
            if not one.place and one.title in OWN_DETAILS:
                yield f"fields.{name}.title: every card has {one.title!r} already; use another, or give its place"
            if one.place and one.place not in {*WRITTEN_IN, *_FACTS}:
                yield f"fields.{name}.place: {one.place!r} is none of {', '.join((*WRITTEN_IN, *_FACTS))}"
            try:
                re.compile(one.pattern)
            except re.error as error:
                yield f"fields.{name}.pattern: no regular expression ({error})"


def read_standard(path: Path) -> Standard:
    """Read a standard; raise SettingsError, naming file and field, where it can't be used."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        standard: Standard = built_from(Standard, document)
    except OSError as error:
        raise SettingsError(f"The standard for model cards can't be read: {error}.") from error
    except ValueError as error:  # not TOML, not UTF-8, or not a standard
        raise SettingsError(f"{path}: {error}.") from error
    return standard


def problems_of_card(standard: Standard, card: Mapping[str, Any], *, before_the_run: bool = False) -> list[str]:
    """Return what a card lacks or must not say, each with its owner and the place where it is written.

    before_the_run: leave out what only a run can fill in.
    """
    return [
        f"{name} ({one.title}; {one.owner}): {problem}; {_written_in(name, one)}"
        for name, one in standard.fields.items()
        if not (before_the_run and one.place in _FACTS)
        for problem in _problems_of(one, _value_of(one, card))
    ]


def declared_problems(standard: Standard, dataset: Dataset) -> list[str]:
    """Return what is known to be wrong with every card of a data set, before anything runs."""
    titles = {name: one.title for name, one in standard.fields.items()}
    return problems_of_card(
        standard, declared_parts(dataset, next(iter(dataset.profiles)), titles), before_the_run=True
    )


def refuse_card(standard: Standard, card: Mapping[str, Any]) -> None:
    """Raise CardError with everything that a card lacks of its organisation's standard."""
    problems = problems_of_card(standard, card)
    if problems:
        raise CardError(in_words(standard, problems))


def in_words(standard: Standard, problems: list[str]) -> str:
    """Return one message that has all problems."""
    count = "1 field" if len(problems) == 1 else f"{len(problems)} fields"
    lines = "\n".join(f"- {problem}" for problem in problems)
    return f"The model card does not meet {standard.title}, {standard.version}: {count} of it.\n{lines}"


def _problems_of(one: CardField, value: str) -> Iterator[str]:
    if not value:
        if one.required:
            yield "it is missing"
    elif one.allowed and value not in one.allowed:
        yield f"{value!r:.60} is none of {', '.join(one.allowed)}"
    elif one.pattern and not re.fullmatch(one.pattern, value):
        yield f"{value!r:.60} does not match {one.pattern}"


def _value_of(one: CardField, card: Mapping[str, Any]) -> str:
    place = one.place or f"{CUSTOM}.{one.title}"
    section, _, name = place.partition(".")
    part: Any = card.get(section) or {}
    if place.startswith(f"{CUSTOM}."):
        part, name = part.get("custom_details") or {}, place.removeprefix(f"{CUSTOM}.")
    return str(part.get(name) or "")


def _written_in(name: str, one: CardField) -> str:
    if one.place in _FACTS:
        return "it comes from the run, and the code that was deployed"
    return f"write it in {WRITTEN_IN.get(one.place, f'card.fields.{name}')} of the declaration"
