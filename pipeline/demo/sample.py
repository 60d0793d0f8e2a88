"""A generated table for any declaration, so that a demonstration needs no download.

THE NUMBERS ARE GENERATED, not observed, and say nothing about anything. Each column has values that its declaration
allows, the rules between columns hold, and the target is a linear function of the inputs with noise around it.
"""

import csv
from pathlib import Path

from analysis.dataset.declaration import Dataset
from pipeline.datasets.shipped import DEFAULT_DATASET, declared
from pipeline.demo.generator import Draws, Generator, Row

FILE_NAME = "generated-sample.csv"
ROWS = 730
DEFAULT_SEED = 20180101


def sample_rows(seed: int = DEFAULT_SEED, rows: int = ROWS, dataset: Dataset | None = None) -> list[Row]:
    """Return rows as text by column, in the declaration's first form; the same for the same arguments.

    Raises:
        ValueError: fewer than 1 row, or more than the declaration's key and rules leave.
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, not {rows}.")
    generator = Generator(dataset or declared(DEFAULT_DATASET), Draws(seed))
    return [generator.row(number) for number in range(rows)]


def write_sample(
    path: Path,
    seed: int = DEFAULT_SEED,
    rows: int = ROWS,
    *,
    target: bool = True,
    dataset: Dataset | None = None,
) -> Path:
    """Write the table as CSV (UTF-8, line feeds) to a file, or as FILE_NAME to a directory; return the file's path.

    Without ``target`` it and its parts are left out: such a file is for scoring only.
    """
    dataset = dataset or declared(DEFAULT_DATASET)
    file = path / FILE_NAME if path.is_dir() else path
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        columns = dataset.columns if target else dataset.known_before
        writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(sample_rows(seed, rows, dataset))
    return file
