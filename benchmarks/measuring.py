"""Measure commands against their peers: in turn, each in a process of its own, with the machine's state beside it."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_BUSY = 0.5
"""Load average per core, before the first run, above which other work is said to have run beside."""


@dataclass(frozen=True)
class Sample:
    """One run: seconds by the clock, seconds of all cores, and the peak of resident memory in MiB.

    The last two are None for what is no process of its own, such as a pipeline on an endpoint.
    """

    seconds: float
    cpu_seconds: float | None = None
    peak_mib: float | None = None


Way = Callable[[], Sample]


@dataclass(frozen=True)
class Series:
    """Runs of one way at one size: what is compared, in the order in which the rounds took place."""

    way: str
    size: int
    samples: Sequence[Sample]

    @property
    def seconds(self) -> float:
        """The median of the samples."""
        return statistics.median(sample.seconds for sample in self.samples)

    def median(self, what: str) -> float | None:
        """Return the median of one figure of the samples; None where it was not measured."""
        found = [value for sample in self.samples if (value := getattr(sample, what)) is not None]
        return statistics.median(found) if found else None


@dataclass(frozen=True)
class Comparison:
    """A benchmark's results, with what a reader needs to judge them.

    Attributes:
        name: of the benchmark's module.
        unit: of sizes, in the plural, such as rows.
        series: one for each way and size.
        cores: of the machine.
        load: its load average in the minute before the first run.
    """

    name: str
    unit: str
    series: Sequence[Series]
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    load: float = 0.0

    @property
    def busy(self) -> bool:
        """Say whether other work ran before the first run, and probably beside it."""
        return self.load > _BUSY * self.cores

    def sizes(self) -> list[int]:
        """Return every size, rising."""
        return sorted({one.size for one in self.series})

    def ways(self) -> list[str]:
        """Return every way, in the order in which they were measured."""
        return list(dict.fromkeys(one.way for one in self.series))

    def at(self, way: str, size: int) -> Series | None:
        """Return the runs of a way at a size."""
        return next((one for one in self.series if (one.way, one.size) == (way, size)), None)

    def growth(self, way: str, what: str = "seconds") -> float | None:
        """Return the exponent with which a figure grows: the slope of its logarithm over that of the size.

        None with fewer than two sizes. Time has a start-up in it, which makes small sizes dear and the exponent lower.
        """
        found = [(one.size, value) for one in self.series if one.way == way and (value := one.median(what))]
        if len(found) < 2:
            return None
        sizes, figures = ([math.log(value) for value in values] for values in zip(*found, strict=True))
        return statistics.linear_regression(sizes, figures).slope

    def ratios(self, way: str, peer: str, size: int) -> list[float]:
        """Return, for each round, how many times as long as `way` its peer took."""
        mine, theirs = self.at(way, size), self.at(peer, size)
        if mine is None or theirs is None:
            return []
        return [other.seconds / own.seconds for own, other in zip(mine.samples, theirs.samples, strict=True)]


def load() -> float:
    """Return the load average of the last minute."""
    minute: float = os.getloadavg()[0]
    return minute


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> Sample:
    """Run a command and measure it; exit with its output where it fails.

    The peak of the memory is the kernel's figure (`ru_maxrss`). It counts this process, too, as it was when it started
    the command: keep benchmarks small, and import nothing large into them.
    """
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), env=environment, cwd=cwd, stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(map(str, command))}: exit code {process.returncode}\n{output.read().decode()}")
    return Sample(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def alternating(ways: Mapping[str, Way], rounds: int, size: int) -> list[Series]:
    """Run each way once a round, in turn: A B, B A, A B. One round before warms caches, and is not counted."""
    found: dict[str, list[Sample]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way in list(ways)[:: 1 if number % 2 else -1]:
            sample = ways[way]()
            if number:
                found[way].append(sample)
    return [Series(way, size, samples) for way, samples in found.items()]


def print_table(found: Comparison) -> None:
    """Print medians and spread for each way and size, the ratios to the first way, and how they grow."""
    first = found.ways()[0]
    for size in found.sizes():
        print(f"\n{found.name}, {size:,} {found.unit}:")
        for way in found.ways():
            one = found.at(way, size)
            if one is None:
                continue
            seconds = [sample.seconds for sample in one.samples]
            line = f"  {way:<34}{one.seconds:>9.3f} s   {min(seconds):.3f} to {max(seconds):.3f}"
            for what, unit in (("cpu_seconds", "CPU s"), ("peak_mib", "MiB")):
                line += "" if (value := one.median(what)) is None else f"   {value:,.2f} {unit}"
            ratios = [] if way == first else found.ratios(first, way, size)
            print(line + (f"   {statistics.median(ratios):.2f} times {first}" if ratios else ""))
    for way in found.ways():
        for what, grown in (("seconds", "time"), ("peak_mib", "memory")):
            if (exponent := found.growth(way, what)) is not None:
                print(f"{grown} of {way} grows with the {found.unit} to the power of {exponent:.2f}")
    beside = "; the machine was busy before" if found.busy else ""
    print(f"{found.cores} cores, load average {found.load:.1f} before the first run{beside}")


def write_json(found: Sequence[Comparison], path: Path) -> None:
    """Write all samples, for `benchmarks.page`."""
    path.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> list[Comparison]:
    """Read what `write_json` wrote."""
    return [_comparison(document) for document in json.loads(path.read_text(encoding="utf-8"))]


def _comparison(document: dict[str, Any]) -> Comparison:
    series = [
        Series(one["way"], one["size"], tuple(Sample(**sample) for sample in one["samples"]))
        for one in document["series"]
    ]
    return Comparison(document["name"], document["unit"], tuple(series), document["cores"], document["load"])
