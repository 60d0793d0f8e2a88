"""The pipeline operations of SageMaker, registered with the endpoint. Importing this module registers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localmaker.http.operations import Handler, operation
from localmaker.services.sagemaker.pipelines.catalog.pipelines import PipelineCatalog
from localmaker.services.sagemaker.pipelines.executions.operations import PipelineExecutions
from localmaker.services.sagemaker.pipelines.service import PipelineService

_CATALOG: dict[str, Callable[[PipelineCatalog, dict[str, Any]], dict[str, Any]]] = {
    "CreatePipeline": PipelineCatalog.create,
    "UpdatePipeline": PipelineCatalog.update,
    "UpdatePipelineVersion": PipelineCatalog.update_version,
    "DeletePipeline": PipelineCatalog.delete,
    "DescribePipeline": PipelineCatalog.describe,
    "ListPipelines": PipelineCatalog.list_pipelines,
    "ListPipelineVersions": PipelineCatalog.list_versions,
}
_EXECUTIONS: dict[str, Callable[[PipelineExecutions, dict[str, Any]], dict[str, Any]]] = {
    "StartPipelineExecution": PipelineExecutions.start,
    "StopPipelineExecution": PipelineExecutions.stop,
    "RetryPipelineExecution": PipelineExecutions.retry,
    "UpdatePipelineExecution": PipelineExecutions.update,
    "SendPipelineExecutionStepSuccess": PipelineExecutions.succeed_step,
    "SendPipelineExecutionStepFailure": PipelineExecutions.fail_step,
    "DescribePipelineExecution": PipelineExecutions.describe,
    "DescribePipelineDefinitionForExecution": PipelineExecutions.describe_definition,
    "ListPipelineExecutions": PipelineExecutions.list_executions,
    "ListPipelineExecutionSteps": PipelineExecutions.list_steps,
    "ListPipelineParametersForExecution": PipelineExecutions.list_parameters,
}


def _of_catalog(name: str) -> Handler:
    return lambda request, context: _CATALOG[name](context.service(PipelineService).catalog, request)


def _of_executions(name: str) -> Handler:
    return lambda request, context: _EXECUTIONS[name](context.service(PipelineService).executions, request)


for _name in _CATALOG:
    operation("sagemaker", _name)(_of_catalog(_name))
for _name in _EXECUTIONS:
    operation("sagemaker", _name)(_of_executions(_name))
