"""Follow an execution to its end on the screen, and say how it ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.aws.clients import Aws
from pipeline.errors import ExecutionError
from pipeline.executions.control import watch
from pipeline.executions.logs import failed_tail
from pipeline.executions.progress import cost_line, duration, follow
from pipeline.executions.view import ExecutionView

if TYPE_CHECKING:
    from rich.console import Console

_LOCAL_INTERVAL_SECONDS, _AWS_INTERVAL_SECONDS = 0.25, 10.0


def follow_to_end(aws: Aws, arn: str, console: Console) -> ExecutionView:
    """Show an execution until it ends.

    Raises:
        ExecutionError: it did not succeed; the message is the reason.
    """
    interval = _LOCAL_INTERVAL_SECONDS if aws.is_local else _AWS_INTERVAL_SECONDS
    try:
        last = follow(watch(aws, arn, interval_seconds=interval), console, local=aws.is_local)
    except KeyboardInterrupt:
        # Who looks away stops nothing.
        identifier = arn.rpartition("/")[2]
        stop = aws.settings.command(f"stop {identifier}")
        console.print(f"Execution {identifier} goes on. Stop it with: {stop}", markup=False, soft_wrap=True)
        raise
    _report_end(aws, last, console)
    return last


def _report_end(aws: Aws, last: ExecutionView, console: Console) -> None:
    """Say how an execution ended; of a failure, show the end of the failing step's log, and the reason last."""
    took = duration(last.seconds(datetime.now(UTC)))
    cost = cost_line(last, local=aws.is_local)
    if last.status == "Succeeded":
        console.print(f"Succeeded in {took}: {last.identifier}")
        console.print(cost, markup=False, soft_wrap=True)
        duplicates = [step for step in last.steps if step.name == "Preprocess" and step.status == "NotRun"]
        if duplicates:
            console.print("Nothing had to be done: this version of the file was processed before.")
        return
    console.print(cost, markup=False, soft_wrap=True)
    tail = failed_tail(aws, last)
    if tail is not None and tail[1]:
        step, lines = tail
        console.print(f"\nThe end of the log of {step.name}:", markup=False)
        for line in lines:
            console.print(f"  {line.text}", markup=False, soft_wrap=True, style="dim")
        whole = aws.settings.command(f"logs {last.identifier} --step {step.name}")
        console.print(f"The whole log: {whole}\n", markup=False, soft_wrap=True)
    # One line, the last one, so that it is what a terminal or a CI log shows first.
    reason = " ".join(last.explanation.split())
    raise ExecutionError(f"Execution {last.identifier} {last.status.lower()} after {took}. {reason}".rstrip())
