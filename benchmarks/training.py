"""Compare the training of this project with OLS of statsmodels and LinearRegression of scikit-learn.

::

    python -m benchmarks.training [--rows 100000 1000000] [--columns 30] [--rounds 3] [--alone 50000000] [--json FILE]

Each run is a process of its own, and contenders take turns (A B C A B C). The others are timed on data that is in
memory already, this project's with both its passes over the file; the ratios are of these times, so reading counts
against this project alone. On a busy machine CPU seconds say more than the clock. Its work is all that train.py asks
for: fit, elimination of half of the columns, both summaries, robust errors, and the calibrated interval; statsmodels'
is the fit and its summary, scikit-learn's the coefficients.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.measuring import Comparison, Sample, Series, alternating, load, print_table, write_json

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

CONTENDERS = ("this project", "statsmodels", "scikit-learn")
_ROWS_A_BATCH = 1 << 14
_MIB = 1 << 20


def write_rows(path: Path, rows: int, columns: int) -> None:
    """Write a table of doubles, the target last: columns of unlike size, some of them related, and normal errors."""
    random = np.random.Generator(np.random.PCG64(rows))
    slopes, sizes = random.normal(size=columns), 10.0 ** random.integers(-2, 3, columns)
    with path.open("wb") as file:
        for start in range(0, rows, _ROWS_A_BATCH):
            values = random.normal(size=(min(_ROWS_A_BATCH, rows - start), columns + 1))
            values[:, 1:-1:3] += values[:, 0:-2:3][:, : values[:, 1:-1:3].shape[1]]
            values[:, -1] += 5.0 + values[:, :-1] @ slopes
            values[:, :-1] *= sizes
            file.write(values.tobytes())


def batches(path: Path, columns: int) -> Iterator[np.ndarray[Any, np.dtype[np.float64]]]:
    """Read the table, batch by batch."""
    with path.open("rb") as file:
        while (values := np.fromfile(file, count=_ROWS_A_BATCH * (columns + 1))).size:
            yield values.reshape(-1, columns + 1)


def by_this_project(path: Path, rows: int, columns: int) -> float:
    """Fit as train.py does; return R-squared."""
    from analysis.dataset.declaration import Repeated
    from analysis.features.profiles import Profile, number_column
    from analysis.model.fitting import fit_linear_model
    from analysis.model.rows import Rows
    from analysis.model.summary import regression_summary

    names = tuple(f"x{number}" for number in range(columns))
    made = tuple(map(number_column, names))
    profile = Profile("any", made, names, names, True, columns // 2, frozenset(), Repeated.KEEP)
    with threadpool_limits(limits=1):
        table = Rows(names, "y", rows, lambda: batches(path, columns))
        return float(
            regression_summary(fit_linear_model(table, profile, columns // 2, {}))["first_fit"]["figures"]["r_squared"]
        )


def by_statsmodels(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Fit and summarise; return R-squared."""
    from statsmodels.regression.linear_model import OLS

    results = OLS(values[:, -1], np.column_stack([np.ones(len(values)), values[:, :-1]])).fit()
    str(results.summary())
    return float(results.rsquared)


def by_scikit_learn(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Fit; return R-squared."""
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(values[:, :-1], values[:, -1])
    return float(model.score(values[:, :-1], values[:, -1]))


def run_alone(contender: str, path: Path, rows: int, columns: int) -> None:
    """Print, as JSON: seconds of the work, by the clock and of processors, highest memory in MiB, and R-squared."""
    values = None if contender == CONTENDERS[0] else np.fromfile(path).reshape(rows, columns + 1)
    clock, processors = time.perf_counter(), time.process_time()
    if values is None:
        found = by_this_project(path, rows, columns)
    else:
        found = (by_statsmodels if contender == "statsmodels" else by_scikit_learn)(values)
    seconds, cpu = time.perf_counter() - clock, time.process_time() - processors
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "mib": memory, "r_squared": found}))


def measured(contender: str, path: Path, rows: int, columns: int, agreed: set[float]) -> Sample:
    """Run a contender in a process of its own; add its R-squared to those on which all have to agree."""
    command = [sys.executable, "-m", __spec__.name, "--run", contender, str(path), str(rows), str(columns)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{contender} with {rows} rows: exit status {done.returncode}\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    agreed.add(round(found["r_squared"], 9))
    if len(agreed) > 1:
        sys.exit(f"The contenders disagree on R-squared: {sorted(agreed)}")
    return Sample(found["seconds"], found["cpu"], found["mib"])


def compare(folder: Path, rows: int, columns: int, rounds: int, contenders: Sequence[str]) -> list[Series]:
    """Measure the contenders in turn."""
    path = folder / f"{rows}.f64"
    write_rows(path, rows, columns)
    agreed: set[float] = set()
    ways = {name: partial(measured, name, path, rows, columns, agreed) for name in contenders}
    found = alternating(ways, rounds, rows)
    path.unlink()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", type=int, nargs="*", default=[], help="rows that this project is measured on alone")
    parser.add_argument("--json", type=Path, help="file that gets all samples")
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        contender, path, rows, columns = options.run
        run_alone(contender, Path(path), int(rows), int(columns))
        return
    before, series = load(), []
    with tempfile.TemporaryDirectory() as folder:
        for rows in sorted(options.rows):
            series += compare(Path(folder), rows, options.columns, options.rounds, CONTENDERS)
        for rows in sorted(options.alone):
            series += compare(Path(folder), rows, options.columns, 1, CONTENDERS[:1])
    found = Comparison("training", "rows", series, load=before)
    print_table(found)
    if options.json:
        write_json([found], options.json)


if __name__ == "__main__":
    main()
