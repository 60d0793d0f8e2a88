"""Model cards against the two schemas that SageMaker has for them, which are data: ``model_cards.json``.

The card of a model package (``ModelCard.ModelCardContent`` of CreateModelPackage) is not a card of its own (``Content``
of CreateModelCard): its overview has two members, and nothing else is taken. Sources are AWS's pages "Model package
model card schema" (https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html#model-card-schema) and
"Model card JSON schema" (https://docs.aws.amazon.com/sagemaker/latest/dg/model-cards.html#model-cards-json-schema).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from pipedef.document.json_text import parse_json
from pipedef.errors import DefinitionError

_SCHEMAS = Path(__file__).with_suffix(".json")
_SHOWN_CHARACTERS = 200


class CardKind(StrEnum):
    """What a card describes; the value names its schema."""

    PACKAGE = "package_card"
    STAND_ALONE = "stand_alone_card"


@dataclass(frozen=True)
class CardProblem:
    """What SageMaker would refuse about a card.

    Attributes:
        path: of the member, such as ``intended_uses.risk_rating``; empty for the whole card.
        message: what is wrong with it.
        value: the member's.
        constraint: keyword of JSON Schema that it breaks; empty where the text is no JSON object.
    """

    path: str
    message: str
    value: Any = None
    constraint: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def card_problems(text: str, kind: CardKind) -> Iterator[CardProblem]:
    """Yield everything in a card's text that its schema refuses: unknown members, types, lengths, ratings, ``NaN``."""
    try:
        card = parse_json(text, "Model card content")
    except DefinitionError as error:
        yield CardProblem("", error.message)
        return
    if not isinstance(card, dict):
        yield CardProblem("", "Model card content is not a JSON object.")
        return
    for found in _validator(kind).iter_errors(card):
        message = found.message
        shown = message if len(message) <= _SHOWN_CHARACTERS else f"…{message[-_SHOWN_CHARACTERS:]}"
        yield CardProblem(found.json_path.removeprefix("$").removeprefix("."), shown, found.instance, found.validator)


@cache
def _validator(kind: CardKind) -> Any:
    from jsonschema import Draft7Validator  # takes a fifth of a second, and most definitions have no card

    schemas = json.loads(_SCHEMAS.read_text(encoding="utf-8"))
    return Draft7Validator({**schemas, "$ref": f"#/definitions/{kind}"})
