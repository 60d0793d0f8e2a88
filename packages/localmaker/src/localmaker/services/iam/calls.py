"""The operation of an HTTP request, and the parameters that name its resources.

The bodies of objects are never read here; a body that is read is put back.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.utils import parse_timestamp
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

from localmaker.http.protocol import service_model
from localmaker.ports import CredentialScope

_MAX_BODY_BYTES = 1 << 22
# Smithy's RPC protocols name the operation in the path.
_RPC_PATH = re.compile(r"/service/[^/]+/operation/([^/]+)")
_FORM = "application/x-www-form-urlencoded"
#: Signing name → botocore's services with it, where that is not the service of the same name.
_SIGNED_AS: Mapping[str, tuple[str, ...]] = {
    "monitoring": ("cloudwatch",),
    "sagemaker": ("sagemaker-featurestore-runtime", "sagemaker-runtime", "sagemaker-metrics", "sagemaker"),
}


@dataclass(frozen=True)
class Operation:
    """An operation that a request asks for.

    Attributes:
        service: botocore's name; the signing name if botocore has no such service.
        name: as the service model spells it.
        request: parameters in botocore's terms, as far as they are needed to name its resources.
    """

    service: str
    name: str
    request: Mapping[str, Any]


def operation_of(environ: dict[str, Any], scope: CredentialScope) -> Operation | None:
    """Return the operation of a signed request; None if it cannot be determined.

    Args:
        environ: WSGI environment; its body is put back as it was.
        scope: of the request's signature.
    """
    return next(_candidates(environ, scope), None)


def is_ambiguous(environ: dict[str, Any], scope: CredentialScope) -> bool:
    """Return whether a request names its operation in several ways, of which others may prefer another one.

    Args:
        environ: WSGI environment; its body is put back as it was.
        scope: of the request's signature.
    """
    fields = parse_qs(environ.get("QUERY_STRING", "")).get("Action", [])
    if str(environ.get("CONTENT_TYPE", "")).startswith(_FORM):
        fields += parse_qs(_read(environ).decode("utf-8", "replace")).get("Action", [])
    target = environ.get("HTTP_X_AMZ_TARGET")
    named = len(fields) + (target is not None) + (_RPC_PATH.fullmatch(environ.get("PATH_INFO", "")) is not None)
    models = [model for model in map(_model, _services(scope.signing_name)) if model is not None]
    by_path = bool(models) and all(model.protocol.startswith("rest-") for model in models)
    return named > (0 if by_path else 1)


def _candidates(environ: dict[str, Any], scope: CredentialScope) -> Iterator[Operation]:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    name = target.rpartition(".")[2] or _action(environ)
    for service in _services(scope.signing_name):
        model = _model(service)
        if model is None:
            continue
        if name:
            if name in model.operation_names and target.rpartition(".")[0] in ("", model.metadata.get("targetPrefix")):
                yield Operation(service, name, _parameters(model.operation_model(name), environ, {}))
        elif model.protocol.startswith("rest-"):
            try:
                operation, path = get_service_router(service).match(Request(environ))
            except (NotFound, NotImplementedError):
                continue
            yield Operation(service, operation.name, _parameters(operation, environ, path))
    if name:
        yield Operation(_services(scope.signing_name)[-1], name, {})


def _services(signing_name: str) -> tuple[str, ...]:
    return _SIGNED_AS.get(signing_name, (signing_name,))


@cache
def _model(service: str) -> Any:
    try:
        botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return None
    return service_model(service)


def _parameters(operation: Any, environ: dict[str, Any], path: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request's parameters without the content of objects; none for a request that cannot be parsed."""
    if operation.input_shape is None:
        return {}
    request = Request(environ)
    body = b"" if operation.has_streaming_input else _unpacked(environ, _read(environ))
    is_form = (request.content_type or "").startswith(_FORM)
    # Of several protocols that a service speaks, clients choose.
    by_target = "json" if "HTTP_X_AMZ_TARGET" in environ else str(operation.service_model.protocol)
    parser = PROTOCOL_PARSERS.get("query" if is_form else by_target)
    if parser is None:
        return {}
    try:
        parsed = parser(operation, timestamp_parser=parse_timestamp).parse(
            {
                "body": body,
                "headers": request.headers,
                "method": request.method,
                "url_params": path,
                "url_path": request.path,
                "values": _form(environ) if is_form else request.args,
            }
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        # The service that answers the request reports what is wrong with it.
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _action(environ: dict[str, Any]) -> str:
    """Return the operation as the query protocol names it."""
    if str(environ.get("CONTENT_TYPE", "")).startswith(_FORM):
        return _form(environ).get("Action", "")
    rpc = _RPC_PATH.fullmatch(environ.get("PATH_INFO", ""))
    return rpc[1] if rpc else str(parse_qs(environ.get("QUERY_STRING", "")).get("Action", [""])[0])


def _read(environ: dict[str, Any]) -> bytes:
    """Return the body and put it back; nothing for one that is too large to hold parameters."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > _MAX_BODY_BYTES:
        return b""
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _unpacked(environ: Mapping[str, Any], body: bytes) -> bytes:
    """Return a body as it was before its client compressed it, as for large requests of CloudWatch; b"" if damaged."""
    if environ.get("HTTP_CONTENT_ENCODING") != "gzip":
        return body
    try:
        return zlib.decompressobj(wbits=31).decompress(body, _MAX_BODY_BYTES)
    except zlib.error:
        return b""


def _form(environ: dict[str, Any]) -> dict[str, str]:
    fields = parse_qs(environ.get("QUERY_STRING", "")) | parse_qs(_read(environ).decode("utf-8", "replace"))
    return {name: values[0] for name, values in fields.items()}
