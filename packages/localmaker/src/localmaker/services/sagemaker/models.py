"""Models, where moto's response differs from botocore's service model."""

from __future__ import annotations

from typing import Any

from moto.sagemaker.models import sagemaker_backends

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.endpoints import without_empty
from localmaker.services.sagemaker.listing import order, page, select
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.state.changes import only_looking

# moto drops EnableNetworkIsolation; the ARNs of the models that have it are stored here.
_ISOLATED = "isolated-models"
_SORTED_BY = {"Name": "ModelName", "CreationTime": "CreationTime"}


@operation("sagemaker", "CreateModel")
def create_model(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Create a model in moto, and remember its network isolation; refuse the name of an existing model."""
    name = request["ModelName"]
    if _exists(name, context):
        raise AwsError("ValidationException", f'Cannot create already existing model "{_arn(name, context)}".')
    store, arn = context.service(ResourceStore), _arn(name, context)
    if not request.get("EnableNetworkIsolation", False):
        store.remove(_ISOLATED, arn)  # what a deleted model of that name has left
        return context.ask_moto(request)
    store.put(_ISOLATED, arn, {})
    try:
        return context.ask_moto(request)
    except BaseException:
        store.remove(_ISOLATED, arn)
        raise


@operation("sagemaker", "DescribeModel")
def describe_model(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a model without the empty structures that moto adds for members that were not given."""
    _require(request["ModelName"], context)
    model = without_empty(context.ask_moto(request))
    isolated = context.service(ResourceStore).get(_ISOLATED, model["ModelArn"]) is not None
    return {**model, "EnableNetworkIsolation": isolated}


@operation("sagemaker", "DeleteModel")
def delete_model(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete a model; the error for one that does not exist names its ARN, which moto's does not."""
    _require(request["ModelName"], context)
    return context.ask_moto(request)


@operation("sagemaker", "ListModels")
def list_models(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List models by the request's filters, order and pages, which moto ignores."""
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
