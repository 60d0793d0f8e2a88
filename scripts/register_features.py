"""Write the features of a file on this machine to the Feature Store: one record a day.

The file is a raw CSV in either published form, checked and prepared by the pipeline's own code, or a features.csv that
preprocess.py wrote. Doing it again with the same event time changes nothing; a record is replaced only by one with a
newer event time.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.aws.clients import Aws, aws_errors
from scripts.lib.errors import RegistrationError, ScriptError
from scripts.lib.features import records_from
from scripts.lib.program import add_environment, aws_of, existing_file, program_parser, run_program, steps_environment

EXAMPLES = """\
examples:
  python scripts/register_features.py day.csv
  python scripts/register_features.py day.csv --env dev --event-time 2026-03-04T05:06:07Z
  python scripts/register_features.py features.csv --feature-group another-group

exit codes: 0 written, 2 wrong call, 11 refused by the Feature Store, 1 the file can't be used (the message says where)
"""
_ISO_SECONDS = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


def event_time_of(text: str | None) -> str:
    """``text`` where it is a moment in ISO 8601 ending in Z, the present where it is None."""
    if text is None:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        if not _ISO_SECONDS.fullmatch(text):
            raise ValueError
        datetime.fromisoformat(text)
    except ValueError:
        raise ScriptError(f"--event-time {text!r} is no moment; write it as 2026-03-04T05:06:07Z.") from None
    return text


def check_group(group: str, aws: Aws) -> None:
    """Refuse a feature group that is not there or not ready, before anything is written."""
    with aws_errors(f"Looking at feature group {group}", aws, RegistrationError):
        status = aws.sagemaker.describe_feature_group(FeatureGroupName=group)["FeatureGroupStatus"]
    if status != "Created":
        raise RegistrationError(f"Feature group {group} is {status}.", "Wait until it is Created, or: bikeshare deploy")


def main(arguments: Sequence[str]) -> None:
    parser = program_parser(__doc__, EXAMPLES)
    parser.add_argument("data", type=Path, help="raw CSV, or features.csv of preprocess.py")
    parser.add_argument("--feature-group", help="feature group that gets the records (default: the environment's)")
    parser.add_argument("--event-time", help="moment of the records, as 2026-03-04T05:06:07Z (default: now)")
    parser.add_argument("--workers", type=int, default=4, help="calls at the same time (default: 4)")
    add_environment(parser)
    request = parser.parse_args(arguments)
    if request.workers < 1:
        parser.error("--workers: at least 1 is needed")
    event_time = event_time_of(request.event_time)
    records = records_from(existing_file(request.data, "The data file"), event_time)
    aws = aws_of(request.env)
    group = request.feature_group or aws.settings.feature_group_name
    check_group(group, aws)

    # Imported here so that a wrong file or call is answered before boto3 is loaded.
    from analysis.features.records import batch_writer
    from analysis.runtime.aws import feature_store_client
    from ingest_features import write_all

    with steps_environment(aws):
        write = batch_writer(feature_store_client(connections=request.workers), group)
        written = write_all(records, write, request.workers)
    print(f"{written} records in feature group {group}, event time {event_time}")


if __name__ == "__main__":
    run_program(main)
