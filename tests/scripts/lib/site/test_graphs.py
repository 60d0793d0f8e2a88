"""Graphs of definitions: rows, lanes, and an element that browsers and readers understand."""

from __future__ import annotations

import json

from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from pipedef.language.graph import Node
from pipedef.language.model import Trigger
from pipedef.language.parsing import parse_definition
from scripts.lib.site.graphs import direct, places, svg, table


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Node]:
    """Draw a graph without cycles: a step waits only for earlier ones."""
    size = draw(st.integers(1, 9))
    waits = [draw(st.sets(st.integers(0, place - 1))) if place else set() for place in range(size)]
    return {
        f"s{place}": Node(f"s{place}", {f"s{item}": Trigger.COMPLETED for item in sorted(above)}, ())
        for place, above in enumerate(waits)
    }


def reachable(waits: dict[str, list[str]], name: str) -> set[str]:
    return set(waits[name]).union(*(reachable(waits, above) for above in waits[name]))


@given(graphs())
def test_each_step_is_below_all_that_it_waits_for_and_alone_in_its_place(graph: dict[str, Node]) -> None:
    waits = direct(graph)
    at = places(waits)
    assert at.keys() == graph.keys()
    assert len(set(at.values())) == len(graph)
    assert all(at[above].row < at[name].row for name, node in graph.items() for above in node.upstream)


@given(graphs())
def test_lines_that_are_left_out_say_nothing_new(graph: dict[str, Node]) -> None:
    waits = direct(graph)
    everything = {name: list(node.upstream) for name, node in graph.items()}
    for name in graph:
        assert reachable(waits, name) == reachable(everything, name)
        assert not any(above in reachable(waits, other) for above in waits[name] for other in waits[name])


CONDITION = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
DEFINITION = {
    "Version": "2020-12-01",
    "Steps": [
        {"Name": "Begin", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}, "Description": "a < b | c"},
        {
            "Name": "Which",
            "Type": "Condition",
            "DependsOn": ["Begin"],
            "Arguments": {
                "Conditions": [CONDITION],
                "IfSteps": [{"Name": "This", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}],
                "ElseSteps": [{"Name": "That", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}],
            },
        },
    ],
}


def test_the_picture_is_one_element_with_every_step_and_branch() -> None:
    drawn = svg(parse_definition(json.dumps(DEFINITION)), 'The "small" pipeline')
    assert "\n\n" not in drawn
    tree = fromstring(drawn)
    texts = [element.text for element in tree.iter() if element.tag in ("text", "title")]
    assert {"Begin", "Which", "This", "That", "yes", "no", "a < b | c"} <= set(texts)
    assert [line.get("class") for line in tree.iter("path")].count("line") == 3


def test_the_table_says_what_each_step_waits_for() -> None:
    rows = table(parse_definition(json.dumps(DEFINITION))).splitlines()[2:]
    assert rows == [
        "| `Begin` | fails the execution |  | a < b \\| c |",
        "| `Which` | condition | Begin |  |",
        "| `This` | fails the execution | Which (yes) |  |",
        "| `That` | fails the execution | Which (no) |  |",
    ]
