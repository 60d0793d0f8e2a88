"""Steps stand right of what they wait for, and no box covers another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localmaker.console.drawing import HEIGHT, WIDTH, drawing
from pipedef.language.graph import Graph, Node
from pipedef.language.model import Trigger


def graph(**upstream: str) -> Graph:
    return {name: Node(name, dict.fromkeys(others.split(), Trigger.COMPLETED), ()) for name, others in upstream.items()}


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names = [f"s{number}" for number in range(draw(st.integers(1, 12)))]
    chosen = {name: draw(st.lists(st.sampled_from(names[:number]))) for number, name in enumerate(names) if number}
    found = graph(s0="", **{name: " ".join(others) for name, others in chosen.items()})
    return {name: found[name] for name in draw(st.permutations(names))}


@given(graphs())
def test_every_step_is_right_of_what_it_waits_for_and_covers_no_other(found: Graph) -> None:
    drawn = drawing(found)
    boxes = {box.name: box for box in drawn.boxes}
    assert boxes.keys() == found.keys()
    for name, node in found.items():
        assert all(boxes[other].x + WIDTH < boxes[name].x for other in node.waits_for())
    places = [(box.x, box.y) for box in drawn.boxes]
    for x, y in places:
        assert 0 <= x <= drawn.width - WIDTH
        assert 0 <= y <= drawn.height - HEIGHT
        assert not any(abs(x - a) < WIDTH and abs(y - b) < HEIGHT for a, b in places if (a, b) != (x, y))
    assert len(set(places)) == len(places)


def test_what_a_longer_way_says_is_not_drawn_again() -> None:
    assert len(drawing(graph(claim="", prepare="claim", train="claim prepare", score="claim train")).edges) == 3


def test_a_step_that_is_missing_is_left_out() -> None:
    assert drawing(graph(a="gone")).edges == ()
