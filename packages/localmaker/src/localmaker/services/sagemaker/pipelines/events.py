"""Status changes of executions and steps as EventBridge events, in AWS's shapes."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from localmaker.services.sagemaker.pipelines.naming import parse_arn
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, ExecutionStatus, StepRecord, StepStatus
from localmaker.services.sagemaker.pipelines.views import present

EXECUTION_DETAIL_TYPE = "SageMaker Model Building Pipeline Execution Status Change"
STEP_DETAIL_TYPE = "SageMaker Model Building Pipeline Execution Step Status Change"


def _seconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _camel_case(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _camel_case(item) for key, item in value.items()}
    return [_camel_case(item) for item in value] if isinstance(value, list) else value


def _envelope(pipeline_arn: str, execution_arn: str, detail_type: str, time: datetime, detail: Any) -> dict[str, Any]:
    parts = parse_arn(execution_arn)
    assert parts is not None  # noqa: S101  made by naming.execution_arn
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "aws.sagemaker",
        "account": parts.account,
        "time": _seconds(time),
        "region": parts.region,
        "resources": [pipeline_arn, execution_arn],
        "detail": detail,
    }


def execution_event(record: ExecutionRecord, previous: ExecutionStatus | None) -> dict[str, Any]:
    """Return the event for a new status of an execution. The reason of a failure is in the events of its steps."""
    detail = {
        "pipelineExecutionDisplayName": record.display_name,
        "currentPipelineExecutionStatus": str(record.status),
        "previousPipelineExecutionStatus": None if previous is None else str(previous),
        "executionStartTime": _seconds(record.created),
        "executionEndTime": _seconds(record.modified) if record.status.ended else None,
        "pipelineExecutionDescription": record.description,
        "pipelineArn": record.pipeline_arn,
        "pipelineExecutionArn": record.arn,
    }
    return _envelope(record.pipeline_arn, record.arn, EXECUTION_DETAIL_TYPE, record.modified, present(**detail))


def step_event(record: StepRecord, previous: StepStatus | None, time: datetime) -> dict[str, Any]:
    """Return the event for a new status of a step."""
    detail = {
        "metadata": _camel_case(record.metadata),
        "failureReason": record.failure_reason,
        "cacheHitResult": None if record.cache_source is None else {"sourcePipelineExecutionArn": record.cache_source},
        "stepStartTime": _seconds(record.started),
        "stepEndTime": None if record.ended is None else _seconds(record.ended),
        "stepName": record.name,
        "stepType": record.type,
        "previousStepStatus": None if previous is None else str(previous),
        "currentStepStatus": str(record.status),
        "pipelineArn": record.pipeline_arn,
        "pipelineExecutionArn": record.execution_arn,
    }
    return _envelope(record.pipeline_arn, record.execution_arn, STEP_DETAIL_TYPE, time, present(**detail))
