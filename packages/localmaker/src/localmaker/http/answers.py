"""What the gateway answers itself, in the form of the service that was asked."""

from __future__ import annotations

import json
import logging
import sqlite3
import traceback
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

from botocore.model import OperationNotFoundError

from localmaker.errors import AwsError
from localmaker.http.documents import argument_refusal, malformed_xml
from localmaker.http.parsing import PARSED, ParsedRequest, invalidity_of
from localmaker.http.protocol import HttpResponse
from localmaker.ports import CredentialScope
from localmaker.state.contents import BrokenUploadError
from localmaker.state.room import is_no_room, no_room_message

logger = logging.getLogger(__name__)

#: Signing names of the services whose answers are XML.
XML_SERVICES = frozenset({"s3", "iam", "sts", "sns", "cloudformation", "monitoring", "ec2", "rds"})
# Where moto looks for the service of a request.
_DISPATCHERS = ("moto.moto_server.", "moto.backend")
_MISFITS = (ArithmeticError, AttributeError, ExpatError, LookupError, TypeError, ValueError)


def is_s3(scope: CredentialScope | None) -> bool:
    """Return whether S3 answers a request; unsigned ones are its, too."""
    return scope is None or scope.signing_name == "s3"


def refusal(error: AwsError, environ: dict[str, Any], scope: CredentialScope | None) -> HttpResponse:
    """Return an error in the form of the service that is asked: JSON, or the XML of S3 or of the query protocol."""
    form = _form_of(environ, scope)
    if form == "json":
        return json_response(error.status, {"__type": error.code, "message": error.message})
    inner = f"<Code>{escape(error.code)}</Code><Message>{_xml_text(error.message)}</Message>"
    body = f"<Error>{inner}</Error>" if form == "s3" else f"<ErrorResponse><Error>{inner}</Error></ErrorResponse>"
    return HttpResponse(error.status, {"Content-Type": "text/xml"}, body.encode("utf-8", "replace"))


def _form_of(environ: dict[str, Any], scope: CredentialScope | None) -> str:
    if "HTTP_X_AMZ_TARGET" in environ:
        return "json"
    if scope is not None:
        return "s3" if is_s3(scope) else "query" if scope.signing_name in XML_SERVICES else "json"
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    return "query" if is_form or "Action=" in environ.get("QUERY_STRING", "") else "s3"


def _xml_text(text: str) -> str:
    # XML 1.0 has no control characters.
    return escape("".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text))


def other_region(region: str, expected: str) -> HttpResponse:
    """Return S3's error for a wrong region. It names the expected region, and clients sign again for that."""
    message = f"The authorization header is malformed; the region '{region}' is wrong; expecting '{expected}'"
    code = "AuthorizationHeaderMalformed"
    body = f"<Error><Code>{code}</Code><Message>{_xml_text(message)}</Message><Region>{expected}</Region></Error>"
    return HttpResponse(HTTPStatus.BAD_REQUEST, {"Content-Type": "application/xml"}, body.encode())


def error_of(
    error: Exception, environ: dict[str, Any], scope: CredentialScope | None, request_id: str, state_dir: Path
) -> AwsError:
    """Return what a client is told about an exception: whose fault it is decides the status.

    The client's (400): the request breaks the service model, or its XML the schema. A full disk's (507) and moto's, on
    a request that AWS would answer (501): clients do not repeat them. Another one's of the disk, or the endpoint's own
    (500, which they do).
    """
    asked = environ.get("HTTP_X_AMZ_TARGET") or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    if isinstance(error, NotImplementedError):
        return AwsError("NotImplemented", f"neither the local endpoint nor moto implements {asked} ({error})", 501)
    if is_no_room(error):
        message = no_room_message(error, state_dir)
        logger.error("%s", message)
        return AwsError("InternalFailure", message, HTTPStatus.INSUFFICIENT_STORAGE)
    if isinstance(error, (OSError, sqlite3.OperationalError)):
        logger.error("%s could not be stored", asked, exc_info=error)
        message = f"the local endpoint could not store what this request changes: {error}"
        return AwsError("InternalFailure", message, 500)
    refused = _refusal_of(error, environ, scope)
    if refused is not None:
        return refused
    logger.error("moto failed on %s (request %s)", asked, request_id, exc_info=error)
    if _raised_in(error).startswith("localmaker."):
        return AwsError("InternalFailure", f"the local endpoint failed; its log has request {request_id}", 500)
    reason = f"{type(error).__name__}: {error}"[:200]
    message = f"moto cannot answer this request ({reason}); the log of the local endpoint has request {request_id}"
    return AwsError("NotImplemented", message, 501)


def _refusal_of(error: Exception, environ: dict[str, Any], scope: CredentialScope | None) -> AwsError | None:
    """Return what is wrong with a request that has caused an exception; None if nothing is."""
    if isinstance(error, AwsError):
        return error
    if isinstance(error, BrokenUploadError):
        return AwsError(error.code, str(error))
    if isinstance(error, UnicodeError):
        return AwsError("SerializationException", "the request is not UTF-8")
    if isinstance(error, RecursionError):
        return AwsError("SerializationException", "the request is nested too deeply")
    if isinstance(error, OperationNotFoundError) or _raised_in(error).startswith(_DISPATCHERS):
        return AwsError("UnknownOperationException", "the request names no operation of a service that moto has")
    return _invalidity(error, environ, scope) if isinstance(error, _MISFITS) else None


def _invalidity(error: Exception, environ: dict[str, Any], scope: CredentialScope | None) -> AwsError | None:
    """Return how a request on which moto has failed breaks the model of its service; None if it does not."""
    parsed: ParsedRequest | None = environ.get(PARSED)
    if parsed is not None:
        return invalidity_of(parsed, error)
    has_document = environ["REQUEST_METHOD"] in ("PUT", "POST") and environ.get("CONTENT_LENGTH", "0") != "0"
    if is_s3(scope):
        return malformed_xml() if has_document else argument_refusal(environ)
    return None


def _raised_in(error: Exception) -> str:
    """Return the module that has raised an exception."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return str(frames[-1][0].f_globals.get("__name__", "")) if frames else ""


def json_response(status: int, content: dict[str, Any]) -> HttpResponse:
    """Return a JSON document."""
    return HttpResponse(status, {"Content-Type": "application/json"}, json.dumps(content).encode())


def send(response: HttpResponse, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Begin a response, and return its body."""
    headers = {**response.headers, "Content-Length": str(len(response.body))}
    start_response(f"{int(response.status)} {HTTPStatus(response.status).phrase}", list(headers.items()))
    return [response.body]
