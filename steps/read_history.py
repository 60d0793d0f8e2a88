"""Read what the Feature Store knew when a file was uploaded, for training on all history or for features of the past.

Athena writes the newest record of each row, inputs joined with outcomes, as Parquet into a folder of the execution,
which Preprocess gets as one more input. Answers with `history_uri`; where no history is asked for, that is a folder
which says so, and nothing is read.
"""

from __future__ import annotations

import time
import uuid
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.history.athena import run_statement
from analysis.history.queries import GroupTable, history_query, unload
from analysis.runtime.aws import aws_call, patient_client, split_s3_uri
from analysis.runtime.container import run_step
from analysis.runtime.files import json_text
from analysis.runtime.functions import FunctionArguments, Outputs, as_function, outputs_of

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

HISTORY_FILE = "history.json"
FILE, HISTORY = "file", "history"


def group_table(sagemaker: SageMakerClient, name: str) -> GroupTable:
    """Return the offline table of a feature group."""
    with aws_call(f"Looking at feature group {name}"):
        return GroupTable.of(sagemaker.describe_feature_group(FeatureGroupName=name))


def is_wanted(request: Namespace) -> bool:
    """Say whether the run needs history: to train on it, or because its profile has features of the past."""
    return request.train_on == HISTORY or request.profile in request.profiles_with_past.split(",")


def read_step(arguments: Sequence[str]) -> Outputs:
    """Run the step and return its output parameters."""
    parser = FunctionArguments(__doc__)
    add = parser.add_argument
    add("--inputs-group-name", required=True, help="feature group of what is known before")
    add("--outcomes-group-name", required=True, help="feature group of what becomes known later")
    add("--as-of", required=True, help="moment, as 2026-03-04T05:06:07.000Z; later records are not read")
    add("--train-on", choices=[FILE, HISTORY], default=FILE, help="whether the run trains on all history")
    add("--profile", required=True, help="profile of the run's model")
    add("--profiles-with-past", default="", help="profiles that need history, with commas between them")
    add("--history-uri", required=True, help="s3://bucket/prefix that gets a folder for each reading")
    add("--nothing-uri", required=True, help="s3://bucket/prefix of the folder that says that nothing was read")
    add("--work-group", default="primary", help="Athena's work group")
    add("--execution-arn", help="pipeline execution that asks")
    started, request = time.monotonic(), parser.parse_args(arguments)
    s3 = patient_client("s3", request.retry_seconds)
    if not is_wanted(request):
        # Always the same folder, so that the cache may answer Preprocess.
        bucket, key = split_s3_uri(request.nothing_uri)
        with aws_call(f"Writing {request.nothing_uri}"):
            s3.put_object(Bucket=bucket, Key=f"{key}/{HISTORY_FILE}", Body=json_text({"as_of": None}).encode())
        return outputs_of("the run needs no history", history_uri=f"s3://{bucket}/{key}")
    sagemaker = patient_client("sagemaker", request.retry_seconds)
    inputs, outcomes = (
        group_table(sagemaker, name) for name in (request.inputs_group_name, request.outcomes_group_name)
    )
    # A folder of its own for each attempt: Athena writes only where nothing is.
    bucket, key = split_s3_uri(request.history_uri)
    folder = f"{key}/{uuid.uuid4()}"
    query = run_statement(
        patient_client("athena", request.retry_seconds),
        unload(history_query(inputs, outcomes, request.as_of), f"s3://{bucket}/{folder}/rows"),
        f"s3://{bucket}/{folder}/athena/",
        database=inputs.database,
        work_group=request.work_group,
        patience_seconds=request.retry_seconds - (time.monotonic() - started),
    )
    known = {"as_of": request.as_of, "query": query, "features": [*inputs.features, *outcomes.features]}
    with aws_call(f"Writing s3://{bucket}/{folder}/rows/{HISTORY_FILE}"):
        s3.put_object(Bucket=bucket, Key=f"{folder}/rows/{HISTORY_FILE}", Body=json_text(known).encode())
    print(f"history: as of {request.as_of}, query {query}")
    return outputs_of(f"as of {request.as_of}", history_uri=f"s3://{bucket}/{folder}/rows")


handler = as_function(read_step)


def main(arguments: Sequence[str]) -> None:
    """Run the step as a program: its output parameters go to standard output as JSON."""
    print(json_text(dict(read_step(arguments))), end="")


if __name__ == "__main__":
    run_step(main)
