"""Find out what the columns of a table are to each other: answers, copies, sums, keys, and the parts of a moment."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from analysis.dataset.columns import TIMES, Kind
from pipeline.datasets import toml
from pipeline.datasets.cells import Cells
from pipeline.datasets.kinds import Guess, guess, guess_answer
from pipeline.datasets.observed import Observed
from pipeline.datasets.relations import combination, copies, first_rows, followers, is_sum, keys, sums

_LEVELLED = frozenset({Kind.CATEGORY, Kind.FLAG})
_OF_MOMENTS: Mapping[str, Callable[[datetime], int]] = {
    "year": lambda moment: moment.year,
    "month": lambda moment: moment.month,
    "day": lambda moment: moment.day,
    "weekday": lambda moment: moment.isoweekday(),
    "hour": lambda moment: moment.hour,
}


class Findings:
    """What was found in a table with a target; each part looks at what those before it have left."""

    def __init__(self, seen: Mapping[str, Observed], target: str) -> None:
        self.seen = seen
        self.target = target
        self.parts: tuple[str, ...] = ()
        self.rules: list[tuple[str, str, str]] = []  #: Column, form of the rule as TOML, message.
        self.guesses: dict[str, Guess] = {name: guess(column) for name, column in seen.items()}
        self._find_copies_and_sums()
        self._find_answers()
        self._find_followers()
        self.first = first_rows([column.cells for column in seen.values()])
        self.time = next(iter(self._of(TIMES)), None)
        self.counters = [name for name in self._of({Kind.IDENTIFIER}) if seen[name].counts_rows]
        self.keys = self._find_keys()
        if self.time is not None:
            self._find_parts_of_time(self.time)

    def _of(self, kinds: Iterable[Kind]) -> list[str]:
        """Return the columns of these kinds that have all cells and are no answers."""
        return [
            name
            for name, found in self.guesses.items()
            if found.kind in kinds and name not in (self.target, *self.parts) and not self.seen[name].missing
        ]

    def _never(self, name: str, reason: str) -> None:
        """Keep a column from the model."""
        found = self.guesses[name]
        if "never_input" not in found.fields and found.kind in {Kind.MEASURE, Kind.COUNT, *_LEVELLED}:
            self.guesses[name] = found.with_field("never_input", toml.text(reason), reason)

    def _find_copies_and_sums(self) -> None:
        numbers = {
            name: column.numbers
            for name, column in sorted(self.seen.items(), key=lambda item: item[0] != self.target)
            if column.numbers is not None
            and len(np.unique(column.known)) > 1
            and (name == self.target or self.guesses[name].kind is not Kind.IDENTIFIER)
        }
        booleans = {
            name: column.truths
            for name, column in self.seen.items()
            if name != self.target and column.truths is not None
        }
        for copy in list(copies(numbers)):
            why = "gives the answer away" if copy.of == self.target else "repeats another column"
            self._never(copy.column, f"it {why}: it is {copy.formula}")
            del numbers[copy.column]
        for total, addends in sums(numbers):
            if total == self.target:
                self.parts = addends
                continue
            self.rules.append((total, f"sum_of = {toml.texts(addends)}", f"is not {' + '.join(addends)}"))
            why = "gives the answer away" if self.target in addends else "repeats other columns"
            self._never(total, f"it {why}: it is {' + '.join(addends)}")
        if not self.parts:
            self._find_combination(numbers, booleans)

    def _find_combination(
        self, numbers: Mapping[str, NDArray[np.float64]], booleans: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Find the columns from which the target is computed, however many."""
        inputs = {
            name: values
            for name, values in {**numbers, **booleans}.items()
            if name != self.target and "never_input" not in self.guesses[name].fields
        }
        found = combination(numbers[self.target], inputs)
        names = tuple(name for name in self.seen if name in found)
        addends = [inputs[name] for name in names]
        if names and not any(name in booleans for name in names) and is_sum(numbers[self.target], addends):
            self.parts = names
            return
        listed = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
        for name in names:
            self._never(name, f"it gives the answer away: {self.target} is computed from {listed}")

    def _find_answers(self) -> None:
        answers = (self.target, *self.parts)
        whole = all(self.seen[name].whole for name in answers) and self.seen[self.target].known.min() >= 0
        for name in answers:
            self.guesses[name] = guess_answer(self.seen[name], Kind.COUNT if whole else Kind.MEASURE)

    def _find_followers(self) -> None:
        levelled = [
            name
            for name, found in self.guesses.items()
            if found.kind in _LEVELLED and "never_input" not in found.fields
        ]
        for name, other, both in followers([self.seen[name].cells for name in (*levelled, self.target)]):
            if name == self.target:
                self._never(other, "it gives the answer away: each of its values goes with one value of the target")
            elif other == self.target:
                continue
            elif not both:
                review = f"each value of {other} goes with one value of it: as levels, they repeat each other"
                self.guesses[name] = self.guesses[name].with_review(review)
            elif levelled.index(name) > levelled.index(other):
                self._never(name, f"it repeats another column: each of its values goes with one value of {other}")

    def _find_keys(self) -> list[tuple[str, ...]]:
        """Return what tells rows apart, moments first; no number of the row, since another file may count anew."""
        names = [name for name in self._of({Kind.IDENTIFIER}) if name not in self.counters]
        candidates = [*self._of(TIMES), *names, *self._of({*_LEVELLED, Kind.TEXT})]
        return keys([self.seen[name].cells for name in candidates], self.first)

    def _find_parts_of_time(self, time: str) -> None:
        """Find columns that are the month, hour, … of a moment, or go one to one with it."""
        column = self.seen[time]
        for part, of in _OF_MOMENTS.items():
            values = [of(column.moments[text]) if text in column.moments else -1 for text in column.cells.texts]
            numbers = np.array(values, dtype=np.float64)[column.cells.codes]
            known, codes = np.unique(numbers, return_inverse=True)
            if len(known) == 1:
                continue
            calendar = Cells(f"{time}.{part}", tuple(map(str, known)), codes.astype(np.int32))
            for name in self._of({*_LEVELLED, Kind.COUNT}):
                own = self.seen[name].numbers
                if own is not None and np.array_equal(own, numbers):
                    self.rules.append((name, f"equals = {toml.text(calendar.name)}", f"is not the {part} of {time}"))
                elif any(name == one and both for one, _, both in followers([self.seen[name].cells, calendar])):
                    rule = f"one_to_one = {toml.text(calendar.name)}"
                    self.rules.append((name, rule, f"is not the same for each {part} of {time}"))
                else:
                    continue
                if part == "year" and self.guesses[name].kind in _LEVELLED:
                    self.guesses[name] = Guess(
                        Kind.COUNT, {}, (f"counts the years of {time}; a later year is no mistake",)
                    )
