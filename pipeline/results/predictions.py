"""Prediction files: where they are, their manifests and first rows."""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.aws.wrangler import configured_wrangler
from pipeline.errors import ExecutionError

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "predictions/"
#: The first column after those that name a row.
_PREDICTION = "prediction"
#: Columns that are the same in all rows of a file.
_ABOUT_THE_RUN = ("model_version", "execution_id", "source_key", "model_status", "uploaded_at")
_LONGEST_NAME = 25
_NARROW = 90
_RECORD = re.compile(r"[0-9a-f]{64}")
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
    # Cells may hold what only splitlines takes for the end of a line. The last line may be cut, or is empty.
    lines = body.decode("utf-8", errors="replace").split("\n")[:-1]
    rows = list(csv.reader(io.StringIO("\n".join(lines[: count + 1]))))
    return (rows[0], rows[1:]) if rows else ([], [])


def read_predictions(aws: Aws, file: PredictionFile) -> "pd.DataFrame":
    """Return the whole file as awswrangler reads it; versions and identifiers stay text."""
    texts = dict.fromkeys(("model_version", "execution_id", "record"), str)
    with configured_wrangler(aws) as wrangler, aws_errors(f"Reading {file.uri}", aws, ExecutionError):
        found: pd.DataFrame = wrangler.s3.read_csv(file.uri, dtype=texts, boto3_session=aws.boto3_session())
    return found


def manifest(aws: Aws, file: PredictionFile) -> dict[str, Any] | None:
    """Return the manifest of the file; None where there is none."""
    key = "manifests/" + file.key.removeprefix(PREFIX).removesuffix(".csv") + ".json"
    with aws_errors(f"Reading the manifest of {file.uri}", aws, ExecutionError):
        answer = unless_missing(lambda: aws.s3.get_object(Bucket=file.bucket, Key=key))
        return None if answer is None else dict(json.loads(answer["Body"].read()))


def latest_files(aws: Aws) -> list[tuple[PredictionFile, dict[str, Any]]]:
    """Return the newest upload's predictions and their manifest, for each declared profile that has any."""
    bucket = aws.settings.predictions_bucket
    found = []
    for profile in aws.settings.declared.profiles:
        key = f"newest/{profile}/latest.json"
        with aws_errors(f"Reading s3://{bucket}/{key}", aws, ExecutionError):
            answer = unless_missing(partial(aws.s3.get_object, Bucket=bucket, Key=key))
            if answer is None:
                continue
            pointer = dict(json.loads(answer["Body"].read()))
        file = PredictionFile(bucket, pointer["predictions"], pointer["bytes"], answer["LastModified"])
        found.append((file, pointer))
    return found


def no_predictions(aws: Aws) -> str:
    """Say that there are none, and where to look."""
    settings = aws.settings
    return f"No predictions yet in {settings.predictions_bucket}. See how executions ended: {settings.command('runs')}"


def print_predictions(aws: Aws, file: PredictionFile, count: int, console: Console) -> None:
    """Print where the file is, what its manifest says, and its first rows as a table."""
    console.print(file.uri, markup=False, soft_wrap=True)
    found = manifest(aws, file)
    if found:
        # Manifests of before do not count them.
        outside = f", {marked} outside the training ranges" if (marked := found.get("extrapolated")) else ""
        gaps = found.get("history_gap") or {"rows": 0}
        older = f", {gaps['rows']} with a history gap of up to {gaps['largest']}" if gaps["rows"] else ""
        console.print(f"{found['rows']} rows{outside}{older}, SHA-256 {found['sha256'][:16]}…", markup=False)
        console.print(f"drift: {_drift(found.get('drift'))}", markup=False, soft_wrap=True)
        if never := found.get("never_known"):
            about = f"no forecast: the model takes {', '.join(never)}, known only when the outcome is"
            console.print(about, markup=False, soft_wrap=True)
        if report := found.get("report"):
            console.print(f"report: s3://{file.bucket}/{report}", markup=False, soft_wrap=True)
    header, rows = first_rows(aws, file, count)
    # The wide columns that are the same in every row are printed once, below.
    same = [index for index, name in enumerate(header) if name in _ABOUT_THE_RUN]
    # A narrow terminal has no room for columns that say nothing.
    empty = [index for index in range(len(header)) if rows and not any(row[index] for row in rows)]
    left_out = {*same, *empty}
    # What names a row comes before its prediction, and is text.
    names = header.index(_PREDICTION) if _PREDICTION in header else 1
    grid = Table(box=None, padding=(0, 2 if console.width > _NARROW else 1, 0, 0), header_style="bold")
    for index, name in enumerate(header):
        if index not in left_out:
            # A narrow terminal folds the numbers' headers, rather than cutting what tells one row from the next.
            grid.add_column(name, justify="left" if index < names else "right", no_wrap=index < names, overflow="fold")
    for row in rows:
        cells = [_short(value) if index < names else _readable(value) for index, value in enumerate(row)]
        grid.add_row(*(escape(cell) for index, cell in enumerate(cells) if index not in left_out))
    console.print(grid)
    if empty:
        console.print(
            "empty in these rows: " + ", ".join(header[index] for index in empty), markup=False, soft_wrap=True
        )
    for index in same:
        if rows:
            console.print(f"{header[index]}: {rows[0][index]}", markup=False, soft_wrap=True)


def _drift(found: Mapping[str, Any] | None) -> str:
    """Say what a manifest knows of drift."""
    if not found:
        return "not known"
    if found["status"] != "compared":
        return f"{found['status']}: {found['reason']}"
    if not found["drifted"]:
        return f"none beyond {found['threshold']:g} and chance"
    return f"{', '.join(found['drifted'])}, beyond {found['threshold']:g} and chance"


def _short(name: str) -> str:
    """Cut what is longer than a name, and most of the identifier of a row without a key: it is for machines."""
    if _RECORD.match(name):
        return f"{name[:8]}…"
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
