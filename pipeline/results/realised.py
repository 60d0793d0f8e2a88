"""How good earlier predictions were, now that their outcomes are known: by version and over time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from analysis.features.labels import joining_labels
from analysis.publishing.places import Room
from analysis.realised.files import counted_rows, summaries_of
from analysis.realised.settle import settled
from analysis.realised.sums import Cell, Sums, Table, added, by_version
from analysis.runtime.errors import StepError
from analysis.runtime.registry import Package, described
from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import ExecutionError, RegistryError

#: Days that are shown one by one; more are added up to months.
_MOST_DAYS = 14
_DAY, _MONTH = len("2026-12-01"), len("2026-12")


@dataclass(frozen=True)
class Figures:
    """Means of realised predictions, errors being actual minus prediction."""

    rows: int
    coverage: float
    mae: float
    rmse: float
    mean_error: float

    @classmethod
    def of(cls, sums: Sums) -> "Figures":
        """Return the means of sums."""
        return cls(rows=sums.rows, **sums.figures)


@dataclass(frozen=True)
class Promise:
    """What a version's evaluation has led to expect."""

    figure: str  #: ``chronological``, or ``random`` for a table without a time.
    coverage: float
    mae: float
    rmse: float


@dataclass(frozen=True)
class VersionScore:
    """One version's realised figures; ``period`` → figures over time."""

    version: str
    figures: Figures
    promised: Promise | None  #: None where the version, or its evaluation, is gone.
    over_time: dict[str, Figures]


@dataclass(frozen=True)
class ProfileScore:
    """Realised figures of the versions of one profile."""

    profile: str
    period: str  #: ``day`` or ``month``.
    versions: list[VersionScore]


@dataclass(frozen=True)
class Scores:
    """Realised figures of an environment."""

    joined_by: tuple[str, ...]  #: Columns by which outcomes and predictions find each other.
    has_key: bool  #: Whether the table declares a key; without one, rows are known by all of their inputs.
    profiles: list[ProfileScore]


def scores(aws: Aws, profile: str | None = None) -> Scores:
    """Return the realised figures of one profile, or of all that have any.

    Raises:
        ExecutionError: they can't be read.
    """
    settings = aws.settings
    room = Room(settings.predictions_bucket)
    with _read_errors(aws):
        summaries = summaries_of(aws.s3, room, profile)
        tables = {
            name: settled(
                (one for one in summaries if one.profile == name), lambda one: counted_rows(aws.s3, room, one)
            )
            for name in sorted({one.profile for one in summaries})
        }
    promises = _promises(aws) if tables else {}
    return Scores(
        joined_by=joining_labels(settings.declared),
        has_key=bool(settings.declared.key),
        profiles=[_profile_score(name, table, promises) for name, table in tables.items()],
    )


@contextmanager
def _read_errors(aws: Aws) -> Iterator[None]:
    with aws_errors(f"Reading realised results in {aws.settings.predictions_bucket}", aws, ExecutionError):
        try:
            yield
        except StepError as error:
            raise ExecutionError(str(error)) from error


def _profile_score(profile: str, table: Table, promises: dict[str, Promise]) -> ProfileScore:
    by_day = len({cell.day for cell in table}) <= _MOST_DAYS
    length = _DAY if by_day else _MONTH
    periods = added({Cell(cell.version, cell.day[:length]): sums} for cell, sums in table.items())
    found = [
        VersionScore(
            version,
            Figures.of(sums),
            promises.get(version),
            {cell.day: Figures.of(periods[cell]) for cell in sorted(periods) if cell.version == version},
        )
        for version, sums in sorted(by_version(table).items(), key=lambda item: (len(item[0]), item[0]))
    ]
    return ProfileScore(profile, "day" if by_day else "month", found)


def _promises(aws: Aws) -> dict[str, Promise]:
    """Return what the versions' evaluations promise, as far as they can be read."""
    group = aws.settings.model_package_group_name
    with aws_errors(f"Listing the versions of {group}", aws, RegistryError):
        packages = described(aws.sagemaker, group)
    read = {str(package["ModelPackageVersion"]): _promise(aws, package) for package in packages}
    return {version: promise for version, promise in read.items() if promise is not None}


def _promise(aws: Aws, package: Package) -> Promise | None:
    uri = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri", "")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not key:
        return None
    with aws_errors(f"Reading {uri}", aws, ExecutionError):
        answer = unless_missing(lambda: aws.s3.get_object(Bucket=bucket, Key=key))
        document = None if answer is None else json.loads(answer["Body"].read())
    return None if document is None else promise_in(document)


def promise_in(evaluation: dict[str, Any]) -> Promise | None:
    """Return what an evaluation leads to expect of rows to come; None for one of an earlier form."""
    validation = evaluation.get("validation", {})
    name = validation.get("headline", "")
    figure = validation.get(name)
    if not figure or "intervals" not in figure:
        return None
    coverage = figure["intervals"]["calibrated"]["coverage"]
    return Promise(name, coverage=coverage, mae=figure["mae"], rmse=figure["rmse"])
