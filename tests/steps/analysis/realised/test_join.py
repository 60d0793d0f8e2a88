"""Outcomes joined with earlier predictions: against a direct reading of the rules, for any history of uploads."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.realised.join import Moment, Outcome, Predicted, Realised, Source, matter, overlap, realised_of
from analysis.realised.settle import Counted, Summary, groups, settled
from analysis.realised.sums import Cell, Sums, added, by_version, sums_of

PROFILES = ("forecast", "parity")
KEYS = "abcdef"


@dataclass(frozen=True)
class File:
    """A published file. rows: key → actual, "" where it is not known; those that are known are no news to the model."""

    number: int
    second: int
    late: int  # seconds from upload to publishing
    version: str
    rows: dict[str, str]

    @property
    def profile(self) -> str:
        return PROFILES[int(self.version) % 2]

    @property
    def moment(self) -> Moment:
        return Moment(at(self.second), f"{self.number:03d}")

    @property
    def source(self) -> Source:
        known = sum(1 for actual in self.rows.values() if actual)
        return Source(
            table=str(self.number),
            profile=self.profile,
            version=self.version,
            execution=f"run{self.number}",
            key=f"raw/{self.number}.csv",
            moment=self.moment,
            predicted_at=at(self.second + self.late),
            first=min(self.rows),
            last=max(self.rows),
            known=known,
            unknown=len(self.rows) - known,
        )

    def predicted(self) -> list[Predicted]:
        value = float(self.number)
        return [
            Predicted(key, str(value), str(value - 3), str(value + 3), actual, not actual)
            for key, actual in self.rows.items()
        ]

    def outcomes(self) -> list[Outcome]:
        return [Outcome(key, (key, "line"), actual) for key, actual in self.rows.items() if actual]


def at(second: int) -> str:
    return f"2026-12-01T00:00:{second:02d}.000Z"


actuals = st.sampled_from(["", "", "5", "5.0", "7", "11.5"])
files = st.lists(
    st.builds(
        File,
        number=st.integers(1, 40),
        second=st.integers(0, 9),
        late=st.integers(0, 4),
        version=st.sampled_from(["1", "2", "3", "10"]),
        rows=st.dictionaries(st.sampled_from(KEYS), actuals, min_size=1),
    ),
    max_size=8,
    unique_by=lambda file: file.number,
)


def results(file: File, everything: Iterable[File], at_once: int = 100) -> dict[str, list[Realised]]:
    """Return what the outcomes of a file realise, by profile."""
    by_table = {str(one.number): one for one in everything}
    sources = matter([one.source for one in by_table.values()], file.moment)
    return {
        profile: list(
            realised_of(
                file.outcomes(),
                file.moment,
                sources,
                lambda source: by_table[source.table].predicted(),
                profile=profile,
                at_once=at_once,
            )
        )
        for profile in PROFILES
    }


def row_sums(row: Realised) -> Sums:
    return sums_of(row.prediction, row.lower, row.upper, row.outcome.actual)


def settled_results(everything: list[File]) -> dict[str, dict[str, Sums]]:
    """Return what counts in the end of each profile: version → sums."""
    found = {}
    for profile in PROFILES:
        tables = {str(file.number): rows for file in everything if (rows := results(file, everything)[profile])}
        moments = {str(file.number): file.moment for file in everything}
        counted = {
            name: [Counted(row.outcome.key, Cell(row.source.version, "day"), row_sums(row)) for row in rows]
            for name, rows in tables.items()
        }
        summaries = [
            Summary(
                profile=profile,
                table=name,
                moment=moments[name],
                rows=len(rows),
                first=min(row.key for row in rows),
                last=max(row.key for row in rows),
                sums=added({row.cell: row.sums} for row in rows),
                joined_by=("key",),
                time_label=None,
            )
            for name, rows in counted.items()
        ]
        found[profile] = by_version(settled(summaries, lambda summary: counted[summary.table]))  # noqa: B023
    return found


def by_the_rules(everything: list[File]) -> dict[str, dict[str, Sums]]:
    """Return the same, read off the rules: row by row, with everything at hand."""
    found: dict[str, dict[str, Sums]] = {profile: {} for profile in PROFILES}
    for key in KEYS:
        known = sorted(file.moment for file in everything if file.rows.get(key))
        if not known:
            continue
        (actual,) = [file.rows[key] for file in everything if file.moment == known[-1]]
        last: dict[str, File] = {}
        for file in sorted(everything, key=lambda file: (file.source.predicted_at, file.moment)):
            if file.rows.get(key) == "" and file.source.predicted_at <= known[0].uploaded_at:
                last[file.version] = file
        for version, file in last.items():
            (row,) = [row for row in file.predicted() if row.key == key]
            sums = found[file.profile]
            sums[version] = sums.get(version, Sums()) + sums_of(row.prediction, row.lower, row.upper, actual)
    return found


@given(files)
def test_what_counts_in_the_end_is_what_the_rules_say(everything: list[File]) -> None:
    found, expected = settled_results(everything), by_the_rules(everything)
    for profile in PROFILES:
        assert found[profile].keys() == expected[profile].keys()
        for version, sums in found[profile].items():
            wanted = expected[profile][version]
            assert (sums.rows, sums.covered) == (wanted.rows, wanted.covered)
            assert (sums.error, sums.absolute, sums.squared) == pytest.approx(
                (wanted.error, wanted.absolute, wanted.squared)
            )


@given(files, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_nor_later_files_change_a_result(
    everything: list[File], chance: random.Random
) -> None:
    shuffled = [*everything]
    chance.shuffle(shuffled)
    for file in everything:
        once = results(file, everything)
        assert results(file, shuffled) == once
        # An execution that repeats sees what was uploaded and published since then, too.
        before = [one for one in everything if one.second <= file.second]
        assert results(file, before) == once
        backwards = File(file.number, file.second, file.late, file.version, dict(reversed(list(file.rows.items()))))
        for profile, rows in results(backwards, everything).items():
            assert sorted(rows, key=str) == sorted(once[profile], key=str)


@given(files, st.integers(1, 3))
def test_parts_of_any_size_give_the_same(everything: list[File], at_once: int) -> None:
    for file in everything:
        assert results(file, everything, at_once) == results(file, everything)


def test_a_prediction_after_the_outcome_or_of_a_known_row_is_never_measured() -> None:
    outcome = File(1, 5, 0, "2", {"a": "5"})
    after, known = File(2, 4, 2, "2", {"a": ""}), File(3, 1, 0, "4", {"a": "6"})
    assert results(outcome, [outcome, after, known])["forecast"] == []
    before = File(4, 0, 0, "4", {"a": ""})
    (row,) = results(known, [outcome, after, known, before])["forecast"]
    assert (row.outcome.actual, row.source.execution) == ("6", "run4")
    # The correction takes the prediction from before the first outcome.
    (row,) = results(outcome, [outcome, after, known, before])["forecast"]
    assert (row.outcome.actual, row.source.execution) == ("5", "run4")


def test_versions_come_in_the_order_of_their_numbers() -> None:
    outcome = File(9, 5, 0, "1", {"a": "5"})
    earlier = [File(number, 0, 0, version, {"a": ""}) for number, version in ((1, "10"), (2, "2"))]
    assert [row.source.version for row in results(outcome, [outcome, *earlier])["forecast"]] == ["2", "10"]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("ac", "bd", True), ("ab", "bc", True), ("ab", "cd", False), ("cd", "ab", False), ("ad", "bc", True)],
)
def test_ranges_that_overlap(one: str, other: str, expected: bool) -> None:
    assert overlap((one[0], one[1]), (other[0], other[1])) is expected


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)).map(sorted)))
def test_results_that_may_share_a_row_are_in_one_group(ranges: list[list[str]]) -> None:
    summaries = [
        Summary("p", str(number), Moment(at(number % 60), str(number)), 1, first, last, {}, ("key",), None)
        for number, (first, last) in enumerate(ranges)
    ]
    found = list(groups(summaries))
    assert sorted(one.table for group in found for one in group) == sorted(one.table for one in summaries)
    for group in found:
        for other in found:
            if group is not other:
                assert not any(overlap((one.first, one.last), (two.first, two.last)) for one in group for two in other)


def test_figures() -> None:
    sums = sums_of("10", "8", "12", "12") + sums_of("10", "8", "9", "12")
    assert sums.figures == {"coverage": 0.5, "mae": 2.0, "rmse": 2.0, "mean_error": 2.0}
