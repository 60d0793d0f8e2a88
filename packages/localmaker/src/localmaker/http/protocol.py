"""AWS's wire protocols: the operation of a request, its parameters, and the response as AWS sends it.

Parsing and serialising are moto's (``moto.core.parse``, ``moto.core.serialize``), driven by botocore's service
models; errors are serialised here, since moto's serialisers need an exception class per code.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

from localmaker.errors import AwsError
from localmaker.http.operations import Handler, find_handler, registered_operations
from localmaker.http.parsing import parse
from localmaker.ports import CredentialScope
from pipedef.shapes import validate_request, validation_code

logger = logging.getLogger(__name__)

# Clients may sign for a region that AWS does not have; its name becomes that of a folder.
_PATHS = ("PATH_INFO", "RAW_URI", "REQUEST_URI")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_LOCAL_GIT = r"|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/.+"


@dataclass(frozen=True)
class Recognised:
    """A request that one of our own handlers answers."""

    service: str
    name: str
    handler: Handler
    model: Any
    path_parameters: dict[str, Any]


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP response, ready to send."""

    status: int
    headers: dict[str, str]
    body: bytes


def is_region_name(name: str) -> bool:
    """Return whether a request may be signed for it."""
    return _REGION.fullmatch(name) is not None


def recognise(environ: dict[str, Any], scope: CredentialScope | None) -> Recognised | None:
    """Return the operation of ours that a request asks for, or None if moto has to answer.

    The body is not read, so that moto gets it untouched.
    """
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        prefix, _, name = target.rpartition(".")
        for service in _services_of_target(prefix):
            handler = find_handler(service, name)
            if handler is not None:
                return Recognised(service, name, handler, service_model(service).operation_model(name), {})
        return None
    return next(_rest_matches(environ, scope), None) if scope is not None else None


def _rest_matches(environ: dict[str, Any], scope: CredentialScope) -> Iterator[Recognised]:
    for service in _rest_services(scope.signing_name):
        try:
            operation_model, parameters = get_service_router(service).match(Request(environ))
        except (NotFound, NotImplementedError):
            continue
        handler = find_handler(service, operation_model.name)
        if handler is not None:
            yield Recognised(service, operation_model.name, handler, operation_model, parameters)


@cache
def _services_of_target(prefix: str) -> tuple[str, ...]:
    return tuple(service for service in _services() if service_model(service).metadata.get("targetPrefix") == prefix)


@cache
def _rest_services(signing_name: str) -> tuple[str, ...]:
    models = ((service, service_model(service)) for service in _services())
    return tuple(
        service for service, model in models if model.protocol == "rest-json" and model.signing_name == signing_name
    )


def _services() -> list[str]:
    return list(dict.fromkeys(service for service, _ in registered_operations()))


@cache
def service_model(service: str) -> Any:
    """Return botocore's model of a service, in moto's classes."""
    model = get_service_model(service)
    if service == "sagemaker":
        _take_local_git(model)
    return model


def _take_local_git(model: Any) -> None:
    """Let the URL of a Git repository be of this machine over HTTP, too: servers of tests have no certificates."""
    for name in ("GitConfigUrl", "CodeRepositoryNameOrUrl"):
        description = model.shape_for(name)._shape_model  # noqa: SLF001 - a model cannot be changed in another way
        if _LOCAL_GIT not in description["pattern"]:
            description["pattern"] += _LOCAL_GIT


def parse_request(recognised: Recognised, environ: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the request's validated parameters in botocore's terms, and the body as it came.

    Raises:
        AwsError: the body cannot be read, or breaks a constraint of the service model.
    """
    request = Request(environ)
    body = request.get_data(cache=True, parse_form_data=False)
    protocol = str(recognised.model.service_model.protocol)
    parameters = parse(protocol, recognised.model, request, recognised.path_parameters)
    validate_request(recognised.model, parameters)
    return parameters, body


def serialise_response(recognised: Recognised, response: dict[str, Any], request_id: str) -> HttpResponse:
    """Return a handler's response as AWS sends it."""
    protocol = str(recognised.model.service_model.protocol)
    serializer = get_serializer_class(recognised.service, protocol)(
        recognised.model, context=SerializationContext(request_id)
    )
    written = serializer.serialize(response)
    body = written["body"]
    headers = {**written["headers"], "x-amzn-RequestId": request_id}
    status = _own_status(recognised.model.output_shape, response) or written["status_code"]
    return HttpResponse(status, headers, body if isinstance(body, bytes) else (body or "").encode("utf-8"))


def _own_status(shape: Any, response: dict[str, Any]) -> int | None:
    """Return the HTTP status that is a member of the response, as with Lambda; moto's serialisers ignore it."""
    members = shape.members.items() if shape is not None else ()
    located = (name for name, member in members if member.serialization.get("location") == "statusCode")
    return next((response[name] for name in located if name in response), None)


def serialise_error(recognised: Recognised, error: AwsError, request_id: str) -> HttpResponse:
    """Return an error as AWS sends it over a JSON protocol: code in ``__type`` and in ``x-amzn-ErrorType``."""
    shape = next((shape for shape in recognised.model.service_model.error_shapes if shape.name == error.code), None)
    status = error.status
    key = "message"
    if shape is not None:
        if status == 400:  # noqa: PLR2004 - the default of AwsError: the model may know better
            status = shape.metadata.get("error", {}).get("httpStatusCode", 400)
        key = next((name for name in shape.members if name.lower() == "message"), key)
    body = {"__type": error.code, key: error.message}
    content_type = "application/json"
    if recognised.model.service_model.protocol == "json":
        content_type = f"application/x-amz-json-{recognised.model.service_model.metadata.get('jsonVersion', '1.0')}"
    headers = {"Content-Type": content_type, "x-amzn-ErrorType": error.code, "x-amzn-RequestId": request_id}
    return HttpResponse(status, headers, json.dumps(body).encode("utf-8"))


def _without_last_slashes(uri: str) -> str:
    path, mark, query = uri.partition("?")
    return f"{path.rstrip('/')}{mark}{query}"


def moto_environ(environ: dict[str, Any], recognised: Recognised, request: dict[str, Any]) -> dict[str, Any]:
    """Return the WSGI environment of the same operation with other parameters."""
    protocol = str(recognised.model.service_model.protocol)
    written = create_serializer(protocol, include_validation=False).serialize_to_request(request, recognised.model)
    body = written["body"] if isinstance(written["body"], bytes) else written["body"].encode("utf-8")
    # Clients may send an operation that a header names to any path.
    place = {"PATH_INFO": "/", "RAW_URI": "/", "REQUEST_URI": "/"} if protocol == "json" else {}
    if protocol == "rest-json" and not recognised.model.http["requestUri"].partition("?")[0].endswith("/"):
        # botocore's paths match with slashes behind them, and moto's do not.
        place = {name: _without_last_slashes(environ[name]) for name in _PATHS if name in environ}
    return {
        **environ,
        **place,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": written["headers"].get("Content-Type", environ.get("CONTENT_TYPE", "")),
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
    }


def parse_moto_response(recognised: Recognised, status: int, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Return moto's response in botocore's terms.

    Raises:
        AwsError: moto refused the request.
    """
    protocol = str(recognised.model.service_model.protocol)
    parsed = create_parser(protocol).parse(
        {"status_code": status, "headers": headers, "body": body}, recognised.model.output_shape
    )
    if "Error" in parsed and status >= 300:  # noqa: PLR2004 - HTTP
        error = parsed["Error"]
        raise AwsError(error.get("Code") or validation_code(recognised.model.service_model), error["Message"], status)
    parsed.pop("ResponseMetadata", None)
    return dict(parsed)
