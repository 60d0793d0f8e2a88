"""Endpoints and their configurations, where moto's answer is not what botocore's service model has."""

from __future__ import annotations

from typing import Any

from localmaker.http.operations import RequestContext, operation


@operation("sagemaker", "DescribeEndpoint")
def describe_endpoint(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """moto's without the empty structures that stand there for what was not given; the SDK takes none of them."""
    return given(context.ask_moto(request))


@operation("sagemaker", "DescribeEndpointConfig")
def describe_endpoint_config(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """As :func:`describe_endpoint`."""
    return given(context.ask_moto(request))


def given(answer: dict[str, Any]) -> dict[str, Any]:
    """What of an answer holds something."""
    return {key: value for key, value in answer.items() if value not in ({}, [], None)}
