"""Universal targets of EventBridge Scheduler: any API call, with its parameters as JSON.

The ARN names the call, as in ``arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution`` ("Using universal
targets" in the user guide). Members of the parameters are written as in the API reference, but begin with a capital.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import ParamValidationError, UnknownServiceError
from botocore.validate import validate_parameters

from localmaker.services.events.inputs import InvalidInputError

_ARN = re.compile(r"arn:aws[a-z-]*:scheduler:::aws-sdk:([^:]+):([^:]+)")
# Services whose identifier in AWS's SDKs is not botocore's name.
_BOTOCORE_NAMES = {
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "sagemakerfeaturestoreruntime": "sagemaker-featurestore-runtime",
    "sagemakerruntime": "sagemaker-runtime",
    "sfn": "stepfunctions",
}
# "Unsupported actions".
_READ_ONLY = re.compile(
    "(get|describe|list|poll|receive|search|scan|query|select|read|lookup|discover|validate|batchGet|batchDescribe"
    "|batchRead|transactGet|adminGet|adminList|testMigration|retrieve|testConnection|translateDocument|isAuthorized|invokeModel)"
)


def is_universal(arn: str) -> bool:
    """Return whether a target is an API call."""
    return ":scheduler:::aws-sdk:" in arn


def operation_of(arn: str) -> Any:
    """Return botocore's model of the operation that a target calls.

    Raises:
        InvalidInputError: Scheduler knows no such target.
    """
    found = _ARN.fullmatch(arn)
    if found is None:
        raise InvalidInputError("Provided Arn is not in correct format.")
    service, action = found.groups()
    model = _model(_BOTOCORE_NAMES.get(service, service))
    if model is None:
        raise InvalidInputError(f"{service} is not a supported service for a target.")
    name = action[:1].upper() + action[1:]
    if name not in model.operation_names or _READ_ONLY.match(action):
        raise InvalidInputError(f"{action} is not a supported api for the service {service}.")
    return model.operation_model(name)


def arguments_of(operation: Any, text: str) -> dict[str, Any]:
    """Return the parameters of an operation in botocore's terms.

    Args:
        operation: botocore's model of it.
        text: JSON.

    Raises:
        InvalidInputError: it is not JSON, or the operation does not take it.
    """
    try:
        given = json.loads(text)
    except ValueError as error:
        raise InvalidInputError(f"Invalid RequestJson provided. Reason: it is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise InvalidInputError("Invalid RequestJson provided. Reason: it is not an object")
    shape = operation.input_shape
    arguments = {} if shape is None else dict(_in_terms_of(shape, given))
    unknown = sorted(set(given) if shape is None else arguments.keys() - shape.members.keys())
    if unknown:
        raise InvalidInputError(
            f"Invalid RequestJson provided. Reason: The field '{unknown[0]}' is not supported for api "
            f"'{operation.name}' for the service '{operation.service_model.service_name}'"
        )
    tokens = {} if shape is None else {name: "t" * 32 for name, one in shape.members.items() if _is_filled_in(one)}
    try:
        validate_parameters({**tokens, **arguments}, shape)
    except ParamValidationError as error:
        raise InvalidInputError(f"Invalid RequestJson provided. Reason: {error}") from error
    return arguments


def _in_terms_of(shape: Any, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    members = {name[:1].upper() + name[1:]: name for name in shape.members}
    for key, value in given.items():
        name = members.get(key, key)
        yield name, _converted(shape.members[name], value) if name in shape.members else value


def _converted(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        return dict(_in_terms_of(shape, value))
    if shape.type_name == "list" and isinstance(value, list):
        return [_converted(shape.member, one) for one in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _converted(shape.value, one) for key, one in value.items()}
    return value


def _is_filled_in(member: Any) -> bool:
    """Return whether an SDK fills a member in that is not given."""
    return bool(member.metadata.get("idempotencyToken"))


@cache
def _model(service: str) -> Any:
    try:
        return botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return None
