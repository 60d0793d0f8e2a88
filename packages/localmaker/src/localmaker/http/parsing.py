"""A request's parameters in botocore's terms, parsed by moto's parsers, and refused where a parser would guess."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError

from localmaker.errors import AwsError
from pipedef.shapes import validate_request, validation_code

#: Key of the WSGI environment: what was parsed of a request that moto answers.
PARSED = "localmaker.parsed"
_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+")
_NOT_FOUND = re.compile(r"NotFound|NoSuch|NonExistent|DoesNotExist")


@dataclass(frozen=True)
class ParsedRequest:
    """A request to an operation.

    Attributes:
        model: of the operation.
        parameters: in botocore's terms.
    """

    model: Any
    parameters: dict[str, Any]


def json_object(body: bytes | str) -> dict[str, Any]:
    """Return the JSON object of a body, {} for an empty one.

    Raises:
        ValueError: it is not a JSON object in UTF-8.
    """
    if not body:
        return {}
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
        parsed = json.loads(text, parse_constant=_no_number)
        if "\\u" in text:
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair is no character
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(parsed, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - of the text, whose type is right
    return parsed


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class _Strict:
    """Makes a parser of moto refuse instead of guess."""

    def parse(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            parsed = super().parse(request)  # type: ignore[misc]  # of the parser that this is mixed into
        except RecursionError as error:
            raise AwsError("SerializationException", "the request body is nested too deeply") from error
        except _MISFITS as error:
            raise AwsError("SerializationException", f"the request body does not fit the operation: {error}") from error
        if not isinstance(parsed, dict):
            raise AwsError("SerializationException", "the request body is not an object")
        return parsed

    def _parse_body_as_json(self, body: bytes) -> dict[str, Any]:
        return json_object(body)


# RuntimeError: botocore raises it for a time that no calendar has.
_MISFITS = (ArithmeticError, AttributeError, LookupError, RequestParserError, RuntimeError, TypeError, ValueError)

#: moto's parsers by protocol, strict.
PARSERS = {name: type(f"Strict{base.__name__}", (_Strict, base), {}) for name, base in PROTOCOL_PARSERS.items()}
_FORMS = frozenset({"query", "ec2"})


def parse(protocol: str, operation_model: Any, request: Any, path_parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a request, without those that were not sent.

    Args:
        protocol: as botocore names it.
        operation_model: botocore's, in moto's classes.
        request: moto's or werkzeug's.
        path_parameters: of the operation's URI.

    Raises:
        AwsError: ``SerializationException``, the body does not fit the operation.
    """
    if operation_model.input_shape is None:
        return {}
    is_form = protocol in _FORMS
    parsed = PARSERS[protocol](operation_model, timestamp_parser=parse_timestamp).parse(
        {
            "body": request.data if is_form else request.get_data(cache=True, parse_form_data=False),
            "headers": request.headers,
            "method": request.method,
            "url_params": path_parameters,
            "url_path": request.path,
            "values": request.values if is_form else request.args,
        }
    )
    return without_unsent(operation_model, parsed)


def without_unsent(operation_model: Any, parsed: dict[str, Any]) -> dict[str, Any]:
    """Return parsed parameters without those that a parser adds or a client sends as null."""
    sent: dict[str, Any] = _without_nulls(_without_unsent_lists(operation_model, parsed))
    return sent


def require_types(operation_model: Any, parameters: dict[str, Any]) -> None:
    """Refuse what every client of AWS refuses before it sends: wrong types, missing members.

    Raises:
        AwsError: ``SerializationException``, or the service's validation error.
    """
    if operation_model.input_shape is None:
        return
    report = ParamValidator().validate(parameters, operation_model.input_shape)
    text = report.generate_report() if report.has_errors() else ""
    if "Invalid type for parameter" in text:
        raise AwsError("SerializationException", text)
    if "Missing required parameter" in text:
        raise AwsError(validation_code(operation_model.service_model), text)


def invalidity_of(request: ParsedRequest, error: Exception) -> AwsError | None:
    """Return why a service would have refused a request on which moto has failed; None if it might have answered.

    That it breaks the service model, or an ARN is none; that moto could not read one of its texts, such as the token of
    a page; that moto looked up a name of the request in vain.
    """
    try:
        validate_request(request.model, request.parameters)
    except AwsError as invalid:
        return invalid
    texts = list(_texts(request.parameters))
    for name, text in texts:
        is_no_arn = name.lower().endswith("arn") and _ARN.fullmatch(text) is None
        if is_no_arn or (text and isinstance(error, ValueError) and repr(text) in str(error)):
            message = f"'{text[:200]}' at '{name}' is not valid"
            return AwsError(validation_code(request.model.service_model), message)
    missing = next((shape.name for shape in request.model.error_shapes if _NOT_FOUND.search(shape.name)), None)
    if missing is not None and isinstance(error, KeyError) and error.args[0] in [text for _, text in texts]:
        return AwsError(missing, f"'{error.args[0][:200]}' does not exist")
    return None


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield every string in a request with the name of its member."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, name)


def _without_unsent_lists(operation_model: Any, parsed: dict[str, Any]) -> dict[str, Any]:
    # The parser turns an absent query parameter into an empty list; an empty one cannot be sent.
    located = {
        name
        for name, member in operation_model.input_shape.members.items()
        if member.type_name == "list" and member.serialization.get("location") == "querystring"
    }
    return {name: value for name, value in parsed.items() if not (name in located and value == [])}


def _without_nulls(value: Any) -> Any:
    # JSON null means "not given" to AWS.
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value
