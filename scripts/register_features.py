"""Register the features of a file on this machine in the Feature Store, from the groups to the records.

Reads a raw CSV in any declared form and prepares it with the pipeline's own code; creates the feature groups of inputs
and of outcomes that are not there, or adds the features that they lack; waits until they take records; and writes one
record a row to each, with the same event time. Only rows with a known target have an outcome. Writing again with the
same event time changes nothing, and an older record never replaces a newer one.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from analysis.checking.identity import row_identities
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.dataset.declaration import Dataset
from analysis.features.labels import texts_of
from analysis.features.stored import EVENT_TIME, stored_groups, stored_rows
from analysis.ingestion.feature_file import FeatureFile
from analysis.ingestion.ingest import Ingestion, Result, Target
from analysis.ingestion.left_out import LeftOut
from analysis.runtime.errors import IngestError
from analysis.runtime.names import INPUTS_FILE, OUTCOMES_FILE
from analysis.runtime.tables import write_parquet
from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.aws.states import Waiting
from pipeline.deploy.engine.resource import ForeignResource, differences
from pipeline.deploy.resources.feature_groups import FeatureGroup, feature_groups
from scripts.lib.program import (
    NoAnswerError,
    RegistrationError,
    ScriptError,
    aws_of,
    existing_file,
    program_parser,
    progress_of,
    run_program,
    service_errors,
)

EXAMPLES = """\
examples:
  python scripts/register_features.py day.csv
  python scripts/register_features.py day.csv --env dev --event-time 2026-03-04T05:06:07Z
  python scripts/register_features.py day.csv --inputs-group my-inputs --outcomes-group my-outcomes
  python scripts/register_features.py day.csv --recreate

exit codes: 0 written, 1 the file can't be used (the message says where), 2 wrong call, 11 refused by the Feature Store,
12 no answer, or not ready in time
"""
_ISO_SECONDS = "%Y-%m-%dT%H:%M:%SZ"
#: What a group is told by; its stores, key and expiry are the deployment's.
_DEFINITION = ("status", "record identifier", "event time", "features")


def prepared(path: Path, dataset: Dataset, directory: Path) -> list[FeatureFile]:
    """Prepare a raw CSV of any declared form: a file of the inputs and, where any are known, one of the outcomes.

    Raises InputError naming line and column of a file that can't be used.
    """
    groups, rows = stored_groups(dataset), checked_file(path, dataset, Purpose.SCORING).rows
    stored = stored_rows(rows, dataset, row_identities(rows, dataset), texts_of(rows, dataset))
    files = []
    for name, table, group in (
        (INPUTS_FILE, stored.inputs, groups.inputs),
        (OUTCOMES_FILE, stored.outcomes, groups.outcomes),
    ):
        if len(table):
            write_parquet(table, directory / name)
            files.append(FeatureFile(directory / name, group.identifier, group.types.keys() - {EVENT_TIME}))
    return files


def wanted_groups(
    aws: Aws, inputs: str | None = None, outcomes: str | None = None, timeout_seconds: float = 1200
) -> list[FeatureGroup]:
    """Return the groups of inputs and outcomes as they should be, under these names or those of the environment."""
    return [
        replace(
            group,
            name=name or group.name,
            tags=aws.settings.resource_tags(),
            waiting=Waiting(timeout_seconds, progress_of(name or group.name)),
        )
        for group, name in zip(feature_groups(aws.settings), (inputs, outcomes), strict=True)
    ]


def event_time_of(text: str | None) -> str:
    """Return `text` where it is a moment in ISO 8601 ending in Z, the present where it is None."""
    if text is None:
        return datetime.now(UTC).strftime(_ISO_SECONDS)
    with contextlib.suppress(ValueError):
        if datetime.strptime(text, _ISO_SECONDS).strftime(_ISO_SECONDS) == text:  # noqa: DTZ007 (Z is in the text)
            return text
    raise ScriptError(f"--event-time {text!r} is not a valid time; write it as 2026-03-04T05:06:07Z.")


def ready_group(group: FeatureGroup, aws: Aws, *, recreate: bool) -> str:
    """Bring a group to its definition, wait until it takes records, and return what was done.

    Raises RegistrationError where it would have to be created anew and `recreate` is false.
    """
    current = group.current(aws)
    if current is None or isinstance(current, ForeignResource):
        aws.pace.until_it_passes()(group.create, aws)  # a new role is not known everywhere at once
        return "created"
    found = {item.field: item for item in differences(current, group.desired()) if item.field in _DEFINITION}
    if recreate:
        say_what_stays(group, aws)
        group.replace(aws)
        return "created anew"
    if reason := group.replacement(found):
        hint = "--recreate deletes the group with its online records, and creates it anew."
        raise RegistrationError(f"Feature group {group.name} has another definition: {reason}.", hint)
    if not found:
        return "kept as it is"
    group.update(aws, found)
    added = [name for name in group.features if name not in current["features"]]
    return f"got {', '.join(added)}" if added else "is ready by now"


def say_what_stays(group: FeatureGroup, aws: Aws) -> None:
    """Name the offline data and the Glue table that AWS leaves behind when it deletes the group."""
    described = unless_missing(lambda: aws.sagemaker.describe_feature_group(FeatureGroupName=group.name))
    offline = described.get("OfflineStoreConfig") if described else None
    if offline:
        table = offline.get("DataCatalogConfig", {})
        where = f"{offline['S3StorageConfig'].get('ResolvedOutputS3Uri', offline['S3StorageConfig']['S3Uri'])}"
        named = f" and table {table['Database']}.{table['TableName']}" if table else ""
        print(f"{group.name}: offline data at {where}{named} stay", file=sys.stderr)


def ingested(
    files: Sequence[FeatureFile],
    groups: Sequence[FeatureGroup],
    aws: Aws,
    event_time: str,
    *,
    workers: int = 4,
    deadline_seconds: float = 3600,
) -> Result:
    """Write one record a row of each file into its group.

    Raises RegistrationError where a record is refused, NoAnswerError where that takes longer.
    """
    deadline = time.monotonic() + deadline_seconds
    targets = [Target(file, group.name) for file, group in zip(files, groups, strict=False)]
    with LeftOut(Path.cwd()) as left_out:
        result = Ingestion(aws.feature_store, event_time, workers, deadline).run(targets, left_out)
        try:
            result.check(most_left_out=0)
        except IngestError as error:
            raise (NoAnswerError if time.monotonic() >= deadline else RegistrationError)(str(error)) from error
    return result


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = program_parser(__doc__, EXAMPLES, asks_aws=True)
    parser.add_argument("data", type=Path, help="raw CSV")
    parser.add_argument("--inputs-group", help="feature group that gets the inputs (default: the environment's)")
    parser.add_argument("--outcomes-group", help="feature group that gets the outcomes (default: the environment's)")
    parser.add_argument("--event-time", help="event time of the records, as 2026-03-04T05:06:07Z (default: now)")
    parser.add_argument("--recreate", action="store_true", help="delete groups that are there, and create them anew")
    parser.add_argument("--timeout-seconds", type=float, default=1200, help="of each wait for a group (default: 1200)")
    deadline_help = "after which writing ends, finished or not (default: 3600)"
    parser.add_argument("--deadline-seconds", type=float, default=3600, help=deadline_help)
    parser.add_argument("--workers", type=int, default=4, help="calls at the same time (default: 4)")
    request = parser.parse_args(arguments)
    if request.workers < 1:
        parser.error("--workers: at least 1 is needed")
    if not min(request.timeout_seconds, request.deadline_seconds) > 0:
        parser.error("--timeout-seconds, --deadline-seconds: more than 0 is needed")
    event_time = event_time_of(request.event_time)
    aws = aws_of(request.env)
    groups = wanted_groups(aws, request.inputs_group, request.outcomes_group, request.timeout_seconds)
    data = existing_file(request.data, "The data file")
    with tempfile.TemporaryDirectory(prefix="features-") as directory:
        files = prepared(data, aws.settings.declared, Path(directory))
        # Both before any record is written.
        for group in groups:
            with service_errors(f"Preparing feature group {group.name}", aws):
                print(f"{group.name}: {ready_group(group, aws, recreate=request.recreate)}", file=sys.stderr)
        result = ingested(
            files, groups, aws, event_time, workers=request.workers, deadline_seconds=request.deadline_seconds
        )
    for target, written in zip(result.targets, result.written, strict=True):
        print(f"{written} records in feature group {target.group}, event time {event_time}")


if __name__ == "__main__":
    run_program(main)
