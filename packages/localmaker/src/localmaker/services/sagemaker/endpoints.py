"""Endpoints and their configurations, where moto's response differs from botocore's service model, and their calls."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from moto.sagemakerruntime.models import sagemakerruntime_backends

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.state.changes import only_looking


@operation("sagemaker", "DescribeEndpoint")
def describe_endpoint(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe an endpoint without the empty structures that moto adds, which the SDK rejects."""
    return without_empty(context.ask_moto(request))


@operation("sagemaker", "DescribeEndpointConfig")
def describe_endpoint_config(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe an endpoint configuration, as :func:`describe_endpoint` does."""
    return without_empty(context.ask_moto(request))


@operation("sagemaker-runtime", "InvokeEndpoint")
def invoke_endpoint(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Refuse the call, since no model is served here, unless a test has given moto a response.

    moto takes responses at ``/moto-api/static/sagemaker/endpoint-results``; without one it would answer ``body``.
    """
    name = request["EndpointName"]
    with only_looking():
        backend = sagemakerruntime_backends[context.account_id][context.region]
        prepared = bool(backend.results_queue or backend.results)
    if prepared:
        answer = context.ask_moto(request)
        return {**answer, "Body": answer["Body"].encode()}  # botocore reads it as text
    try:
        context.endpoint.client("sagemaker", context.region).describe_endpoint(EndpointName=name)
    except ClientError as error:
        raise AwsError("ValidationError", f"Endpoint {name} of account {context.account_id} not found.") from error
    raise AwsError(
        "ModelError",
        f"Endpoint {name} is stored, but the local endpoint serves no models. Run it in a transform job instead.",
        424,
    )


def without_empty(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a response without its empty members."""
    return {key: value for key, value in answer.items() if value not in ({}, [], None)}
