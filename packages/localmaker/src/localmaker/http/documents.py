"""The XML documents that S3 takes, refused as S3 does if they do not fit its schema."""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import parse_qs
from xml.etree.ElementTree import ParseError, fromstring

from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.s3.models import s3_backends
from werkzeug.exceptions import NotFound

from localmaker.errors import AwsError
from localmaker.http.parsing import PARSED, ParsedRequest, parse, require_types

_PAGE_SIZES = frozenset({"max-keys", "max-uploads", "max-parts", "part-number-marker"})
_MOST = (1 << 31) - 1


def malformed_xml() -> AwsError:
    """Return S3's refusal of a document."""
    message = "The XML you provided was not well-formed or did not validate against our published schema"
    return AwsError("MalformedXML", message)


def require_document(environ: dict[str, Any]) -> None:
    """Check the document that a request to S3 carries, if its operation takes one.

    Args:
        environ: the WSGI environment, with a body in memory. What was parsed is noted there.

    Raises:
        AwsError: MalformedXML.
    """
    body = environ["wsgi.input"].getvalue()
    if not body:
        return
    model, path_parameters = _operation_of(environ)
    payload = model.input_shape.serialization.get("payload") if model is not None and model.input_shape else None
    if payload is None or model.input_shape.members[payload].type_name != "structure":
        return
    shape = model.input_shape.members[payload]
    try:
        if _root_of(body) != shape.serialization.get("name", shape.name):
            raise malformed_xml()
        parameters = parse("rest-xml", model, Request(environ), path_parameters)
        require_types(model, parameters)
    except (AwsError, ParseError) as error:
        raise malformed_xml() from error
    finally:
        environ["wsgi.input"].seek(0)
    environ[PARSED] = ParsedRequest(model, parameters)


def argument_refusal(environ: dict[str, Any]) -> AwsError | None:
    """Return S3's refusal of a header or query parameter of a wrong type; None if there is none."""
    model, path_parameters = _operation_of(environ)
    try:
        if model is not None:
            parse(
                "rest-xml",
                model,
                Request({**environ, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}),
                path_parameters,
            )
    except AwsError as error:
        return AwsError("InvalidArgument", error.message)
    return None


def require_page(environ: dict[str, Any]) -> None:
    """Check where the page of a list in S3 begins and how long it is to be.

    Raises:
        AwsError: InvalidArgument.
    """
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    for name in _PAGE_SIZES & query.keys():
        text = query[name][0]
        if text and (re.fullmatch(r"[0-9]{1,10}", text) is None or int(text) > _MOST):
            raise AwsError("InvalidArgument", f"Provided {name} not an integer or within integer range 0 to {_MOST}")
    token = query.get("continuation-token", [None])[0]
    if token is not None and "list-type" in query and not _is_token(token):
        raise AwsError("InvalidArgument", "The continuation token provided is incorrect")


def _is_token(text: str) -> bool:
    """Return whether moto has given out a token."""
    backends = [backend for of_account in list(s3_backends.values()) for backend in list(of_account.values())]
    return any(text in vars(backend)["_pagination_tokens"] for backend in backends)


def _operation_of(environ: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    try:
        model, path_parameters = get_service_router("s3").match(Request(environ))
    except (NotFound, NotImplementedError):
        return None, {}
    return model, path_parameters


def _root_of(body: bytes) -> str:
    """Return the name of the first element, without its namespace."""
    root = fromstring(body)  # noqa: S314 - moto's parser reads it next; expat refuses entities that grow
    return str(root.tag).rpartition("}")[2]
