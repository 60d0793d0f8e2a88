"""Starts the steps of a graph as soon as they may run, each in a thread of its own, and waits until no more will.

Nothing polls. The coordinating thread sleeps on a condition variable until a step ends or a stop is asked for; a
step's thread sleeps in ``JobService.wait``.
"""

from __future__ import annotations

from collections.abc import Callable

from localmaker.services.sagemaker.pipelines.ports import World
from localmaker.services.sagemaker.pipelines.progress import Progress, assess
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord
from localmaker.services.sagemaker.pipelines.steps.run import Halt, StepRun
from localmaker.services.sagemaker.pipelines.steps.table import StepTable
from pipedef.language.graph import Graph
from pipedef.language.model import Definition


class Coordinator:
    """The steps of a graph while they run.

    Args:
        world, execution: whose steps they are.
        definition: that has them.
        table: where their records are. Steps that have succeeded already are kept.
        graph: of the steps.
        halt: of the execution.
        most_at_once: how many steps may run at a time now.
    """

    def __init__(
        self,
        world: World,
        execution: ExecutionRecord,
        definition: Definition,
        table: StepTable,
        graph: Graph,
        *,
        halt: Halt,
        most_at_once: Callable[[], int],
    ) -> None:
        self._world = world
        self._execution = execution
        self._definition = definition
        self._table = table
        self._graph = graph
        self._halt = halt
        self._most_at_once = most_at_once
        self._running: dict[str, StepRun] = {}

    def run(self) -> Progress:
        """Run steps until none runs and none may start; returns how it stands then."""
        with self._table.changed:
            while True:
                records = {name: one for name, one in self._table.records().items() if name in self._graph}
                progress = assess(self._graph, records, self._running)
                ready = () if self._halt.asked.is_set() else progress.ready
                for name in ready[: max(self._most_at_once() - len(self._running), 0)]:
                    self._launch(name)
                if not self._running:
                    return progress
                self._table.changed.wait()

    def _launch(self, name: str) -> None:
        run = StepRun(
            self._world,
            self._execution,
            self._definition,
            self._table,
            self._definition.steps[name],
            halt=self._halt,
            on_end=self._running.pop,
        )
        self._running[name] = run
        run.start()

    def stop_running(self) -> None:
        """Stop the steps that run; returns before they have ended."""
        with self._table.changed:
            running = list(self._running.values())
        for run in running:
            run.stop()
