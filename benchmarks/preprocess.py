"""Time preprocess.py with all its checks against pandas without any and against reading alone.

::

    python -m benchmarks.preprocess [--rows 100000 1000000 10000000] [--rounds 3] [--json FILE]

The table is the bike-sharing one at many stations: a row a day and station, in order, about 90 bytes a row, declared as
the shipped one is but for its key. Each way is a process of its own:

- *preprocess*: the step, for training: every check and repair, the quality report, and all of its files.
- *pandas*: read_csv with types, dates, dummy variables, a seeded split, and both parts as CSV. No check, no report.
- *pyarrow*: read_csv into a table, on all cores, and nothing else.

Polars is no dependency of this project and is left out.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from benchmarks.measuring import Comparison, Sample, Way, alternating, load, print_table, run, write_json

ROOT = Path(__file__).resolve().parents[1]
DAYS = 730
HEADER = (
    *("instant", "station", "dteday", "season", "yr", "mnth", "holiday", "weekday", "workingday", "weathersit"),
    *("temp", "atemp", "hum", "windspeed", "casual", "registered", "cnt"),
)
PANDAS = """
import sys
import pandas as pd
rows = pd.read_csv(sys.argv[1])
rows["dteday"] = pd.to_datetime(rows["dteday"], format="%d-%m-%Y")
levels = ["season", "mnth", "weekday", "weathersit"]
inputs = rows.drop(columns=["instant", "station", "dteday"])
made = pd.get_dummies(inputs, columns=levels, drop_first=True, dtype="int8")
order = made.sample(frac=1.0, random_state=333)
trained = int(0.7 * len(order))
order[:trained].to_csv(sys.argv[2] + "/train.csv", index=False)
order[trained:].to_csv(sys.argv[2] + "/test.csv", index=False)
"""
READING = "import sys; from pyarrow import csv; csv.read_csv(sys.argv[1])"


def write_rows(path: Path, count: int) -> None:
    """Write a table of so many rows, the same ones each time."""
    draws, stations, number = random.Random(count), -(-count // DAYS), 0  # noqa: S311 - no secret
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(HEADER) + "\n")
        for day in (date(2018, 1, 1) + timedelta(days) for days in range(DAYS)):
            weekday = day.isoweekday() % 7
            calendar = f"{day:%d-%m-%Y},{day.month % 12 // 3 + 1},{day.year - 2018},{day.month},0,{weekday}"
            calendar += f",{int(0 < weekday < 6)}"
            for station in range(min(stations, count - number)):
                temperature, casual, registered = draws.uniform(2, 34), draws.randrange(2, 3400), draws.randrange(6000)
                weather = (
                    f"{temperature:.6f},{temperature * 1.1:.5f},{draws.uniform(10, 97):.4f},{draws.uniform(2, 34):.6f}"
                )
                number += 1
                rentals = f"{casual},{registered},{casual + registered}"
                file.write(f"{number},S{station:05},{calendar},{draws.randint(1, 3)},{weather},{rentals}\n")


def write_declaration(path: Path) -> None:
    """Declare the table: the shipped one, with a key of day and station."""
    text = (ROOT / "datasets" / "bike_sharing.toml").read_text(encoding="utf-8")
    station = '[columns.station]\nkind = "identifier"\ndescription = "where"\n\n[columns.instant]'
    changed = text.replace('key = ["dteday"]', 'key = ["dteday", "station"]').replace("[columns.instant]", station)
    path.write_text(changed, encoding="utf-8")


def ways(folder: Path, raw: Path) -> dict[str, Way]:
    """Return what is compared on one file; outputs go below the folder."""
    steps = {**os.environ, "PYTHONPATH": str(ROOT / "steps")}

    def way(*arguments: str | Path) -> Sample:
        return run([sys.executable, *arguments], steps)

    step = (ROOT / "steps" / "preprocess.py", "--dataset", folder / "dataset.toml", "--input-file", raw)
    return {
        "preprocess": partial(way, *step, "--output-dir", folder / "prepared"),
        "pandas": partial(way, "-c", PANDAS, raw, folder),
        "pyarrow": partial(way, "-c", READING, raw),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000], help="sizes")
    parser.add_argument("--rounds", type=int, default=3, help="counted runs of each way (default: 3)")
    parser.add_argument("--json", type=Path, help="file that gets all samples")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, before, series = Path(name), load(), []
        write_declaration(folder / "dataset.toml")
        for count in arguments.rows:
            raw = folder / "raw.csv"
            write_rows(raw, count)
            series += alternating(ways(folder, raw), arguments.rounds, count)
    found = Comparison("preprocess", "rows", tuple(series), load=before)
    print_table(found)
    if arguments.json:
        write_json([found], arguments.json)


if __name__ == "__main__":
    main()
