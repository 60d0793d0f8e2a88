"""A SageMaker pipeline, created or updated with a compiled definition."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import is_missing, unless_missing
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.errors import DeploymentError

#: Above this many bytes CreatePipeline takes the definition only from S3.
INLINE_LIMIT = 100 * 1024
#: How long a job may take to stop: two minutes until it is killed, and its machine after that.
_STOP_SECONDS = 900
_RUNNING = frozenset({"Executing", "Stopping"})


@dataclass(frozen=True)
class Pipeline(Resource):
    """One pipeline; running executions keep the definition that they started with."""

    kind = "pipeline"
    tag_api = tags.SAGEMAKER
    tag_member = "PipelineArn"
    arn: str
    role_arn: str
    definition: str  #: Compiled, as JSON text.
    artifacts_bucket: str  #: Holds a definition that is too large to be sent inline.
    max_parallel_steps: int  #: Steps of one execution that run at the same time.

    def executed_definition(self) -> str:
        """Return the definition."""
        return self.definition

    def _desired(self) -> State:
        return {
            "definition": json.loads(self.definition),
            "role": self.role_arn,
            "parallel steps": self.max_parallel_steps,
        }

    def _describe(self, aws: Aws) -> Any:
        return aws.sagemaker.describe_pipeline(PipelineName=self.name)

    def _state(self, aws: Aws, found: Any) -> State:
        return {
            "definition": json.loads(found["PipelineDefinition"]),
            "role": found["RoleArn"],
            "parallel steps": found.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps"),
        }

    def _request(self, aws: Aws) -> dict[str, Any]:
        request: dict[str, Any] = {
            "PipelineName": self.name,
            "RoleArn": self.role_arn,
            "ParallelismConfiguration": {"MaxParallelExecutionSteps": self.max_parallel_steps},
        }
        compact = json.dumps(json.loads(self.definition), separators=(",", ":"))
        if len(compact.encode()) <= INLINE_LIMIT:
            return {**request, "PipelineDefinition": compact}
        key = f"definitions/{self.name}.json"
        aws.s3.put_object(Bucket=self.artifacts_bucket, Key=key, Body=compact.encode())
        return {**request, "PipelineDefinitionS3Location": {"Bucket": self.artifacts_bucket, "ObjectKey": key}}

    def create(self, aws: Aws) -> None:
        """Create the pipeline."""
        token = str(uuid.uuid4())
        aws.sagemaker.create_pipeline(**self._request(aws), ClientRequestToken=token, Tags=tags.tag_list(self.tags))

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        aws.sagemaker.update_pipeline(**self._request(aws))

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        # AWS removes no pipeline with running executions; those that have ended go with it.
        stop_executions(aws, self.name)
        aws.sagemaker.delete_pipeline(PipelineName=self.name, ClientRequestToken=str(uuid.uuid4()))
        return Removal.REMOVED


def stop_executions(aws: Aws, name: str) -> None:
    """Stop the running executions of a pipeline and wait until they have ended; a pipeline that is gone has none.

    Raises:
        DeploymentError: an execution did not stop.
    """
    for arn in _running(aws, name):
        try:
            aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=str(uuid.uuid4()))
        except ClientError as error:
            # It may have ended, or be stopping, by now.
            if error.response["Error"]["Code"] != "ValidationException" and not is_missing(error):
                raise
    waiting = Retrying(
        retry=retry_if_result(bool),
        wait=wait_exponential(multiplier=0.05, max=10),
        stop=stop_after_delay(_STOP_SECONDS),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    left = waiting(lambda: _running(aws, name))
    if left:
        raise DeploymentError(
            f"Execution {left[0]} does not stop; a callback step is waited for until it is answered.",
            hint="Answer its callback or wait for its time-out, then destroy again.",
        )


def _running(aws: Aws, name: str) -> list[str]:
    found = _executions(aws, name)
    return [item["PipelineExecutionArn"] for item in found if item["PipelineExecutionStatus"] in _RUNNING]


def execution_ids(aws: Aws, name: str) -> list[str]:
    """Return the ids of all executions of a pipeline; a pipeline that is gone has none."""
    return [item["PipelineExecutionArn"].rpartition("/")[2] for item in _executions(aws, name)]


def _executions(aws: Aws, name: str) -> list[Any]:
    pages = aws.sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=name)
    found = unless_missing(lambda: [item for page in pages for item in page["PipelineExecutionSummaries"]])
    return found or []
