"""Models, where moto's answer is not what botocore's service model has."""

from __future__ import annotations

from typing import Any

from pipeline.local.operations import RequestContext, operation


@operation("sagemaker", "DescribeModel")
def describe_model(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """moto's model without the empty structures that stand there for what was not given."""
    return {key: value for key, value in context.ask_moto(request).items() if value not in ({}, [], None)}
