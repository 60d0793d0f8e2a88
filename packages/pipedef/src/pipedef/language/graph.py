"""The order of steps: what each waits for, and which may run now. Pure functions over names and outcomes.

Rules, as AWS has them:

- A step waits for the steps in its DependsOn and for those that its arguments refer to.
- A step inside a branch also waits for the Condition step, and runs only if that branch is taken.
- A step that waits for one that will never run, or that ended otherwise than its Trigger asks, never runs either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pipedef.language.model import Definition, Guard, Step, Trigger


class Outcome(StrEnum):
    """How far a step is, as far as the order of steps is concerned."""

    WAITING = "Waiting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"
    NEVER = "Never"


_SATISFYING: Mapping[Trigger, frozenset[Outcome]] = {
    Trigger.COMPLETED: frozenset({Outcome.SUCCEEDED}),
    Trigger.FAILED: frozenset({Outcome.FAILED}),
    Trigger.STOPPED: frozenset({Outcome.STOPPED}),
    Trigger.ANY: frozenset({Outcome.SUCCEEDED, Outcome.FAILED, Outcome.STOPPED}),
}
_OPEN = frozenset({Outcome.WAITING, Outcome.RUNNING})


@dataclass(frozen=True)
class Node:
    """One step in the graph: upstream steps with the outcome each must have, and the branches around the step."""

    name: str
    upstream: Mapping[str, Trigger]
    guards: tuple[Guard, ...]

    def waits_for(self) -> frozenset[str]:
        """Return the names of every step that must end before this one can start."""
        return frozenset(self.upstream) | {guard.condition for guard in self.guards}


Graph = Mapping[str, Node]


def build_graph(definition: Definition) -> Graph:
    """Return the graph of a definition. References to steps that do not exist are kept; validation reports them."""
    return {step.name: Node(step.name, _upstream(step), step.guards) for step in definition.steps.values()}


def _upstream(step: Step) -> dict[str, Trigger]:
    # A reference to a step named in DependsOn keeps the trigger given there.
    return {**dict.fromkeys(sorted(step.referenced_steps()), Trigger.COMPLETED), **step.depends_on}


def find_cycle(graph: Graph) -> tuple[str, ...]:
    """Return the names along one cycle, first repeated at the end; empty when there is none."""
    done: set[str] = set()
    for start in graph:
        path: list[str] = []
        stack: list[tuple[str, Iterator[str]]] = []
        if start not in done:
            path.append(start)
            stack.append((start, iter(sorted(graph[start].waits_for()))))
        while stack:
            name, upstream = stack[-1]
            following = next((item for item in upstream if item in graph and item not in done), None)
            if following is None:
                done.add(name)
                path.pop()
                stack.pop()
            elif following in path:
                cycle = [*path[path.index(following) :], following]
                return tuple(reversed(cycle))
            else:
                path.append(following)
                stack.append((following, iter(sorted(graph[following].waits_for()))))
    return ()


@dataclass(frozen=True)
class Decision:
    """What to do next: steps that may start, in the definition's order, and every step that will never run."""

    ready: tuple[str, ...]
    never: frozenset[str]


def decide(graph: Graph, outcomes: Mapping[str, Outcome], branches: Mapping[str, str]) -> Decision:
    """Return which waiting steps may start now, and which never will.

    Args:
        graph: of the whole definition.
        outcomes: of steps that started; a step that is missing is waiting.
        branches: ``True`` or ``False`` by name of each Condition step that succeeded.
    """
    settled: dict[str, Outcome] = {name: outcomes.get(name, Outcome.WAITING) for name in graph}
    ready: tuple[str, ...] = ()
    changed = True
    # A step that never runs can make another never run, whatever their order in the definition.
    while changed:
        changed = False
        fits: list[str] = []
        for name, node in graph.items():
            if settled[name] is not Outcome.WAITING:
                continue
            verdict = _judge(node, settled, branches)
            if verdict is Outcome.NEVER:
                settled[name] = Outcome.NEVER
                changed = True
            elif verdict is Outcome.SUCCEEDED:
                fits.append(name)
        ready = tuple(fits)
    return Decision(ready, frozenset(name for name, outcome in settled.items() if outcome is Outcome.NEVER))


def _judge(node: Node, settled: Mapping[str, Outcome], branches: Mapping[str, str]) -> Outcome:
    """Return NEVER, WAITING, or SUCCEEDED when nothing keeps the step from starting."""
    verdict = Outcome.SUCCEEDED
    for guard in node.guards:
        state = settled[guard.condition]
        if state in _OPEN:
            verdict = Outcome.WAITING
        elif state is not Outcome.SUCCEEDED or branches[guard.condition] != guard.outcome:
            return Outcome.NEVER
    for name, trigger in node.upstream.items():
        state = settled[name]
        if state in _OPEN:
            verdict = Outcome.WAITING
        elif state not in _SATISFYING[trigger]:
            return Outcome.NEVER
    return verdict


def handled(graph: Graph, name: str, never: frozenset[str]) -> bool:
    """Tell whether a step runs because this one failed or stopped (Trigger Failed, Stopped or Any)."""
    return any(
        node.upstream.get(name, Trigger.COMPLETED) is not Trigger.COMPLETED and node.name not in never
        for node in graph.values()
    )
