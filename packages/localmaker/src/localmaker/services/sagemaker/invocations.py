"""``sagemaker-runtime:InvokeEndpoint``: refused, since no model is served here; moto would answer ``body``.

Answers that a test has given moto (``/moto-api/static/sagemaker/endpoint-results``) are moto's to give.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from moto.sagemakerruntime.models import sagemakerruntime_backends

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.state.tracking import only_looking


@operation("sagemaker-runtime", "InvokeEndpoint")
def invoke_endpoint(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """An error that says what can be done instead."""
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
        f"The local endpoint keeps endpoint {name} and serves nothing from it. A transform job runs its model here.",
        424,
    )
