"""The command line, thin: it parses, calls and prints. ``--help`` lists the commands.

Exit codes: 0 done; 1 any other error; 2 wrong usage, or ``plan`` found changes; 3 settings; 4 definition;
5 deployment; 6 execution; 7 file; 8 local endpoint; 9 registry; 10 backup or restoration; 11 restored in part;
130 interrupted.

Everything that takes long to import is imported inside the command that needs it.
"""

import gc
import sys
from typing import Annotated

import typer

from analysis.runtime.project import DISTRIBUTION, NAME
from pipeline.cli import datasets, local, models, predictions, recovery, resources, results, runs
from pipeline.cli.common import console, group
from pipeline.errors import PipelineError

#: Allocations between runs of the garbage collector. Imports and service models make a million objects that stay; with
#: Python's default (700), collecting takes a tenth of the time of a `plan`.
_COLLECT_AFTER = 200_000

app = group(
    "A SageMaker pipeline as code: deploy, start and watch it, read its predictions; on AWS or on this machine.",
    name=NAME,
)
for commands in (resources.app, runs.app, results.app, recovery.app):
    app.add_typer(commands)
app.add_typer(predictions.app, name="predictions")
app.add_typer(models.app, name="model")
app.add_typer(datasets.app, name="dataset")
app.add_typer(local.app, name="local")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version(DISTRIBUTION))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options of every command."""


def main() -> None:
    """Run the command line; an expected error becomes one message and an exit code, not a traceback."""
    gc.set_threshold(_COLLECT_AFTER)
    try:
        app()
    except PipelineError as error:
        terminal = console(errors=True)
        terminal.print("error:", error.message, style="red", markup=False, soft_wrap=True)
        if error.hint:
            terminal.print("  →", error.hint, markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
