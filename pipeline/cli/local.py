"""The local AWS endpoint: prepare, up, down, status."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.common import AsJson, console, group, print_json

app = group("The local AWS endpoint.")

StateDir = Annotated[
    Path | None, typer.Option("--state-dir", help="Where everything that is kept lives; your own when left out.")
]


@app.command("prepare")
def local_prepare() -> None:
    """Build the environments that local jobs run in; `up` does it too."""
    from pipeline.local_commands import prepare_environments

    prepare_environments(console())


@app.command("up")
def local_up(
    *,
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; the local environment's when left out.")] = None,
    host: Annotated[str, typer.Option(help="A loopback address; anything else is refused.")] = "127.0.0.1",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it answers; it goes on.")] = False,
    state_dir: StateDir = None,
    enforce_iam: Annotated[
        bool, typer.Option("--enforce-iam", help="Refuse what a role's policies do not allow.")
    ] = False,
    record_actions: Annotated[
        Path | None, typer.Option(help="File that gets the IAM actions that roles use, a JSON line each.")
    ] = None,
) -> None:
    """Start the local AWS endpoint."""
    from pipeline.local_commands import UpOptions, endpoint_up

    endpoint_up(
        UpOptions(
            port=port,
            host=host,
            detach=detach,
            state_dir=state_dir,
            enforce_iam=enforce_iam,
            record_actions=record_actions,
        ),
        console(),
    )


@app.command("down")
def local_down(state_dir: StateDir = None) -> None:
    """Stop the local AWS endpoint and every job it runs."""
    from pipeline.local_commands import endpoint_down

    endpoint_down(console(), state_dir)


@app.command("status")
def local_status(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Say whether the local AWS endpoint runs, and where. Exit code 0: it runs; 8: it does not."""
    from pipeline.local_commands import endpoint_status

    status = endpoint_status(state_dir)
    if as_json:
        print_json(status)
    elif status["running"]:
        typer.echo(f"The local AWS endpoint runs at {status['url']} (process {status['pid']}).")
        typer.echo(f"It came up with: {status['restored']}")
    else:
        typer.echo("The local AWS endpoint does not run. Start it with: bikeshare local up --detach")
    raise typer.Exit(0 if status["running"] else 8)
