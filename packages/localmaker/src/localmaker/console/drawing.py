"""Where the steps of a pipeline stand in its picture: from left to right in the order of their edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from pipedef.language.graph import Graph

WIDTH, HEIGHT = 160, 44
_ACROSS, _DOWN, _MARGIN = WIDTH + 32, HEIGHT + 18, 8


@dataclass(frozen=True)
class Box:
    """A step, with the left upper corner of its box, in pixels."""

    name: str
    x: int
    y: int


@dataclass(frozen=True)
class Drawing:
    """A picture: its size in pixels, boxes, and edges as SVG paths."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    edges: tuple[str, ...]


def drawing(graph: Graph) -> Drawing:
    """Place each step right of all that it waits for, and near the middle of these.

    Args:
        graph: without cycles, as every definition that was accepted.
    """
    upstream = {name: sorted(node.waits_for() & graph.keys()) for name, node in graph.items()}
    columns: list[list[str]] = []
    place: dict[str, tuple[int, int]] = {}

    def middle(name: str) -> float:
        return fmean([place[other][1] for other in upstream[name]] or [0])

    while ready := [name for name in graph.keys() - place if all(other in place for other in upstream[name])]:
        columns.append(sorted(sorted(ready), key=middle))
        place |= {name: (len(columns) - 1, row) for row, name in enumerate(columns[-1])}
    tallest = max(map(len, columns), default=0)
    boxes = {
        name: Box(
            name,
            _MARGIN + column * _ACROSS,
            _MARGIN + round((row + (tallest - len(columns[column])) / 2) * _DOWN),
        )
        for name, (column, row) in place.items()
    }
    edges = tuple(_edge(boxes[other], boxes[name]) for name in upstream for other in _nearest(name, upstream))
    width, height = len(columns) * _ACROSS - (_ACROSS - WIDTH), tallest * _DOWN - (_DOWN - HEIGHT)
    return Drawing(width + 2 * _MARGIN, height + 2 * _MARGIN, tuple(boxes.values()), edges)


def _nearest(name: str, upstream: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what a step waits for, without what those wait for themselves: the claim of a file is read by all."""
    implied: set[str] = set()
    following = [farther for other in upstream[name] for farther in upstream[other]]
    while following:
        if (other := following.pop()) not in implied:
            implied.add(other)
            following += upstream[other]
    return [other for other in upstream[name] if other not in implied]


def _edge(start: Box, end: Box) -> str:
    x, y, to_x, to_y = start.x + WIDTH, start.y + HEIGHT // 2, end.x, end.y + HEIGHT // 2
    half = (x + to_x) // 2
    return f"M{x} {y}C{half} {y} {half} {to_y} {to_x} {to_y}"
