"""The record of a new execution, from a StartPipelineExecution request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.executions.selection import reused_steps
from localmaker.services.sagemaker.pipelines.naming import execution_arn, new_execution_id
from localmaker.services.sagemaker.pipelines.ports import ClientFactory
from localmaker.services.sagemaker.pipelines.records import (
    ExecutionRecord,
    ExecutionStatus,
    PipelineRecord,
    PipelineVersion,
    StepRecord,
)
from localmaker.services.sagemaker.pipelines.steps.experiments import name_problems
from localmaker.services.sagemaker.pipelines.steps.scope import ExecutionScope
from localmaker.services.sagemaker.pipelines.store import PipelineStore
from pipedef.language.expressions import ExpressionError, resolve, to_text
from pipedef.language.graph import build_graph
from pipedef.language.model import Definition
from pipedef.language.parameters import bind_parameters


def new_execution(
    request: Mapping[str, Any],
    pipeline: PipelineRecord,
    version: PipelineVersion,
    definition: Definition,
    *,
    now: datetime,
    client: ClientFactory,
) -> ExecutionRecord:
    """Return the record of a new execution, which is not stored yet.

    Args:
        request: of StartPipelineExecution.
        pipeline, version: to run.
        definition: of the version.
        now: the current time.
        client: for expressions that read from AWS.

    Raises:
        AwsError: ValidationException for parameters or a configuration that do not fit.
    """
    if "RoleArn" in request:
        raise AwsError(
            "ValidationException",
            "RoleArn can be specified only for a pipeline that AWS manages. An execution of a pipeline that you "
            "created uses the pipeline's role.",
        )
    given = request.get("PipelineParameters", [])
    _refuse_empty(entry["Value"] for entry in given)
    parameters = bind_parameters(definition.parameters, given)
    _refuse_empty(parameters.values())
    execution_id = new_execution_id()
    parallel = request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
    record = ExecutionRecord(
        arn=execution_arn(pipeline.arn, execution_id),
        pipeline_arn=pipeline.arn,
        pipeline_name=pipeline.name,
        pipeline_version=version.version,
        role_arn=pipeline.role_arn,
        definition_id=version.definition_id,
        definition_created=version.created,
        parameters=dict(parameters),
        status=ExecutionStatus.EXECUTING,
        created=now,
        modified=now,
        display_name=request.get("PipelineExecutionDisplayName", f"execution-{int(now.timestamp() * 1000)}"),
        description=request.get("PipelineExecutionDescription"),
        max_parallel_steps=parallel or pipeline.max_parallel_steps,
        selection=request.get("SelectiveExecutionConfig"),
    )
    scope = ExecutionScope(record, definition, dict, client, now=now)
    mlflow = _resolved("MlflowConfig", definition.mlflow, scope)
    if "MlflowExperimentName" in request:
        mlflow = {**(mlflow or {}), "MlflowExperimentName": request["MlflowExperimentName"]}
    experiment = _resolved("PipelineExperimentConfig", definition.experiment, scope)
    for problem in name_problems(experiment or {}):
        raise AwsError("ValidationException", f"PipelineExperimentConfig: {problem}")
    return replace(record, experiment=experiment, mlflow=mlflow)


def _refuse_empty(values: Iterable[Any]) -> None:
    """Refuse empty text as the value of a parameter, which the service model allows and SageMaker does not.

    That it is refused is known of values that are given (sagemaker-python-sdk#4016). Of defaults it is not known, so a
    pipeline that runs here does not depend on it.
    """
    if "" in values:
        raise AwsError("ValidationException", '[string "" is too short (length: 0, required minimum: 1)]')


def _resolved(name: str, config: Mapping[str, Any] | None, scope: ExecutionScope) -> dict[str, str] | None:
    if config is None:
        return None
    try:
        return {key: to_text(value) for key, value in resolve(config, scope).items()}
    except ExpressionError as exc:
        raise AwsError("ValidationException", f"{name}: {exc}") from exc


def reused_records(record: ExecutionRecord, definition: Definition, store: PipelineStore) -> list[StepRecord]:
    """Return the steps of an earlier execution that a selective execution reuses, as its own; none for any other.

    Raises:
        AwsError: ResourceNotFound for an unknown source, ValidationException for a selection that cannot run.
    """
    if record.selection is None or record.selected is None:
        return []
    source_arn = record.selection.get("SourcePipelineExecutionArn")
    source = None
    if source_arn is not None:
        found = store.execution(source_arn)
        if found is None or found.pipeline_arn != record.pipeline_arn:
            raise AwsError(
                "ResourceNotFound",
                f"SelectiveExecutionConfig: pipeline '{record.pipeline_arn}' has no execution {source_arn}.",
            )
        if not found.status.ended or found.status is ExecutionStatus.STOPPED:
            raise AwsError(
                "ValidationException",
                f"SelectiveExecutionConfig: the source execution {source_arn} is {found.status}; it must be "
                f"{ExecutionStatus.SUCCEEDED} or {ExecutionStatus.FAILED}.",
            )
        source = {step.name: step for step in store.steps(source_arn)}
    steps = reused_steps(build_graph(definition), record.selected, source)
    return [
        replace(step, execution_arn=record.arn, position=position, selection_source=source_arn)
        for position, step in enumerate(steps, start=1)
    ]
