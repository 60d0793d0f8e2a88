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
#: Characters of a declared word in the name of an evaluation, which has 63, and of a text that is all of a field.
_IN_NAMES, _LONGEST = 25, 2048
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
        content["evaluation_details"] = [one for one in content["evaluation_details"] if _TO_COME not in one["name"]]
    neighbours = f"Expect the figures of {words.row.many} to come: neighbours in time flatter a random split. "
    known = {
        "code": bundle.sha256,
        "environment": settings.environment,
        "project": settings.system,
        "title": _short(dataset.title),
        "description": _short(dataset.description),
        "source": _short(dataset.source),
        "target": _short(words.target),
        "unit": _short(words.unit.many, _IN_NAMES),
        "row": _short(words.row.one, _IN_NAMES),
        "rows": _short(words.row.many, _IN_NAMES),
        "Rows": _short(words.row.many[:1].upper() + words.row.many[1:], _IN_NAMES),
        "use": _short(words.use, _LONGEST),
        "limits": _short(words.limits, _LONGEST) or "None are known.",
        # The space belongs to the sentence.
        "expect": "" if dataset.time is None else neighbours,
    }
    variables = {"profile": profile, "execution": execution_arn}
    pieces: list[Any] = []
    text = ""
    # In one go: a declared text that looks like a placeholder is none.
    for piece in _PLACEHOLDER.split(json.dumps(content)):
        name = piece.strip('"@')
        if not _PLACEHOLDER.fullmatch(piece):
            text += piece
        elif name in known:
            text += json.dumps(known[name]) if piece.startswith('"') else json.dumps(known[name])[1:-1]
        else:
            pieces += [text, variables[name] if name in variables else evaluation_value(name)]
            text = ""
    return [*pieces, text]


def _short(text: str, longest: int = 450) -> str:
    """Return a declared text on one line, cut to what its field of a card takes."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
