"""The graph of a pipeline as inline SVG, drawn from its compiled definition: no script, and readable in both themes.

Steps stand in rows, each below everything that it waits for; a branch that is taken or not is labelled at its line.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass

from pipedef.language.graph import Graph, build_graph
from pipedef.language.model import Definition, Step

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 176, 44, 24, 34
_KINDS = {
    "Lambda": "function",
    "Processing": "processing job",
    "Training": "training job",
    "Transform": "batch transform",
    "Model": "model",
    "RegisterModel": "model registry",
    "Condition": "condition",
    "Fail": "fails the execution",
}


@dataclass(frozen=True)
class Place:
    """Where a step stands: its row from the top, and its lane from the left."""

    row: int
    lane: int

    @property
    def x(self) -> int:
        """The middle of the box."""
        return self.lane * (_WIDTH + _GAP_X) + _WIDTH // 2 + 1

    @property
    def y(self) -> int:
        """The top of the box."""
        return self.row * (_HEIGHT + _GAP_Y) + 1


def direct(graph: Graph) -> dict[str, list[str]]:
    """Return what each step waits for, without what it waits for anyway by way of another."""
    before: dict[str, set[str]] = {}

    def all_before(name: str) -> set[str]:
        if name not in before:
            above = graph[name].waits_for()
            before[name] = set(above).union(*(all_before(item) for item in above))
        return before[name]

    return {
        name: [
            item
            for item in graph
            if item in node.waits_for()
            and not any(item in all_before(other) for other in node.waits_for() if other != item)
        ]
        for name, node in graph.items()
    }


def places(waits: Mapping[str, list[str]]) -> dict[str, Place]:
    """Return a place for every step: below all that it waits for, in the lane of one of them where that is free."""
    rows: dict[str, int] = {}

    def row(name: str) -> int:
        if name not in rows:
            rows[name] = 1 + max((row(item) for item in waits[name]), default=-1)
        return rows[name]

    found: dict[str, Place] = {}
    for name in sorted(waits, key=row):
        taken = {place.lane for place in found.values() if place.row == row(name)}
        wanted = min((found[item].lane for item in waits[name]), default=0)
        lane = next(lane for lane in (wanted, *range(len(waits))) if lane not in taken)
        found[name] = Place(row(name), lane)
    return found


def svg(definition: Definition, title: str) -> str:
    """Return the graph as one element of HTML without blank lines, which Markdown passes on as it is."""
    graph = build_graph(definition)
    waits = direct(graph)
    at = places(waits)
    width = max(place.x for place in at.values()) + _WIDTH // 2 + 1
    height = max(place.y for place in at.values()) + _HEIGHT + 1
    lines = [_line(at[above], at[name], _branch(definition, above, name)) for name in waits for above in waits[name]]
    boxes = [_box(step, at[name]) for name, step in definition.steps.items()]
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<div class="graph" tabindex="0"><svg {size} role="img" aria-label="{html.escape(title)}">'
    return "\n".join([head, *lines, *boxes, "</svg></div>"])


def table(definition: Definition) -> str:
    """Return the steps as a Markdown table: what each is, what it waits for, and what it does."""
    waits = direct(build_graph(definition))
    rows = ["| step | is a | after | what it does |", "| --- | --- | --- | --- |"]
    for name, step in definition.steps.items():
        after = ", ".join(
            f"{above} ({branch})" if (branch := _branch(definition, above, name)) else above for above in waits[name]
        )
        does = (step.description or "").replace("|", "\\|")
        rows.append(f"| `{name}` | {_kind(step)} | {after} | {does} |")
    return "\n".join(rows)


def _kind(step: Step) -> str:
    return _KINDS.get(step.type, step.type)


def _branch(definition: Definition, above: str, name: str) -> str:
    taken = [guard.outcome for guard in definition.steps[name].guards if guard.condition == above]
    return {"True": "yes", "False": "no"}.get(taken[-1], taken[-1]) if taken else ""


def _line(start: Place, end: Place, label: str) -> str:
    top, bottom = start.y + _HEIGHT, end.y
    middle = bottom - _GAP_Y // 2
    path = f"M{start.x} {top}V{middle}H{end.x}V{bottom - 5}"
    arrow = f"M{end.x - 4} {bottom - 7}L{end.x} {bottom}L{end.x + 4} {bottom - 7}Z"
    text = f'<text class="branch" x="{end.x + 6}" y="{bottom - 6}">{label}</text>' if label else ""
    return f'<path class="line" d="{path}"/><path class="arrow" d="{arrow}"/>{text}'


def _box(step: Step, place: Place) -> str:
    described = f"<title>{html.escape(step.description or step.name)}</title>"
    return (
        f'<g class="step {step.type.lower()}">{described}'
        f'<rect x="{place.x - _WIDTH // 2}" y="{place.y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{place.x}" y="{place.y + 19}">{html.escape(step.name)}</text>'
        f'<text class="kind" x="{place.x}" y="{place.y + 35}">{_kind(step)}</text></g>'
    )
