"""Check the endpoint's own responses against botocore's service model, as requests always are.

Off by default, since it costs time and clients cannot act on it. ``LOCALMAKER_CHECK_RESPONSES=1`` turns a wrong
response into an ``InternalFailure`` that says what is wrong; every endpoint of the test suite runs with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from localmaker.errors import AwsError
from pipedef.shapes import violations

# Members that the service model requires and AWS omits: a versioned package has no name of its own.
_OMITTED_BY_AWS = {"DescribeModelPackage": {"ModelPackageName": "none"}}
#: Errors that any operation may return ("Common Error Types" of the API references).
COMMON_ERRORS = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InternalFailure",
        "MalformedHttpRequestException",
        "NotAuthorized",
        "OptInRequired",
        "RequestAbortedException",
        "RequestEntityTooLargeException",
        "RequestExpired",
        "RequestTimeoutException",
        "SerializationException",
        "ServiceUnavailable",
        "ThrottlingException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "ValidationError",
        "ValidationException",
    }
)
# Errors that the service model omits: a feature group that does not exist.
_OMITTED_ERRORS = {"PutRecord": {"ResourceNotFound"}, "DeleteRecord": {"ResourceNotFound"}}


def are_on() -> bool:
    """Return whether responses are to be checked."""
    return os.environ.get("LOCALMAKER_CHECK_RESPONSES", "") == "1"


def check_response(operation_model: Any, response: dict[str, Any]) -> None:
    """Compare a response with the operation's output shape.

    Raises:
        AwsError: InternalFailure, with every member that is unknown, missing, or of a wrong type or value.
    """
    shape = operation_model.output_shape
    whole = _OMITTED_BY_AWS.get(operation_model.name, {}) | response
    if shape is None:
        problems = [f"'{name}' is unknown: the operation returns nothing" for name in whole]
    else:
        present = _as_read(shape, whole)
        problems = [*_unknown(shape, present, ""), *violations(shape, present)]
    if problems:
        raise AwsError("InternalFailure", f"wrong response of {operation_model.name}: {'; '.join(problems)}", 500)


def check_error(operation_model: Any, error: AwsError) -> None:
    """Compare an error with those that the operation may return.

    Raises:
        AwsError: InternalFailure.
    """
    known = {shape.name for shape in operation_model.error_shapes} | _OMITTED_ERRORS.get(operation_model.name, set())
    if error.code not in known | COMMON_ERRORS:
        raise AwsError("InternalFailure", f"{operation_model.name} never returns {error}", 500) from error


def _as_read(shape: Any, value: Any) -> Any:
    """Return what a client reads: without members that have no value, and with numbers as times where they are."""
    if shape.type_name == "structure" and isinstance(value, dict) and not getattr(shape, "is_document_type", False):
        return {
            name: _as_read(shape.members[name], item) if name in shape.members else item
            for name, item in value.items()
            if item is not None
        }
    if shape.type_name == "list" and isinstance(value, (list, tuple)):
        return [_as_read(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _as_read(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp" and isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    return value


def _unknown(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, dict) and not getattr(shape, "is_document_type", False):
        for name, item in value.items():
            if name not in shape.members:
                yield f"'{path}{name}' is unknown"
            else:
                yield from _unknown(shape.members[name], item, f"{path}{name}.")
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            yield from _unknown(shape.member, item, path)
    elif shape.type_name == "map" and isinstance(value, dict):
        for key, item in value.items():
            yield from _unknown(shape.value, item, f"{path}{key}.")
