"""The model card of a RegisterModel step, as the text that CreateModelPackage will get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import Definition
from pipedef.document.model_cards import CardKind, CardProblem, card_problems
from pipedef.document.values import follow
from pipedef.language.expressions import (
    GET,
    JOIN,
    JSON_GET,
    ExpressionError,
    ParameterReference,
    StepReference,
    is_expression,
    parse_reference,
)

#: Stands for a text that is known only when the pipeline runs: one character, as the shortest such text may have.
_UNKNOWN = "\N{OBJECT REPLACEMENT CHARACTER}"
#: Values that stand for what is known only when the pipeline runs, by type.
_STAND_INS = {"Integer": "1", "Float": "0.5", "Boolean": "true"}
_PAGE = "docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html#model-card-schema"


@definition_check("model-cards")
def model_cards_fit(definition: Definition) -> Iterator[Problem]:
    """Check that the card of each registered model fits the schema of a model package's card."""
    for step in definition.steps_of_type("RegisterModel"):
        text = _text(follow(step.arguments, "ModelCard", "ModelCardContent"), definition)
        for problem in card_problems(text, CardKind.PACKAGE) if text is not None else ():
            if not _depends(problem):
                yield Problem(
                    f"CreateModelPackage refuses the model card: {str(problem).rstrip('.')}.",
                    f"Write it by the schema of a package's card, which is not that of CreateModelCard: {_PAGE}.",
                    step=step.name,
                    field="Arguments.ModelCard.ModelCardContent",
                )


def _depends(problem: CardProblem) -> bool:
    """Tell whether a value is one of those allowed is known only when the pipeline runs."""
    return problem.constraint == "enum" and isinstance(problem.value, str) and _UNKNOWN in problem.value


def _text(content: Any, definition: Definition) -> str | None:
    """Return a card's text with stand-ins for what is not known yet; None where nothing of it can be told."""
    text, quoted = "", False
    if is_expression(content) and JSON_GET in content:
        return None  # a step writes the card as a whole
    for piece in _pieces(content):
        part = piece if isinstance(piece, str) else _stand_in(piece, definition, quoted=quoted)
        if part is None:
            return None
        text += part
        if isinstance(piece, str):
            quoted = _ends_quoted(piece, quoted=quoted)
    return text if content is not None else None


def _pieces(value: Any) -> Iterator[Any]:
    """Yield the texts and expressions whose concatenation a value is."""
    body = value.get(JOIN) if is_expression(value) else None
    if body is None:
        yield value if isinstance(value, str) or is_expression(value) else json.dumps(value)
        return
    for index, item in enumerate(follow(body, "Values") or []):
        if index:
            yield str(body.get("On", ""))
        yield from _pieces(item)


def _ends_quoted(text: str, *, quoted: bool) -> bool:
    """Tell whether JSON is inside a string at the end of a text, given whether it was at its beginning."""
    characters = iter(text)
    for character in characters:
        if quoted and character == "\\":
            next(characters, None)
        elif character == '"':
            quoted = not quoted
    return quoted


def _stand_in(expression: Any, definition: Definition, *, quoted: bool) -> str | None:
    """Return a text of the expression's type; None outside of quotes for a text, which may be JSON of any kind.

    What a property file holds may have any type: it counts as what is needed where it is.
    """
    kind, default = _type(expression, definition)
    if default is not None:
        return default
    if kind in _STAND_INS:
        return _STAND_INS[kind]
    if quoted:
        return _UNKNOWN
    return _STAND_INS["Float"] if JSON_GET in expression else None


def _type(expression: Any, definition: Definition) -> tuple[str, str | None]:
    """Return the type of an expression's value, where it is known, and its text where it has a default."""
    try:
        reference = parse_reference(str(expression.get(GET, "")))
    except ExpressionError:
        return "", None
    if isinstance(reference, ParameterReference):
        parameter = definition.parameter_named.get(reference.name, {})
        default = parameter.get("DefaultValue")
        text = default if isinstance(default, str) or default is None else json.dumps(default)
        return str(parameter.get("Type", "")), text
    if isinstance(reference, StepReference) and reference.step in definition.step_named:
        outputs = definition.step_named[reference.step].output_types
        return outputs.get(str(reference.path[-1]) if reference.path else "", ""), None
    return "", None
