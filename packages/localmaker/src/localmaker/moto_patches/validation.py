"""Requests to moto, checked against botocore's service model before moto acts on them.

moto takes what it is given: the name of a resource may become a list, which then breaks every later answer that has
it. Clients of AWS check types and required members before they send, so this changes nothing for them. S3 is left out:
its requests are not parsed by model.
"""

from __future__ import annotations

from typing import Any

from botocore.model import OperationNotFoundError
from moto.core import responses
from moto.core.request import determine_request_protocol
from moto.core.responses import BaseResponse
from moto.core.utils import get_service_model

from localmaker.http.parsing import PARSED, PARSERS, ParsedRequest, parse, require_types, without_unsent

_UNCHECKED = frozenset({"", "s3"})


def install() -> None:
    """Patch moto for the whole process. Safe to call again."""
    BaseResponse.setup_class = _setup_class
    responses.PROTOCOL_PARSERS = PARSERS


_moto_setup_class = BaseResponse.setup_class


def _setup_class(response: Any, request: Any, *args: Any, **kwargs: Any) -> None:
    _moto_setup_class(response, request, *args, **kwargs)
    service = response.boto3_service_name
    if service in _UNCHECKED:
        return
    action = response._get_action()  # noqa: SLF001 - moto has no hook for it
    if not action:
        return
    service_model = get_service_model(service)
    try:
        model = service_model.operation_model(action)
    except OperationNotFoundError:  # moto answers that
        return
    parameters = _parameters(response, request, service_model, model)
    require_types(model, parameters)
    request.environ[PARSED] = ParsedRequest(model, parameters)


def _parameters(response: Any, request: Any, service_model: Any, model: Any) -> dict[str, Any]:
    if response.automated_parameter_parsing and response.PROTOCOL_PARSER_MAP_TYPE is dict:
        return without_unsent(model, response.params) if model.input_shape is not None else {}
    try:
        protocol = determine_request_protocol(service_model, request.content_type)
    except NotImplementedError:  # a form for a service that has none: the operation is in a header
        protocol = str(service_model.protocol)
    return parse(protocol, model, request, response.uri_match)
