"""The order of steps."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from pipedef.language.graph import Node, Outcome, decide, find_cycle, handled
from pipedef.language.model import Guard, Trigger

DONE = Trigger.COMPLETED


def graph(**nodes):
    """``name=(["upstream", ...], [("condition", "True")])``."""
    return {
        name: Node(name, dict.fromkeys(upstream, DONE), tuple(Guard(*guard) for guard in guards))
        for name, (upstream, guards) in nodes.items()
    }


def test_what_waits_for_nothing_is_ready_in_the_definitions_order():
    found = decide(graph(B=([], []), A=([], []), C=(["A"], [])), {}, {})
    assert (found.ready, found.never) == (("B", "A"), frozenset())


def test_an_untaken_branch_takes_along_what_depends_on_it():
    nodes = graph(
        Late=(["Joined"], []),
        Cond=([], []),
        Then=([], [("Cond", "True")]),
        Else=([], [("Cond", "False")]),
        Joined=(["Then", "Else"], []),
        Inner=([], [("Cond", "True")]),
        Deep=([], [("Cond", "True"), ("Inner", "True")]),
    )
    before = decide(nodes, {"Cond": Outcome.RUNNING}, {})
    assert (before.ready, before.never) == ((), frozenset())
    after = decide(nodes, {"Cond": Outcome.SUCCEEDED}, {"Cond": "False"})
    assert after.ready == ("Else",)
    assert after.never == {"Then", "Joined", "Late", "Inner", "Deep"}


def test_triggers_choose_by_outcome():
    nodes = {"A": Node("A", {}, ())} | {str(trigger): Node(str(trigger), {"A": trigger}, ()) for trigger in Trigger}
    ready = {
        outcome: set(decide(nodes, {"A": outcome}, {}).ready)
        for outcome in (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.STOPPED)
    }
    assert ready == {
        Outcome.SUCCEEDED: {"Completed", "Any"},
        Outcome.FAILED: {"Failed", "Any"},
        Outcome.STOPPED: {"Stopped", "Any"},
    }
    assert handled(nodes, "A", frozenset())
    assert not handled(nodes, "A", frozenset({"Failed", "Stopped", "Any"}))


@st.composite
def acyclic(draw):
    names = [f"S{number}" for number in range(draw(st.integers(1, 12)))]
    return {
        name: Node(name, dict.fromkeys(draw(st.lists(st.sampled_from(names[:index]), unique=True)), DONE), ())
        if index
        else Node(name, {}, ())
        for index, name in enumerate(names)
    }


@settings(deadline=None)
@given(acyclic(), st.randoms(use_true_random=False))
def test_every_step_runs_once_and_after_what_it_waits_for(nodes, random):
    shuffled = list(nodes)
    random.shuffle(shuffled)
    nodes = {name: nodes[name] for name in shuffled}
    assert find_cycle(nodes) == ()
    done: list[str] = []
    while ready := decide(nodes, dict.fromkeys(done, Outcome.SUCCEEDED), {}).ready:
        name = random.choice(ready)
        assert set(nodes[name].upstream) <= set(done)
        done.append(name)
    assert sorted(done) == sorted(nodes)


@settings(deadline=None)
@given(acyclic(), st.data())
def test_after_a_failure_exactly_its_descendants_never_run(nodes, data):
    failed = data.draw(st.sampled_from(sorted(nodes)))
    descendants: set[str] = set()
    for name, node in nodes.items():
        if descendants & set(node.upstream) or failed in node.upstream:
            descendants.add(name)
    assert decide(nodes, {failed: Outcome.FAILED}, {}).never == descendants


@settings(deadline=None)
@given(acyclic(), st.data())
def test_an_edge_back_is_found_as_a_cycle(nodes, data):
    names = list(nodes)
    first = data.draw(st.sampled_from(names))
    reachable = [first]
    for name in names:
        if set(reachable) & set(nodes[name].upstream):
            reachable.append(name)
    last = data.draw(st.sampled_from(reachable))
    broken = {**nodes, first: Node(first, {**nodes[first].upstream, last: DONE}, ())}
    cycle = find_cycle(broken)
    assert cycle[0] == cycle[-1]
    assert len(cycle) > 1
    for upstream, name in itertools.pairwise(cycle):
        assert upstream in broken[name].upstream
