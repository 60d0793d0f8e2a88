"""Write the features of a file on this machine to the Feature Store: one record a row.

The file is a raw CSV in any declared form, checked and prepared by the pipeline's own code, or a features.csv that
preprocess.py wrote. Writing again with the same event time changes nothing; a record is replaced only by one with a
newer event time.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from analysis.checking.identity import row_identities
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.dataset.declaration import Dataset
from analysis.features.feature_store import Record, batch_writer, records_of, write_all
from analysis.features.labels import texts_of
from analysis.features.preparation import learn
from analysis.features.stored import EVENT_TIME, stored_features, stored_rows
from analysis.runtime.files import read_frame
from analysis.runtime.tables import write_table
from pipeline.aws.clients import Aws, aws_errors
from scripts.lib.program import RegistrationError, ScriptError, aws_of, existing_file, program_parser, run_program

EXAMPLES = """\
examples:
  python scripts/register_features.py day.csv
  python scripts/register_features.py day.csv --env dev --event-time 2026-03-04T05:06:07Z
  python scripts/register_features.py features.csv --feature-group another-group

exit codes: 0 written, 2 wrong call, 11 refused by the Feature Store, 1 the file can't be used (the message says where)
"""
_ISO_SECONDS = "%Y-%m-%dT%H:%M:%SZ"


def records_from(path: Path, event_time: str, dataset: Dataset) -> list[Record]:
    """Build one record a row from a raw CSV of any declared form, or a features.csv (recognised by its header).

    Raises InputError naming line and column of a raw file that can't be used, ScriptError for a features.csv that is
    empty or names a row twice.
    """
    stored = stored_features(dataset)
    with path.open(encoding="utf-8", errors="replace") as stream:
        header = stream.readline().strip().split(",")
    if set(header) == set(stored.types) - {EVENT_TIME}:
        rows = read_frame(path, text=True)
        if rows.empty or rows[stored.identifier].duplicated().any():
            raise ScriptError(f"{path.name} has no rows, or names a row twice.", "Write it again with preprocess.py.")
        return records_of(rows, event_time, stored)
    rows = checked_file(path, dataset, Purpose.SCORING).rows
    features = stored_rows(rows, dataset, learn(rows, dataset), row_identities(rows, dataset), texts_of(rows, dataset))
    # Through a file, so that each number is written with the digits that the pipeline gives it.
    with tempfile.TemporaryDirectory(prefix="features-") as directory:
        file = Path(directory) / "features.csv"
        write_table(features, file)
        return records_of(read_frame(file, text=True), event_time, stored)


def event_time_of(text: str | None) -> str:
    """Return `text` where it is a moment in ISO 8601 ending in Z, the present where it is None."""
    if text is None:
        return datetime.now(UTC).strftime(_ISO_SECONDS)
    with contextlib.suppress(ValueError):
        if datetime.strptime(text, _ISO_SECONDS).strftime(_ISO_SECONDS) == text:  # noqa: DTZ007 (Z is in the text)
            return text
    raise ScriptError(f"--event-time {text!r} is not a valid time; write it as 2026-03-04T05:06:07Z.")


def check_group(group: str, aws: Aws) -> None:
    """Refuse a feature group that does not exist or is not ready, before anything is written."""
    with aws_errors(f"Looking at feature group {group}", aws, RegistrationError):
        status = aws.sagemaker.describe_feature_group(FeatureGroupName=group)["FeatureGroupStatus"]
    if status != "Created":
        raise RegistrationError(f"Feature group {group} is {status}.", "Wait until it is Created, or: bikeshare deploy")


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = program_parser(__doc__, EXAMPLES, asks_aws=True)
    parser.add_argument("data", type=Path, help="raw CSV, or features.csv of preprocess.py")
    parser.add_argument("--feature-group", help="feature group that gets the records (default: the environment's)")
    parser.add_argument("--event-time", help="event time of the records, as 2026-03-04T05:06:07Z (default: now)")
    parser.add_argument("--workers", type=int, default=4, help="calls at the same time (default: 4)")
    request = parser.parse_args(arguments)
    if request.workers < 1:
        parser.error("--workers: at least 1 is needed")
    event_time = event_time_of(request.event_time)
    aws = aws_of(request.env)
    dataset = aws.settings.declared
    records = records_from(existing_file(request.data, "The data file"), event_time, dataset)
    group = request.feature_group or aws.settings.feature_group_name
    check_group(group, aws)
    written = write_all(
        records, batch_writer(aws.feature_store, group, stored_features(dataset).identifier), request.workers
    )
    print(f"{written} records in feature group {group}, event time {event_time}")


if __name__ == "__main__":
    run_program(main)
