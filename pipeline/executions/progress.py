"""Follow executions on the screen: a live table in a terminal, one plain line for each change elsewhere."""

import re
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.aws.clients import Aws
from pipeline.errors import ExecutionError
from pipeline.executions.control import watch
from pipeline.executions.logs import step_log
from pipeline.executions.view import ExecutionView, StepView, first_failed
from pipeline.settings.contract import CLAIM_INPUT, JobStep

_LOCAL_INTERVAL_SECONDS, _AWS_INTERVAL_SECONDS = 0.25, 10.0
_TAIL_LINES = 12
#: What publishing says of a version that is not the newest any more (``steps/analysis/runtime/versions.py``).
_SUPERSEDED = re.compile(r" was (deleted|replaced by version .*)$")
_MARKS = {
    "Succeeded": ("✔", "green"),
    "Failed": ("✘", "bold red"),
    "Executing": ("▶", "cyan"),
    "Starting": ("▶", "cyan"),
    "Stopping": ("■", "yellow"),
    "Stopped": ("■", "yellow"),
    "Waiting": ("·", "dim"),
    "NotRun": ("-", "dim"),
}
_WORDS = {"NotRun": "not run", "Waiting": "waiting", "Executing": "running", "Succeeded": "done"}


def follow_to_end(aws: Aws, arn: str, console: Console) -> ExecutionView:
    """Show an execution until it ends, and how it ended; of a failure, the end of the failing step's log.

    Raises:
        ExecutionError: it did not succeed; the message is the reason.
    """
    interval = _LOCAL_INTERVAL_SECONDS if aws.is_local else _AWS_INTERVAL_SECONDS
    try:
        last = follow(watch(aws, arn, interval_seconds=interval), console, local=aws.is_local)
    except KeyboardInterrupt:
        # Interrupting the display does not stop the execution.
        identifier = arn.rpartition("/")[2]
        stop = aws.settings.command(f"stop {identifier}")
        console.print(f"Execution {identifier} goes on. Stop it with: {stop}", markup=False, soft_wrap=True)
        raise
    took = duration(last.seconds(datetime.now(UTC)))
    if last.status == "Succeeded":
        console.print(f"Succeeded in {took}: {last.identifier}")
    console.print(_cost(last, local=aws.is_local), markup=False, soft_wrap=True)
    if last.status != "Succeeded":
        _print_failed_log(aws, last, console)
        # One line, the last one, so that it is what a terminal or a CI log shows first.
        reason = " ".join(last.explanation.split())
        raise ExecutionError(f"Execution {last.identifier} {last.status.lower()} after {took}. {reason}".rstrip())
    if outcome := without_predictions(last):
        console.print(outcome, markup=False, soft_wrap=True)
    return last


def without_predictions(last: ExecutionView) -> str:
    """Return why an execution that succeeded has published nothing; empty where it has, or does not say."""
    done = {step.name: step for step in last.steps if step.status == "Succeeded"}
    for name in (JobStep.PUBLISH_PREDICTIONS, JobStep.PUBLISH_REGISTERED):
        if name in done:
            reason = done[name].reason
            return f"Nothing was published: {reason}." if _SUPERSEDED.search(reason) else ""
    ended_early = CLAIM_INPUT in done and JobStep.PREPROCESS not in done
    return f"There was nothing more to do: {done[CLAIM_INPUT].reason}." if ended_early else ""


def _print_failed_log(aws: Aws, last: ExecutionView, console: Console) -> None:
    step = first_failed(step for step in last.steps if step.job_name or step.function_arn)
    lines = list(step_log(aws, last, step))[-_TAIL_LINES:] if step else []
    if step is None or not lines:
        return
    console.print(f"\nThe end of the log of {step.name}:", markup=False)
    for line in lines:
        console.print(f"  {line.text}", markup=False, soft_wrap=True, style="dim")
    whole = aws.settings.command(f"logs {last.identifier} --step {step.name}")
    console.print(f"The whole log: {whole}", markup=False, soft_wrap=True)
    again = aws.settings.command(f"retry {last.identifier}")
    console.print(f"Once the cause is fixed, go on from that step: {again}\n", markup=False, soft_wrap=True)


def follow(views: Iterable[ExecutionView], console: Console, *, local: bool) -> ExecutionView:
    """Show the views of one execution, at least one, and return the last; live where the output is a terminal."""
    shown: dict[str, str] = {}
    with Live(console=console, refresh_per_second=8) if console.is_terminal else nullcontext() as live:
        for current in views:
            if live is None:
                _print_changes(current, shown, console)
                continue
            took = duration(current.seconds(datetime.now(UTC)))
            status = Text(f"  {took}  {_cost(current, local=local, brief=True)}", style="dim", no_wrap=True)
            live.update(Group(_table(current), status))
    return current


def _print_changes(execution: ExecutionView, shown: dict[str, str], console: Console) -> None:
    for step in execution.steps:
        state = describe(step)
        if step.status in {"Waiting", "NotRun", "Starting"} or shown.get(step.name) == state:
            continue
        shown[step.name] = state
        took = duration(step.seconds(step.ended)) if step.ended else ""
        line = "  ".join(part for part in (f"{step.name:<20}", state, took, _note(step)) if part)
        console.print(line, highlight=False, markup=False, soft_wrap=True)
        console.file.flush()


def _table(execution: ExecutionView) -> Table:
    """Return one row a step, indented under its condition."""
    grid = Table.grid(padding=(0, 2))
    for _ in range(3):
        grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(overflow="ellipsis", no_wrap=True, style="dim")
    for step in execution.steps:
        mark, style = _MARKS.get(step.status, ("?", ""))
        grid.add_row(
            f"[{style}]{mark}[/]",
            f"{'  ' * step.depth}{escape(step.name)}",
            f"[{style}]{describe(step)}[/]",
            duration(step.seconds(datetime.now(UTC))),
            escape(": ".join(part for part in (step.kind, _note(step)) if part)),
        )
    return grid


def _cost(execution: ExecutionView, *, local: bool, brief: bool = False) -> str:
    """Say what the execution has cost so far, or would have cost where it runs on this machine."""
    found = execution.cost(datetime.now(UTC))
    cost = found.amount if brief else str(found)
    return f"Cost: nothing here; on AWS this time would be {cost}" if local else f"Cost so far: {cost}"


def _note(step: StepView) -> str:
    """Return what a condition decided; the reason of a failure comes at the end, whole."""
    return "" if step.status == "Failed" else first_line(step.reason)


def duration(value: float | None) -> str:
    """Write seconds as ``4.2 s`` or ``3 min 20 s``; None as nothing."""
    if value is None:
        return ""
    minutes, seconds = divmod(value, 60)
    return f"{int(minutes)} min {int(seconds)} s" if minutes else f"{seconds:.1f} s"


def describe(step: StepView) -> str:
    """Write a state in words, such as ``running`` or ``done (from cache)``."""
    word = _WORDS.get(step.status, step.status.lower())
    return f"{word} (from cache)" if step.cached else word


def first_line(text: str, limit: int = 160) -> str:
    """Return the first line of a reason, cut where it would not fit."""
    line = next(iter(text.strip().splitlines()), "")
    return line if len(line) <= limit else line[: limit - 1] + "…"
