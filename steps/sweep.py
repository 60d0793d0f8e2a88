"""Delete the models that executions of some pipelines have left: those that failed or were stopped need them no more.

Publishing deletes the model of its execution. That of one that failed stays for RetryPipelineExecution, until it is
--keep-hours old. Models whose execution is gone with its pipeline are deleted where their tags say whose they were.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from analysis.runtime.aws import aws_call, patient_client, unless
from analysis.runtime.container import run_step
from analysis.runtime.files import json_text
from analysis.runtime.functions import FunctionArguments, Outputs, as_function, outputs_of

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

_RUNNING = frozenset({"Executing", "Stopping"})
_MODEL = re.compile(r"pipelines-([a-z0-9]{12})-.+")
"""Names that SageMaker Pipelines gives: execution, step, suffix."""
_MISSING = frozenset({"ResourceNotFound", "ValidationException"})


def left_models(sagemaker: SageMakerClient, request: Namespace, now: datetime) -> Iterator[str]:
    """Yield the names of the models to delete."""
    before = now - timedelta(hours=request.keep_hours)
    with aws_call("Listing models"):
        pages = sagemaker.get_paginator("list_models").paginate(
            NameContains="pipelines-", SortBy="CreationTime", SortOrder="Ascending", PaginationConfig={"PageSize": 100}
        )
        for page in pages:
            for model in page["Models"]:
                if model["CreationTime"] > before:
                    return
                found = _MODEL.fullmatch(model["ModelName"])
                if found and is_left(sagemaker, request, found[1], model):
                    yield model["ModelName"]


def is_left(sagemaker: SageMakerClient, request: Namespace, execution: str, model: Mapping[str, Any]) -> bool:
    """Say whether a model is ours and no execution is going to use it."""
    # It may be gone by now: publishing deletes models, too.
    answer = unless("Reading tags", _MISSING, lambda: sagemaker.list_tags(ResourceArn=model["ModelArn"]))
    tags = {tag["Key"]: tag["Value"] for tag in (answer["Tags"] if answer else ())}
    if (tags.get("project"), tags.get("environment")) != (request.project, request.environment):
        return False
    place = model["ModelArn"].rpartition(":")[0]
    statuses = [_status(sagemaker, f"{place}:pipeline/{name}/execution/{execution}") for name in request.pipeline]
    return not _RUNNING.intersection(statuses)


def _status(sagemaker: SageMakerClient, arn: str) -> str:
    what = f"Looking at the pipeline execution {arn}"
    answer = unless(what, _MISSING, lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))
    return "missing" if answer is None else answer["PipelineExecutionStatus"]


def sweep_step(arguments: Sequence[str]) -> Outputs:
    """Delete them and return their number."""
    parser = FunctionArguments(__doc__)
    parser.add_argument("--pipeline", action="append", required=True, help="name of a pipeline; repeatable")
    parser.add_argument("--project", required=True, help="value of the models' tag `project`")
    parser.add_argument("--environment", required=True, help="value of the models' tag `environment`")
    parser.add_argument("--keep-hours", type=int, required=True, help="younger models stay")
    request = parser.parse_args(arguments)
    sagemaker = patient_client("sagemaker", request.retry_seconds)
    deleted = 0
    for name in left_models(sagemaker, request, datetime.now(UTC)):
        unless(f"Deleting the model {name}", _MISSING, lambda name=name: sagemaker.delete_model(ModelName=name))  # type: ignore[misc]
        print(f"sweep: {name} deleted")
        deleted += 1
    return outputs_of(f"{deleted} models deleted")


handler = as_function(sweep_step)


def main(arguments: Sequence[str]) -> None:
    """Run it as a program: its answer goes to standard output as JSON."""
    print(json_text(dict(sweep_step(arguments))), end="")


if __name__ == "__main__":
    run_step(main)
