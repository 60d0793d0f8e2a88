"""What a model card shows, as headings, fields, tables and charts.

The card is JSON in SageMaker's schema ("Model card JSON schema" in the developer guide). Its sections are shown in the
schema's order, followed by any that the schema does not know, so that nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
#: Types of metrics that are drawn.
GRAPHS = ("linear_graph", "bar_chart", "matrix")
_WITHOUT_HEADING = ("metric_groups", "metric_data")  # their items have names
_ENTRY = {"name", "type", "value", "notes", "x_axis_name", "y_axis_name"}
_ABBREVIATIONS = {"arn": "ARN", "id": "ID", "uri": "URI", "url": "URL"}
_SMALLEST_PLAIN = 0.001


@dataclass(frozen=True)
class Heading:
    """A heading; ``depth`` is 0 for a section, 1 for its parts, and so on."""

    depth: int
    text: str


@dataclass(frozen=True)
class Field:
    """A value with its readable name."""

    label: str
    text: str


@dataclass(frozen=True)
class Table:
    """Metrics or parameters: name, value and notes of each; ``title`` says what they are."""

    rows: tuple[tuple[str, str, str], ...]
    title: str = "Name"


@dataclass(frozen=True)
class Chart:
    """A metric that is drawn.

    Attributes:
        type: one of ``GRAPHS``.
        value: pairs, numbers or rows of numbers.
        x_names, y_names: of the axes; for bars and matrices also one a bar, column or row.
    """

    type: str
    name: str
    notes: str
    value: Sequence[Any]
    x_names: tuple[str, ...]
    y_names: tuple[str, ...]


Block = Heading | Field | Table | Chart


def card_blocks(content: Mapping[str, Any]) -> Iterator[Block]:
    """Yield everything that a card says, in the order in which it is shown."""
    known = [name for name in _SECTIONS if name in content]
    names = [*known, *(key for key in content if key not in _SECTIONS)]
    yield from _once(block for name in names for block in _blocks(_label(name), content[name], 0))


def _once(blocks: Iterable[Block]) -> Iterator[Block]:
    """Leave out headings that say what stands above them, and those that the table below them can have as its title."""
    above: list[str] = []
    waiting: Heading | None = None
    for block in blocks:
        if isinstance(block, Table) and waiting is not None and waiting.depth > 0:
            yield replace(block, title=waiting.text)
            waiting = None
            continue
        if waiting is not None:
            yield waiting
            waiting = None
        if not isinstance(block, Heading):
            yield block
            continue
        above = above[: block.depth]
        if above[-1:] != [block.text]:
            waiting = block
        above.append(block.text)
    if waiting is not None:
        yield waiting


def texts(block: Block) -> Iterator[str]:
    """Yield every text of a block."""
    if isinstance(block, Table):
        yield from (block.title, *(cell for row in block.rows for cell in row))
    elif isinstance(block, Chart):
        yield from (block.name, block.notes, *block.x_names, *block.y_names)
    elif isinstance(block, Field):
        yield from (block.label, block.text)
    else:
        yield block.text


def _blocks(label: str, value: Any, depth: int) -> Iterator[Block]:
    if value is None or value in ({}, []):
        return
    if isinstance(value, Mapping):
        yield Heading(depth, label)
        yield from _members(label, value, depth + 1)
    elif isinstance(value, list) and _has_parts(value):
        yield Heading(depth, label)
        yield from _items(value, depth + 1)
    elif isinstance(value, list):
        marked = [f"•\u00a0{_text(item)}" for item in value]
        yield Field(label, "\n".join(marked) if len(marked) > 1 else _text(value[0]))
    else:
        yield Field(label, _text(value))


def _members(label: str, value: Mapping[str, Any], depth: int) -> Iterator[Block]:
    # Fields first: below the heading of a part they would seem to belong to it.
    members = sorted(value.items(), key=lambda member: _has_parts(member[1]))
    for key, item in members:
        if (key, item) == ("name", label):  # the heading says it already
            continue
        if key in _WITHOUT_HEADING and isinstance(item, list):
            yield from _items(item, depth)
        else:
            yield from _blocks(_label(key), item, depth)


def _has_parts(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return any(isinstance(item, (Mapping, list)) for item in items)


def _items(items: Sequence[Any], depth: int) -> Iterator[Block]:
    entries = [item for item in items if _is_entry(item)]
    if entries:
        yield Table(tuple((_text(one["name"]), _text(one["value"]), _notes(one)) for one in entries))
    for number, item in enumerate(items, start=1):
        if _is_entry(item):
            continue
        if isinstance(item, Mapping) and item.get("type") in GRAPHS and isinstance(item.get("value"), list):
            yield _chart(item)
        elif isinstance(item, Mapping) and len(items) == 1 and _name_of(item) is None:
            yield from _members("", item, depth)  # the only one needs no number
        else:
            yield from _blocks(_name_of(item) or str(number), item, depth)


def _is_entry(item: Any) -> bool:
    """Return whether an item is one figure or setting with its name."""
    return (
        isinstance(item, Mapping)
        and {"name", "value"} <= item.keys() <= _ENTRY
        and not isinstance(item["value"], (Mapping, list))
    )


def _chart(metric: Mapping[str, Any]) -> Chart:
    axes = (metric.get(f"{axis}_axis_name", []) for axis in "xy")
    x_names, y_names = (tuple(map(_text, one)) if isinstance(one, list) else (_text(one),) for one in axes)
    return Chart(metric["type"], _text(metric.get("name", "")), _notes(metric), metric["value"], x_names, y_names)


def _notes(item: Mapping[str, Any]) -> str:
    return " ".join(_text(item.get("notes", "")).split())


def _name_of(item: Any) -> str | None:
    """Return the name of an item of a list, or None."""
    name = item.get("name") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) else None


def _label(name: str) -> str:
    words = " ".join(_ABBREVIATIONS.get(word, word) for word in name.replace("_", " ").split())
    return words[:1].upper() + words[1:]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number_text(value)
    return str(value)


def number_text(value: float) -> str:
    """Return a number as a reader wants it: four digits behind the point, fewer where they are zeros."""
    if value and abs(value) < _SMALLEST_PLAIN:
        return f"{value:.3g}"
    text = f"{value:,.4f}"
    return text.rstrip("0").rstrip(".")
