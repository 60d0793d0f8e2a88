"""``pipedef``: check pipeline definitions.

Exit codes: 0 no problem; 1 problems found; 2 wrong usage, or a file that can't be read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipedef.errors import PipedefError

app = typer.Typer(
    name="pipedef",
    help="Offline checks of SageMaker pipeline definitions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def main() -> None:
    """Run the command line; an error becomes one message and an exit code, never a traceback."""
    try:
        app()
    except PipedefError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Files with the JSON text that CreatePipeline takes.")],
    as_json: AsJson = False,
) -> None:
    """Check definitions: structure, references, shapes, limits, data flow, caching, secrets and more."""
    from pipedef.linter.report import report_as_json, report_lines
    from pipedef.linter.runner import check_file

    reports = [check_file(file) for file in files]
    if as_json:
        typer.echo(json.dumps([report_as_json(report) for report in reports], indent=2, ensure_ascii=False))
    else:
        for report in reports:
            for line in report_lines(report):
                typer.echo(line)
    raise typer.Exit(1 if any(report.findings for report in reports) else 0)


@app.command()
def checks(as_json: AsJson = False) -> None:
    """List every check and what it makes sure of."""
    from pipedef.linter.report import check_lines, checks_as_json

    if as_json:
        typer.echo(json.dumps(checks_as_json(), indent=2, ensure_ascii=False))
    else:
        for line in check_lines():
            typer.echo(line)
