"""The pipeline operations of SageMaker, registered with the endpoint. Importing this module registers them."""

from __future__ import annotations

from typing import Any

from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.pipelines.service import PipelineService


@operation("sagemaker", "CreatePipeline")
def create_pipeline(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Check a definition and keep it."""
    return context.service(PipelineService).catalog.create(request)


@operation("sagemaker", "UpdatePipeline")
def update_pipeline(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Add a version."""
    return context.service(PipelineService).catalog.update(request)


@operation("sagemaker", "UpdatePipelineVersion")
def update_pipeline_version(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Name, describe or alias a version."""
    return context.service(PipelineService).catalog.update_version(request)


@operation("sagemaker", "DeletePipeline")
def delete_pipeline(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Remove a pipeline and its executions."""
    return context.service(PipelineService).catalog.delete(request)


@operation("sagemaker", "DescribePipeline")
def describe_pipeline(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """A pipeline, in its current or another version."""
    return context.service(PipelineService).catalog.describe(request)


@operation("sagemaker", "ListPipelines")
def list_pipelines(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Every pipeline."""
    return context.service(PipelineService).catalog.list_pipelines(request)


@operation("sagemaker", "ListPipelineVersions")
def list_pipeline_versions(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """The versions of a pipeline."""
    return context.service(PipelineService).catalog.list_versions(request)


@operation("sagemaker", "StartPipelineExecution")
def start_pipeline_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Run a pipeline."""
    return context.service(PipelineService).executions.start(request)


@operation("sagemaker", "StopPipelineExecution")
def stop_pipeline_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Stop the running steps and start no more."""
    return context.service(PipelineService).executions.stop(request)


@operation("sagemaker", "RetryPipelineExecution")
def retry_pipeline_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Run what did not succeed again."""
    return context.service(PipelineService).executions.retry(request)


@operation("sagemaker", "SendPipelineExecutionStepSuccess")
def send_step_success(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Answer a callback step's token with its output parameters."""
    return context.service(PipelineService).executions.succeed_step(request)


@operation("sagemaker", "SendPipelineExecutionStepFailure")
def send_step_failure(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Answer a callback step's token with a failure."""
    return context.service(PipelineService).executions.fail_step(request)


@operation("sagemaker", "UpdatePipelineExecution")
def update_pipeline_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Rename or describe an execution."""
    return context.service(PipelineService).executions.update(request)


@operation("sagemaker", "DescribePipelineExecution")
def describe_pipeline_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """An execution and its status."""
    return context.service(PipelineService).executions.describe(request)


@operation("sagemaker", "DescribePipelineDefinitionForExecution")
def describe_definition_for_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """The definition that an execution was started with."""
    return context.service(PipelineService).executions.describe_definition(request)


@operation("sagemaker", "ListPipelineExecutions")
def list_pipeline_executions(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """The executions of a pipeline."""
    return context.service(PipelineService).executions.list_executions(request)


@operation("sagemaker", "ListPipelineExecutionSteps")
def list_pipeline_execution_steps(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """The steps of an execution."""
    return context.service(PipelineService).executions.list_steps(request)


@operation("sagemaker", "ListPipelineParametersForExecution")
def list_parameters_for_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """The parameter values of an execution."""
    return context.service(PipelineService).executions.list_parameters(request)
