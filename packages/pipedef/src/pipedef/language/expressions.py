"""Expressions of a pipeline definition: ``Get``, ``Std:Join`` and ``Std:JsonGet``.

An expression is a JSON object with exactly one of those keys; anything else in a definition is a literal. Shapes are
those the SageMaker SDK writes (``sagemaker.core.workflow``: ``functions``, ``properties``, ``execution_variables``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipedef.errors import PipedefError

Token = str | int

GET = "Get"
JOIN = "Std:Join"
JSON_GET = "Std:JsonGet"

# What names an item of a list in the responses of SageMaker.
_NAME_KEYS = ("OutputName", "InputName", "ChannelName", "MetricName", "VariantName", "ContainerHostname", "Name")
_PATH_PART = re.compile(r"""\.?([^.\[\]'"]+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]""")


class ExpressionError(PipedefError):
    """An expression is malformed, or its value does not exist. The message names the expression."""


@dataclass(frozen=True)
class ParameterReference:
    """``Parameters.<name>``."""

    name: str


@dataclass(frozen=True)
class ExecutionReference:
    """``Execution.<variable>``, such as ``Execution.PipelineExecutionId``."""

    variable: str


@dataclass(frozen=True)
class StepReference:
    """``Steps.<step>.<path>``. ``text`` is the reference as written."""

    step: str
    path: tuple[Token, ...]
    text: str


Reference = ParameterReference | ExecutionReference | StepReference


class Scope(Protocol):
    """Where an expression finds its values while an execution runs."""

    def parameter(self, name: str) -> Any:
        """Return the typed value of a pipeline parameter."""

    def execution_variable(self, name: str) -> str:
        """Return the value of ``Execution.<name>``."""

    def step_properties(self, step: str) -> Mapping[str, Any]:
        """Return the Describe* response of a finished step. Raises ExpressionError for a step that did not run."""

    def property_file(self, step: str, name: str) -> Any:
        """Return the parsed JSON of a property file."""

    def json_document(self, s3_uri: str) -> Any:
        """Return the parsed JSON of an S3 object."""


def parse_path(text: str) -> tuple[Token, ...]:
    """Split ``Prop['a'].List[0].Leaf`` into ``("Prop", "a", "List", 0, "Leaf")``.

    A leading ``$`` or ``$.`` is accepted, as JsonPath writes it.

    Raises:
        ExpressionError: the path has a part that is neither a name, an index nor a quoted key.
    """
    rest = text.removeprefix("$")
    tokens: list[Token] = []
    position = 0
    while position < len(rest):
        match = _PATH_PART.match(rest, position)
        if match is None:
            raise ExpressionError(f"Invalid path [{text}]: cannot read it from character {position + 1} on.")
        name, index, single, double = match.groups()
        tokens.append(
            int(index) if index is not None else next(part for part in (name, single, double) if part is not None)
        )
        position = match.end()
    return tuple(tokens)


def parse_reference(text: str) -> Reference:
    """Read the value of a ``Get``.

    Raises:
        ExpressionError: it starts with none of ``Parameters.``, ``Execution.`` and ``Steps.``.
    """
    namespace, _, rest = text.partition(".")
    if namespace == "Parameters" and rest:
        return ParameterReference(rest)
    if namespace == "Execution" and rest:
        return ExecutionReference(rest)
    if namespace == "Steps" and rest:
        head, *path = parse_path(rest)
        return StepReference(str(head), tuple(path), text)
    raise ExpressionError(f"Invalid reference [{text}]: it must start with Parameters., Execution. or Steps.")


def is_expression(value: Any) -> bool:
    """Tell whether a JSON value is an expression rather than a literal."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in (GET, JOIN, JSON_GET)


def references(value: Any) -> Iterator[Reference]:
    """Yield every reference below a JSON value, depth first.

    Raises:
        ExpressionError: an expression is malformed.
    """
    if isinstance(value, Mapping):
        if is_expression(value):
            yield from _expression_references(value)
        else:
            for item in value.values():
                yield from references(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from references(item)


def _expression_references(expression: Mapping[str, Any]) -> Iterator[Reference]:
    ((kind, body),) = expression.items()
    if kind == GET:
        if not isinstance(body, str):
            raise ExpressionError(f"Invalid reference [{body}]: Get takes a string.")
        yield parse_reference(body)
    elif kind == JOIN:
        yield from references(_join_values(body))
    else:
        source, path = _json_get_parts(body)
        yield from references(source)
        if not isinstance(path, str):
            yield from references(path)


def _join_values(body: Any) -> Sequence[Any]:
    if (
        not isinstance(body, Mapping)
        or not isinstance(body.get("Values"), list)
        or not isinstance(body.get("On", ""), str)
    ):
        raise ExpressionError(f"Invalid Std:Join [{body}]: it takes On (a string) and Values (a list).")
    return list(body["Values"])


def _json_get_parts(body: Any) -> tuple[Any, Any]:
    if not isinstance(body, Mapping) or "Path" not in body or ("PropertyFile" in body) == ("S3Uri" in body):
        raise ExpressionError(f"Invalid Std:JsonGet [{body}]: it takes Path and one of PropertyFile and S3Uri.")
    return body.get("PropertyFile", body.get("S3Uri")), body["Path"]


def property_file_reference(body: Any) -> StepReference | None:
    """Return the step and property file that a ``Std:JsonGet`` body reads; None when it reads an S3 URI.

    Raises:
        ExpressionError: the property file is not written as ``Steps.<step>.PropertyFiles.<name>``.
    """
    source, _ = _json_get_parts(body)
    if "PropertyFile" not in body:
        return None
    if is_expression(source) and isinstance(source.get(GET), str):
        reference = parse_reference(source[GET])
        if (
            isinstance(reference, StepReference)
            and len(reference.path) == 2  # noqa: PLR2004  PropertyFiles and the name
            and reference.path[0] == "PropertyFiles"
        ):
            return reference
    raise ExpressionError(f"Invalid Std:JsonGet [{source}]: PropertyFile must be Steps.<step>.PropertyFiles.<name>.")


def json_gets(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the body of every ``Std:JsonGet`` below a JSON value."""
    if isinstance(value, Mapping):
        if is_expression(value) and JSON_GET in value:
            yield value[JSON_GET]
        for item in value.values():
            yield from json_gets(item)
    elif isinstance(value, list):
        for item in value:
            yield from json_gets(item)


def follow(document: Any, path: Sequence[Token], described: str) -> Any:
    """Return the value at a path of a JSON document.

    Objects take keys and lists take indices; a list of named objects also takes a name, so that
    ``Outputs['train']`` finds the output whose ``OutputName`` is ``train``, as in AWS.

    Raises:
        ExpressionError: nothing is there; ``described`` names the whole reference in the message.
    """
    value = document
    for token in path:
        if isinstance(value, Mapping) and str(token) in value:
            value = value[str(token)]
        elif isinstance(value, list) and isinstance(token, int) and token < len(value):
            value = value[token]
        elif isinstance(value, list) and isinstance(token, str) and (named := _named(value, token)) is not None:
            value = named
        else:
            raise ExpressionError(f"Cannot resolve [{described}]: there is no [{token}].")
    return value


def _named(items: list[Any], name: str) -> Any | None:
    named = (item for item in items if isinstance(item, Mapping) and any(item.get(key) == name for key in _NAME_KEYS))
    return next(named, None)


def to_text(value: Any) -> str:
    """Return a value as text: ``Std:Join`` and ``to_string()`` in the SDK."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def resolve(value: Any, scope: Scope) -> Any:
    """Return a JSON value with every expression replaced by its value.

    Raises:
        ExpressionError: a value does not exist.
    """
    if isinstance(value, Mapping):
        if is_expression(value):
            return _evaluate(value, scope)
        return {key: resolve(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    return value


def _evaluate(expression: Mapping[str, Any], scope: Scope) -> Any:
    ((kind, body),) = expression.items()
    if kind == GET:
        reference = parse_reference(body)
        if isinstance(reference, ParameterReference):
            return scope.parameter(reference.name)
        if isinstance(reference, ExecutionReference):
            return scope.execution_variable(reference.variable)
        return follow(scope.step_properties(reference.step), reference.path, reference.text)
    if kind == JOIN:
        return str(body.get("On", "")).join(to_text(resolve(item, scope)) for item in _join_values(body))
    source, path = _json_get_parts(body)
    path_text = to_text(resolve(path, scope))
    file = property_file_reference(body)
    if file is not None:
        document = scope.property_file(file.step, str(file.path[1]))
        return follow(document, parse_path(path_text), f"{file.text}, path {path_text}")
    uri = to_text(resolve(source, scope))
    return follow(scope.json_document(uri), parse_path(path_text), f"{uri}, path {path_text}")
