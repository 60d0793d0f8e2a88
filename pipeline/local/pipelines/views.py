"""Records as the responses of the operations, in the shapes of botocore's service model."""

from __future__ import annotations

from typing import Any

from pipeline.local.pipelines.expressions import to_text
from pipeline.local.pipelines.records import ExecutionRecord, PipelineRecord, PipelineVersion, StepRecord


def present(**fields: Any) -> dict[str, Any]:
    """The fields that have a value: AWS leaves the others out."""
    return {name: value for name, value in fields.items() if value is not None}


def parallelism(steps: int | None) -> dict[str, int] | None:
    """A ParallelismConfiguration."""
    return None if steps is None else {"MaxParallelExecutionSteps": steps}


def pipeline_description(record: PipelineRecord, version: PipelineVersion) -> dict[str, Any]:
    """DescribePipeline."""
    return present(
        PipelineArn=record.arn,
        PipelineName=record.name,
        PipelineDisplayName=record.display_name,
        PipelineDefinition=version.definition,
        PipelineDescription=record.description,
        RoleArn=record.role_arn,
        PipelineStatus="Active",
        CreationTime=record.created,
        LastModifiedTime=record.modified,
        LastRunTime=record.last_run,
        ParallelismConfiguration=parallelism(record.max_parallel_steps),
    )


def pipeline_summary(record: PipelineRecord) -> dict[str, Any]:
    """One entry of ListPipelines."""
    return present(
        PipelineArn=record.arn,
        PipelineName=record.name,
        PipelineDisplayName=record.display_name,
        PipelineDescription=record.description,
        RoleArn=record.role_arn,
        CreationTime=record.created,
        LastModifiedTime=record.modified,
        LastExecutionTime=record.last_run,
    )


def execution_description(record: ExecutionRecord) -> dict[str, Any]:
    """DescribePipelineExecution."""
    return present(
        PipelineArn=record.pipeline_arn,
        PipelineExecutionArn=record.arn,
        PipelineExecutionDisplayName=record.display_name,
        PipelineExecutionStatus=str(record.status),
        PipelineExecutionDescription=record.description,
        FailureReason=record.failure_reason,
        CreationTime=record.created,
        LastModifiedTime=record.modified,
        ParallelismConfiguration=parallelism(record.max_parallel_steps),
        PipelineVersionId=record.pipeline_version,
        RoleArn=record.role_arn,
    )


def execution_summary(record: ExecutionRecord) -> dict[str, Any]:
    """One entry of ListPipelineExecutions."""
    return present(
        PipelineExecutionArn=record.arn,
        StartTime=record.created,
        PipelineExecutionStatus=str(record.status),
        PipelineExecutionDescription=record.description,
        PipelineExecutionDisplayName=record.display_name,
        PipelineExecutionFailureReason=record.failure_reason,
    )


def step_summary(record: StepRecord) -> dict[str, Any]:
    """One entry of ListPipelineExecutionSteps."""
    hit = None if record.cache_source is None else {"SourcePipelineExecutionArn": record.cache_source}
    return present(
        StepName=record.name,
        StepDisplayName=record.display_name,
        StepDescription=record.description,
        StartTime=record.started,
        EndTime=record.ended,
        StepStatus=str(record.status),
        CacheHitResult=hit,
        FailureReason=record.failure_reason,
        Metadata=record.metadata,
        AttemptCount=record.attempt,
    )


def parameter_list(record: ExecutionRecord) -> list[dict[str, str]]:
    """ListPipelineParametersForExecution: values are text there, whatever their type."""
    return [{"Name": name, "Value": to_text(value)} for name, value in record.parameters.items()]
