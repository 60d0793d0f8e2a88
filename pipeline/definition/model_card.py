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
#: In the names of evaluations that only a table with a time has.
_TO_COME = "to come"
#: A placeholder that is all of a string is taken with its quotes, so that what takes its place is a number.
_PLACEHOLDER = re.compile(r'("@[\w.]+@"|@[\w.]+@)')


def model_card_fragments(
    settings: Settings, bundle: Bundle, *, profile: Any, execution_arn: Any, evaluation_value: Callable[[str], Any]
) -> list[Any]:
    """Return the pieces that, joined, are the card's JSON text.

    ``profile`` and ``execution_arn`` are pipeline variables; ``evaluation_value`` returns the one for a path in
    ``evaluation.json``.
    """
    dataset, words = settings.declared, settings.declared.words
    content = json.loads(_TEMPLATE.read_text(encoding="utf-8"))
    if dataset.time is None:
        details = content["evaluation_details"]
        content["evaluation_details"] = [entry for entry in details if _TO_COME not in entry["name"]]
    card = json.dumps(content)
    neighbours = f"Expect the figures of {words.row.many} to come: neighbours in time flatter a random split. "
    known = {
        "code": bundle.sha256,
        "environment": settings.environment,
        "project": settings.system,
        "title": dataset.title,
        "description": dataset.description,
        "source": dataset.source,
        "target": words.target,
        "unit": words.unit.many,
        "row": words.row.one,
        "rows": words.row.many,
        "Rows": words.row.many.capitalize(),
        "use": words.use,
        "limits": words.limits or "None are known.",
        "expect": "" if dataset.time is None else neighbours,
    }
    for name, value in known.items():
        # A trailing space belongs to the sentence.
        text = " ".join(value.split()) + (" " if value.endswith(" ") else "")
        card = card.replace(f"@{name}@", json.dumps(text)[1:-1])
    variables = {"profile": profile, "execution": execution_arn}

    def variable(name: str) -> Any:
        return variables[name] if name in variables else evaluation_value(name)

    pieces = (piece for piece in _PLACEHOLDER.split(card) if piece)
    return [variable(piece.strip('"@')) if _PLACEHOLDER.fullmatch(piece) else piece for piece in pieces]
