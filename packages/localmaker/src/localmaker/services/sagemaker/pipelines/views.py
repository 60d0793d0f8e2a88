"""Records as responses of the operations, in the shapes of botocore's service model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localmaker.services.sagemaker.pipelines.naming import parse_arn
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, PipelineRecord, PipelineVersion, StepRecord
from pipedef.language.expressions import to_text

# The list operations of pipelines have larger pages than SageMaker's others.
PAGE = 100


def present(**fields: Any) -> dict[str, Any]:
    """Return the fields that have a value; AWS leaves the others out."""
    return {name: value for name, value in fields.items() if value is not None}


def parallelism(steps: int | None) -> dict[str, int] | None:
    """Return a ParallelismConfiguration."""
    return None if steps is None else {"MaxParallelExecutionSteps": steps}


def user_context(arn: str) -> dict[str, Any]:
    """Return the creator of a resource: the only identity here, which sts:GetCallerIdentity names, too."""
    parts = parse_arn(arn)
    account = "" if parts is None else parts.account
    return {"IamIdentity": {"Arn": f"arn:aws:sts::{account}:user/moto", "PrincipalId": "AKIAIOSFODNN7EXAMPLE"}}


def pipeline_description(record: PipelineRecord, version: PipelineVersion, definition: str) -> dict[str, Any]:
    """Return the response of DescribePipeline."""
    return present(
        PipelineArn=record.arn,
        PipelineName=record.name,
        PipelineDisplayName=record.display_name,
        PipelineDefinition=definition,
        PipelineDescription=record.description,
        RoleArn=record.role_arn,
        PipelineStatus="Active",
        CreationTime=record.created,
        LastModifiedTime=record.modified,
        LastRunTime=record.last_run,
        CreatedBy=user_context(record.arn),
        LastModifiedBy=user_context(record.arn),
        PipelineVersionDisplayName=version.display_name,
        PipelineVersionDescription=version.description,
        PipelineVersionAliases=record.aliases_of(version.version) or None,
        ParallelismConfiguration=parallelism(record.max_parallel_steps),
    )


def pipeline_summary(record: PipelineRecord) -> dict[str, Any]:
    """Return an entry of ListPipelines."""
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


def execution_description(record: ExecutionRecord, aliases: Sequence[str]) -> dict[str, Any]:
    """Return the response of DescribePipelineExecution; ``aliases`` are the current ones of its version."""
    return present(
        PipelineArn=record.pipeline_arn,
        PipelineExecutionArn=record.arn,
        PipelineExecutionDisplayName=record.display_name,
        PipelineExecutionStatus=str(record.status),
        PipelineExecutionDescription=record.description,
        FailureReason=record.failure_reason,
        PipelineExperimentConfig=record.experiment,
        SelectiveExecutionConfig=record.selection,
        CreationTime=record.created,
        LastModifiedTime=record.modified,
        CreatedBy=user_context(record.arn),
        LastModifiedBy=user_context(record.arn),
        ParallelismConfiguration=parallelism(record.max_parallel_steps),
        PipelineVersionId=record.pipeline_version,
        MLflowConfig=record.mlflow,
        PipelineVersionAliases=list(aliases) or None,
    )


def execution_summary(record: ExecutionRecord, aliases: Sequence[str]) -> dict[str, Any]:
    """Return an entry of ListPipelineExecutions."""
    return present(
        PipelineExecutionArn=record.arn,
        StartTime=record.created,
        PipelineExecutionStatus=str(record.status),
        PipelineExecutionDescription=record.description,
        PipelineExecutionDisplayName=record.display_name,
        PipelineExecutionFailureReason=record.failure_reason,
        PipelineVersionAliases=list(aliases) or None,
    )


def step_summary(record: StepRecord) -> dict[str, Any]:
    """Return an entry of ListPipelineExecutionSteps."""
    hit = None if record.cache_source is None else {"SourcePipelineExecutionArn": record.cache_source}
    selection = None if record.selection_source is None else {"SourcePipelineExecutionArn": record.selection_source}
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
        SelectiveExecutionResult=selection,
    )


def parameter_list(record: ExecutionRecord) -> list[dict[str, str]]:
    """Return the entries of ListPipelineParametersForExecution, where all values are text."""
    return [{"Name": name, "Value": to_text(value)} for name, value in record.parameters.items()]
