"""Models, where moto's answer is not what botocore's service model has."""

from __future__ import annotations

from typing import Any

from moto.sagemaker.models import sagemaker_backends

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.endpoints import given
from localmaker.services.sagemaker.listing import order, page, select
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.state.tracking import only_looking

# moto forgets EnableNetworkIsolation; the models that have it are kept under their ARNs.
_ISOLATED = "isolated-models"
_SORTED_BY = {"Name": "ModelName", "CreationTime": "CreationTime"}


@operation("sagemaker", "CreateModel")
def create_model(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """moto's model, and whether its containers may use the network; a name is taken until the model is deleted."""
    name = request["ModelName"]
    if _exists(name, context):
        raise AwsError("ValidationException", f'Cannot create already existing model "{_arn(name, context)}".')
    answer = context.ask_moto(request)
    if request.get("EnableNetworkIsolation", False):
        context.service(ResourceStore).put(_ISOLATED, answer["ModelArn"], {})
    else:
        context.service(ResourceStore).remove(_ISOLATED, answer["ModelArn"])
    return answer


@operation("sagemaker", "DescribeModel")
def describe_model(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """moto's model without the empty structures that stand there for what was not given."""
    _require(request["ModelName"], context)
    model = given(context.ask_moto(request))
    isolated = context.service(ResourceStore).get(_ISOLATED, model["ModelArn"]) is not None
    return {**model, "EnableNetworkIsolation": isolated}


@operation("sagemaker", "DeleteModel")
def delete_model(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """moto's, whose error names no ARN."""
    _require(request["ModelName"], context)
    return context.ask_moto(request)


@operation("sagemaker", "ListModels")
def list_models(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """moto's models by the request's filters, in its order and pages; moto gives all of them, always."""
    models = [{**model, "CreationTime": model["CreationTime"].timestamp()} for model in context.ask_moto({})["Models"]]
    found = select(models, request, "ModelName")
    order(found, request, _SORTED_BY, "CreationTime", "Descending")
    return page(found, request, "Models")


def _require(name: str, context: RequestContext) -> None:
    if not _exists(name, context):
        raise AwsError("ValidationException", f'Could not find model "{_arn(name, context)}".')


def _exists(name: str, context: RequestContext) -> bool:
    with only_looking():
        return name in sagemaker_backends[context.account_id][context.region]._models  # noqa: SLF001 - no public way


def _arn(name: str, context: RequestContext) -> str:
    return f"arn:aws:sagemaker:{context.region}:{context.account_id}:model/{name}"
