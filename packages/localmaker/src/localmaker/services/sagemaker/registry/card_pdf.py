"""The PDF of a model card.

The card is JSON in SageMaker's schema ("Model card JSON schema" in the developer guide). Its sections are shown in the
schema's order, followed by any that the schema does not know, so that nothing is left out.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_SECTIONS = (
    "model_overview",
    "model_package_details",
    "intended_uses",
    "business_details",
    "training_details",
    "evaluation_details",
    "additional_information",
)
_MARGIN, _LINE = 18, 5.5  # millimetres
_INDENT = 5
_GREY, _BLACK, _RULE = 95, 20, 200


@dataclass(frozen=True)
class Line:
    """One line of a card; a heading if it has no text.

    Attributes:
        depth: 0 for a section, 1 for its fields, and so on.
        label: readable name of the field.
        text: its value.
    """

    depth: int
    label: str
    text: str | None = None


def card_lines(content: Mapping[str, Any]) -> Iterator[Line]:
    """Yield all fields of a card, in the order in which they are shown."""
    known = [name for name in _SECTIONS if name in content]
    for name in [*known, *(key for key in content if key not in _SECTIONS)]:
        yield from _lines(_label(name), content[name], 0)


def _lines(label: str, value: Any, depth: int) -> Iterator[Line]:
    if value is None:
        return
    if isinstance(value, Mapping) and _is_metric(value):
        notes = f" ({value['notes']})" if value.get("notes") else ""
        yield Line(depth, label, f"{_text(value['value'])}{notes}")
    elif isinstance(value, Mapping):
        yield Line(depth, label)
        for key, item in value.items():
            # The name is the heading already.
            if (key, item) != ("name", label):
                yield from _lines(_label(key), item, depth + 1)
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        yield Line(depth, label)
        for number, item in enumerate(value, start=1):
            yield from _lines(_name_of(item) or str(number), item, depth + 1)
    elif isinstance(value, list):
        yield Line(depth, label, ", ".join(_text(item) for item in value))
    else:
        yield Line(depth, label, _text(value))


def _is_metric(value: Mapping[str, Any]) -> bool:
    """Return whether a value is an entry of ``metric_data``: one figure with its name."""
    return {"name", "type", "value"} <= value.keys() and not isinstance(value["value"], (Mapping, list))


def _name_of(item: Any) -> str | None:
    """Return the name of an item of a list, or None."""
    name = item.get("name") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) else None


def _label(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def card_pdf(description: Mapping[str, Any]) -> bytes:
    """Return a version of a model card as a PDF.

    Args:
        description: DescribeModelCard's response; times in seconds since 1970.
    """
    fpdf: Any = importlib.import_module("fpdf")  # only exports need it
    pdf = fpdf.FPDF(format="A4")
    pdf.set_margins(_MARGIN, _MARGIN)
    pdf.set_auto_page_break(auto=True, margin=_MARGIN)
    _add_fonts(pdf)
    name, version = description["ModelCardName"], description["ModelCardVersion"]
    pdf.set_title(f"Model card {name}, version {version}")
    pdf.set_creation_date(_moment(description["LastModifiedTime"]))
    pdf.add_page()
    _write(pdf, f"Model card: {name}", size=18, bold=True)
    made = _moment(description["CreationTime"]).strftime("%d %B %Y %H:%M UTC")
    _write(pdf, f"Version {version} · {description['ModelCardStatus']} · created {made}", grey=_GREY)
    _write(pdf, description["ModelCardArn"], grey=_GREY, size=8)
    for line in card_lines(json.loads(description["Content"])):
        _write_line(pdf, line)
    return bytes(pdf.output())


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _add_fonts(pdf: Any) -> None:
    """Add a typeface with more than Latin letters, which PDF's own lack; matplotlib contains one."""
    matplotlib: Any = importlib.import_module("matplotlib")
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    pdf.add_font("DejaVu", "", folder / "DejaVuSans.ttf")
    pdf.add_font("DejaVu", "B", folder / "DejaVuSans-Bold.ttf")


def _write_line(pdf: Any, line: Line) -> None:
    if line.depth == 0:
        pdf.ln(_LINE)
        _write(pdf, line.label if line.text is None else f"{line.label}: {line.text}", size=13, bold=True)
        pdf.set_draw_color(_RULE)
        pdf.line(pdf.l_margin, pdf.get_y(), pdf.w - pdf.r_margin, pdf.get_y())
        pdf.ln(_LINE / 3)
    elif line.text is None:
        _write(pdf, line.label, bold=True, indent=line.depth - 1)
    else:
        _write(pdf, f"{line.label}: ", line.text, indent=line.depth - 1)


def _write(
    pdf: Any,
    text: str,
    more: str | None = None,
    *,
    size: int = 10,
    bold: bool = False,
    grey: int = _BLACK,
    indent: int = 0,
) -> None:
    """Write a paragraph; if ``more`` is given, ``text`` is a grey label before it."""
    pdf.set_x(pdf.l_margin + _INDENT * indent)
    if more is not None:
        pdf.set_font("DejaVu", "", size)
        pdf.set_text_color(_GREY)
        pdf.write(_LINE, text)
        pdf.set_text_color(_BLACK)
        pdf.multi_cell(0, _LINE, more, new_x="LMARGIN", new_y="NEXT", align="L")
        return
    pdf.set_font("DejaVu", "B" if bold else "", size)
    pdf.set_text_color(grey)
    pdf.multi_cell(0, _LINE * size / 10, text, new_x="LMARGIN", new_y="NEXT", align="L")
