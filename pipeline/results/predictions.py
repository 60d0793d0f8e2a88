"""Prediction files: where they are, their manifests and first rows."""

import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import ExecutionError

PREFIX = "predictions/"
#: The first column after those that name a row.
_PREDICTION = "prediction"
#: Columns that are the same in all rows of a file.
_ABOUT_THE_RUN = ("model_version", "execution_id", "source_key")
_LONGEST_NAME = 24
#: One decimal says little of a smaller number.
_SMALL = 100.0


@dataclass(frozen=True)
class PredictionFile:
    """One prediction CSV in S3."""

    bucket: str
    key: str
    size: int
    modified: datetime

    @property
    def uri(self) -> str:
        """S3 URI of the object."""
        return f"s3://{self.bucket}/{self.key}"


def prediction_files(aws: Aws, bucket: str) -> list[PredictionFile]:
    """Return all prediction CSVs, newest first."""
    with aws_errors(f"Listing predictions in {bucket}", aws, ExecutionError):
        pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
        found = [
            PredictionFile(bucket, item["Key"], item["Size"], item["LastModified"])
            for page in pages
            for item in page.get("Contents", [])
            if item["Key"].endswith(".csv")
        ]
    return sorted(found, key=lambda file: file.modified, reverse=True)


def first_rows(aws: Aws, file: PredictionFile, count: int = 5) -> tuple[list[str], list[list[str]]]:
    """Return header and first rows; reads only the beginning of the object."""
    with aws_errors(f"Reading {file.uri}", aws, ExecutionError):
        body = aws.s3.get_object(Bucket=file.bucket, Key=file.key, Range="bytes=0-65535")["Body"].read()
    lines = body.decode("utf-8", errors="replace").splitlines()
    if len(body) < file.size:
        lines = lines[:-1]  # the last one may be cut
    rows = list(csv.reader(io.StringIO("\n".join(lines[: count + 1]))))
    return (rows[0], rows[1:]) if rows else ([], [])


def manifest(aws: Aws, file: PredictionFile) -> dict[str, Any] | None:
    """Return the manifest of the file; None where there is none."""
    key = "manifests/" + file.key.removeprefix(PREFIX).removesuffix(".csv") + ".json"
    with aws_errors(f"Reading the manifest of {file.uri}", aws, ExecutionError):
        answer = unless_missing(lambda: aws.s3.get_object(Bucket=file.bucket, Key=key))
        return None if answer is None else dict(json.loads(answer["Body"].read()))


def print_predictions(aws: Aws, file: PredictionFile, count: int, console: Console) -> None:
    """Print where the file is, what its manifest says, and its first rows as a table."""
    console.print(file.uri, markup=False, soft_wrap=True)
    found = manifest(aws, file)
    if found:
        # Manifests of before do not count them.
        outside = f", {marked} outside the training ranges" if (marked := found.get("extrapolated")) else ""
        console.print(f"{found['rows']} rows{outside}, SHA-256 {found['sha256'][:16]}…", markup=False)
    header, rows = first_rows(aws, file, count)
    # The wide columns that are the same in every row are printed once, below.
    same = [index for index, name in enumerate(header) if name in _ABOUT_THE_RUN]
    # What names a row comes before its prediction, and is text.
    names = header.index(_PREDICTION) if _PREDICTION in header else 1
    grid = Table(box=None, padding=(0, 2), header_style="bold")
    for index, name in enumerate(header):
        if index not in same:
            grid.add_column(name, justify="left" if index < names else "right")
    for row in rows:
        cells = [_short(value) if index < names else _readable(value) for index, value in enumerate(row)]
        grid.add_row(*(escape(cell) for index, cell in enumerate(cells) if index not in same))
    console.print(grid)
    for index in same:
        if rows:
            console.print(f"{header[index]}: {rows[0][index]}", markup=False, soft_wrap=True)


def _short(name: str) -> str:
    """Cut what is longer than a name: the identifier of a row without a key is for machines."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _readable(value: str) -> str:
    """Write numbers with one decimal, small ones with four digits; the file itself has all of them."""
    if value.count(".") != 1:
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return f"{number:.1f}" if abs(number) >= _SMALL else f"{number:.4g}"
