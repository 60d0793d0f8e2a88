"""Models, where moto's answer is not what botocore's service model has."""

from __future__ import annotations

from typing import Any

from pipeline.local.operations import RequestContext, operation

# moto forgets EnableNetworkIsolation; the models that have it are kept under their ARNs.
_ISOLATED = "isolated-models"


@operation("sagemaker", "CreateModel")
def create_model(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """moto's model, and whether its containers may use the network."""
    answer = context.ask_moto(request)
    if request.get("EnableNetworkIsolation", False):
        context.endpoint.resources.put(_ISOLATED, answer["ModelArn"], {})
    else:
        context.endpoint.resources.remove(_ISOLATED, answer["ModelArn"])
    return answer


@operation("sagemaker", "DescribeModel")
def describe_model(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """moto's model without the empty structures that stand there for what was not given."""
    model = {key: value for key, value in context.ask_moto(request).items() if value not in ({}, [], None)}
    isolated = context.endpoint.resources.get(_ISOLATED, model["ModelArn"]) is not None
    return {**model, "EnableNetworkIsolation": isolated}
