"""The values of expressions while an execution runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.services.sagemaker.pipelines.naming import timestamp
from localmaker.services.sagemaker.pipelines.ports import ClientFactory
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, StepRecord, StepStatus
from pipedef.language.expressions import ExpressionError, follow
from pipedef.language.model import Definition

# AWS's limit for property files.
MAX_DOCUMENT_BYTES = 2 * 1024 * 1024


class ExecutionScope:
    """Resolves references for one step of one execution. See :class:`expressions.Scope` for the methods."""

    def __init__(
        self,
        execution: ExecutionRecord,
        definition: Definition,
        steps: Callable[[], Mapping[str, StepRecord]],
        client: ClientFactory,
        *,
        now: datetime,
        job_name: str = "",
    ) -> None:
        self._execution = execution
        self._definition = definition
        self._steps = steps
        self._client = client
        self._variables = {
            "StartDateTime": timestamp(execution.created),
            "CurrentDateTime": timestamp(now),
            "PipelineName": execution.pipeline_name,
            "PipelineArn": execution.pipeline_arn,
            "PipelineExecutionId": execution.id,
            "PipelineExecutionArn": execution.arn,
            "TrainingJobName": job_name,
            "ProcessingJobName": job_name,
        }

    def parameter(self, name: str) -> Any:
        """Return the typed value of a pipeline parameter."""
        return self._execution.parameters[name]

    def execution_variable(self, name: str) -> str:
        """Return the value of ``Execution.<name>``."""
        return self._variables[name]

    def step_properties(self, step: str) -> Mapping[str, Any]:
        """Return the Describe* response of a finished step.

        Raises:
            ExpressionError: the step has not succeeded in this execution.
        """
        record = self._steps().get(step)
        if record is None or record.status is not StepStatus.SUCCEEDED:
            raise ExpressionError(f"Cannot resolve [Steps.{step}]: the step has not succeeded in this execution.")
        return record.properties

    def property_file(self, step: str, name: str) -> Any:
        """Return the parsed JSON of a property file.

        Raises:
            ExpressionError: the file does not exist or is not JSON.
        """
        file = next(item for item in self._definition.steps[step].property_files if item.name == name)
        described = f"property file {name} of step {step}"
        outputs = follow(self.step_properties(step), ("ProcessingOutputConfig", "Outputs"), described)
        uri = follow(outputs, (file.output, "S3Output", "S3Uri"), described)
        return self.json_document(f"{str(uri).rstrip('/')}/{file.path.lstrip('/')}")

    def json_document(self, s3_uri: str) -> Any:
        """Return the parsed JSON of an S3 object.

        Raises:
            ExpressionError: the object cannot be read, is too large or is not JSON.
        """
        parts = urlsplit(s3_uri, allow_fragments=False)
        if parts.scheme != "s3" or not parts.netloc or not parts.path.strip("/"):
            raise ExpressionError(f"Cannot read [{s3_uri}]: it is not the S3 URI of an object.")
        # A "?" is part of an S3 key, not a query.
        key = s3_uri.removeprefix(f"s3://{parts.netloc}/")
        try:
            answer = self._client("s3").get_object(Bucket=parts.netloc, Key=key)
            if answer["ContentLength"] > MAX_DOCUMENT_BYTES:
                answer["Body"].close()
                raise ExpressionError(
                    f"Cannot read [{s3_uri}]: it has {answer['ContentLength']} bytes; the limit for a JSON document is "
                    f"{MAX_DOCUMENT_BYTES}. Write the values that the pipeline needs to a file of their own."
                )
            body = answer["Body"].read()
        except (ClientError, BotoCoreError) as exc:
            raise ExpressionError(f"Cannot read [{s3_uri}]: {exc}") from exc
        try:
            return json.loads(body)
        except ValueError as exc:
            raise ExpressionError(f"Cannot read [{s3_uri}]: it is not valid JSON ({exc}).") from exc
