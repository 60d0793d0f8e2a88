"""The model card that travels with every registered version.

CreateModelPackage takes a card as JSON text, after a schema of its own: smaller than that of CreateModelCard, and
nothing else is taken (https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html#model-card-schema).
Its numbers are known only while the pipeline runs, so the card is made as a list of pieces of that text, some of them
pipeline variables, for ``Std:Join``.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.definition.bundle import Bundle
from pipeline.settings.environment import Settings

#: The card's text; ``@name@`` stands for what a pipeline or an execution fills in.
_TEMPLATE = Path(__file__).with_name("model_card.json")
#: A placeholder that is all of a string is taken with its quotes, so that what takes its place is a number.
_PLACEHOLDER = re.compile(r'("@[\w.]+@"|@[\w.]+@)')


def model_card_fragments(
    settings: Settings, bundle: Bundle, *, profile: Any, execution_arn: Any, evaluation_value: Callable[[str], Any]
) -> list[Any]:
    """Return the pieces that, joined, are the card's JSON text.

    ``profile`` and ``execution_arn`` are pipeline variables; ``evaluation_value`` returns the one for a path in
    ``evaluation.json``.
    """
    card = json.dumps(json.loads(_TEMPLATE.read_text(encoding="utf-8")))
    dataset = settings.declared
    known = {
        "code": bundle.sha256,
        "environment": settings.environment,
        "project": settings.system,
        "title": dataset.title,
        "description": dataset.description,
        "source": dataset.source,
        "target": dataset.words.target,
        "unit": dataset.words.unit.many,
        "row": dataset.words.row.one,
        "use": dataset.words.use,
        "limits": dataset.words.limits or "None are known.",
    }
    for name, value in known.items():
        card = card.replace(f"@{name}@", json.dumps(" ".join(value.split()))[1:-1])
    variables = {"profile": profile, "execution": execution_arn}

    def variable(name: str) -> Any:
        return variables[name] if name in variables else evaluation_value(name)

    pieces = (piece for piece in _PLACEHOLDER.split(card) if piece)
    return [variable(piece.strip('"@')) if _PLACEHOLDER.fullmatch(piece) else piece for piece in pieces]
