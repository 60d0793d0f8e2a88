"""``pipedef``: check pipeline definitions.

Exit codes: 0 no error found; 1 errors found (with ``--strict``: warnings, too); 2 wrong usage, or a file that can't be
read.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from pipedef.errors import PipedefError, UnreadableFileError

app = typer.Typer(
    name="pipedef",
    help="Check SageMaker pipeline definitions offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
_STANDARD_INPUT = Path("-")


def main() -> None:
    """Run the command line; an error becomes one message and an exit code, never a traceback."""
    try:
        app(prog_name="pipedef")
    except PipedefError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pipedef {version('pipedef')}")
        raise typer.Exit


@app.callback()
def pipedef(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Check SageMaker pipeline definitions offline: no account, no network, no SDK."""


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="JSON text that CreatePipeline takes; - is standard input.")
    ],
    select: Annotated[list[str], typer.Option(metavar="NAME", help="Run this check only; may be repeated.")] = [],  # noqa: B006
    ignore: Annotated[list[str], typer.Option(metavar="NAME", help="Leave this check out; may be repeated.")] = [],  # noqa: B006
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check definitions: structure, references, shapes, limits, data flow, caching, secrets and more.

    Exit codes: 0 no error found; 1 errors found (with --strict: warnings, too); 2 wrong usage, or a file that can't be
    read.
    """
    from pipedef.checks.registry import Scope
    from pipedef.linter import check_text, chosen_checks, read_file, report_as_json, report_lines

    chosen = chosen_checks(select, ignore)
    # A file alone tells nothing of what is deployed, nor of the scripts.
    checks = chosen if select else tuple(check for check in chosen if check.scope is Scope.DEFINITION)
    texts = [
        (str(file), read_file(file)) if file != _STANDARD_INPUT else ("stdin", _standard_input()) for file in files
    ]
    reports = [check_text(text, source, checks) for source, text in texts]
    if as_json:
        typer.echo(json.dumps([report_as_json(report) for report in reports], indent=2, ensure_ascii=False))
    else:
        for report in reports:
            for line in report_lines(report):
                typer.echo(line)
    wrong = any(report.findings if strict else report.errors for report in reports)
    raise typer.Exit(1 if wrong else 0)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"Standard input can't be read: {error}") from error


@app.command()
def checks(as_json: AsJson = False) -> None:
    """List every check with its severity and what it makes sure of."""
    from pipedef.linter import check_lines, checks_as_json

    if as_json:
        typer.echo(json.dumps(checks_as_json(), indent=2, ensure_ascii=False))
    else:
        for line in check_lines():
            typer.echo(line)
