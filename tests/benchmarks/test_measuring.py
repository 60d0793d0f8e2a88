"""Benchmarks alternate, keep every sample, and say how figures grow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.measuring import Comparison, Sample, Series, alternating, print_table, read_json, run, write_json
from benchmarks.page import draw, section


def series(way: str, size: int, *seconds: float, mib: float = 50.0) -> Series:
    return Series(way, size, tuple(Sample(value, value, mib) for value in seconds))


def compared(*every: Series, load: float = 0.0) -> Comparison:
    return Comparison("preprocess", "rows", every, cores=2, load=load)


def test_ways_take_turns_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []

    def way(name: str) -> Sample:
        order.append(name)
        return Sample(float(len(order)))

    found = alternating({"a": lambda: way("a"), "b": lambda: way("b")}, rounds=2, size=10)
    assert "".join(order) == "baabba"
    assert [[sample.seconds for sample in one.samples] for one in found] == [[3.0, 6.0], [4.0, 5.0]]


def test_a_process_is_measured_by_its_own_use() -> None:
    found = run([sys.executable, "-c", "held = bytearray(200 << 20); held[::4096] = b'1' * len(held[::4096])"])
    assert found.peak_mib is not None
    assert found.peak_mib > 200
    assert found.cpu_seconds is not None
    assert 0 < found.cpu_seconds <= found.seconds * 8


def test_a_command_that_fails_ends_the_benchmark_with_its_output() -> None:
    with pytest.raises(SystemExit, match=r"(?s)exit code 3.*said why"):
        run([sys.executable, "-c", "import sys; print('said why'); sys.exit(3)"])


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_growth_is_the_exponent_of_the_size(exponent: float) -> None:
    found = compared(*(series("a", size, 3.0 * size**exponent) for size in (10, 100, 1000)))
    assert found.growth("a") == pytest.approx(exponent)


def test_growth_needs_two_sizes() -> None:
    assert compared(series("a", 10, 1.0)).growth("a") is None


def test_ratios_are_of_the_rounds() -> None:
    found = compared(series("a", 10, 1.0, 2.0), series("b", 10, 5.0, 4.0))
    assert found.ratios("a", "b", 10) == [5.0, 2.0]
    assert found.ratios("a", "c", 10) == []


def test_results_are_read_back(tmp_path: Path) -> None:
    found = compared(series("a", 10, 1.0, 2.0), series("b", 10, 5.0, 4.0), load=0.3)
    write_json([found, found], tmp_path / "found.json")
    assert read_json(tmp_path / "found.json") == [found, found]


@pytest.mark.parametrize(("load", "busy"), [(0.2, False), (1.7, True)])
def test_a_busy_machine_is_said_to_be_busy(load: float, busy: bool, capsys: pytest.CaptureFixture[str]) -> None:
    found = compared(series("a", 10, 1.0), load=load)
    print_table(found)
    assert ("the machine was busy before" in capsys.readouterr().out) is busy
    assert ("the machine was busy before" in section(found, "")) is busy


def test_the_page_shows_medians_ratios_and_growth(tmp_path: Path) -> None:
    every: Sequence[Series] = [
        series(way, size, *(factor * size * share for share in (0.9, 1.0, 1.1)))
        for way, factor in (("ours", 0.01), ("theirs", 0.05))
        for size in (100, 1000)
    ]
    text = section(compared(*every), "plot.svg")
    assert "| 1,000 | theirs | 50.00 (45.00 to 55.00) | 50.00 | 50.00 | 5.00 |" in text
    assert "ours: time 1.00, memory 0.00" in text
    for name in ("one.svg", "two.svg"):
        draw(compared(*every), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
