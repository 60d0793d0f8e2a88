"""Where the analyst's files are, and their first rows."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import ExecutionError

PREFIX = "predictions/"


@dataclass(frozen=True)
class PredictionFile:
    """One prediction CSV in S3."""

    bucket: str
    key: str
    size: int
    modified: datetime

    @property
    def uri(self) -> str:
        """``s3://…``"""
        return f"s3://{self.bucket}/{self.key}"


def prediction_files(aws: Aws, bucket: str) -> list[PredictionFile]:
    """All prediction CSVs, newest first."""
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
    """Header and first rows; reads no more of the object than it needs."""
    with aws_errors(f"Reading {file.uri}", aws, ExecutionError):
        body = aws.s3.get_object(Bucket=file.bucket, Key=file.key, Range="bytes=0-65535")["Body"].read()
    lines = body.decode("utf-8", errors="replace").splitlines()
    if len(body) < file.size:
        lines = lines[:-1]  # the last one may be cut
    rows = list(csv.reader(io.StringIO("\n".join(lines[: count + 1]))))
    return (rows[0], rows[1:]) if rows else ([], [])


def manifest(aws: Aws, file: PredictionFile) -> dict[str, Any] | None:
    """The manifest that was written beside the file; None where there is none."""

    key = "manifests/" + file.key.removeprefix(PREFIX).removesuffix(".csv") + ".json"
    with aws_errors(f"Reading the manifest of {file.uri}", aws, ExecutionError):
        answer = unless_missing(lambda: aws.s3.get_object(Bucket=file.bucket, Key=key))
        if answer is None:
            return None
        content: dict[str, Any] = json.loads(answer["Body"].read())
    return content
