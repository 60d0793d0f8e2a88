"""The local AWS endpoint: prepare, up, down, status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.common import AsJson, console, group, print_json

if TYPE_CHECKING:
    pass

app = group("The local AWS endpoint.")


@app.command("prepare")
def local_prepare() -> None:
    """Build the environments that local jobs run in; `up` does it too."""
    from pipeline.local_commands import prepare_environments

    prepare_environments(console())


@app.command("up")
def local_up(
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; the local environment's when left out.")] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it answers; it goes on.")] = False,
) -> None:
    """Start the local AWS endpoint."""
    from pipeline.local_commands import endpoint_up

    endpoint_up(port, console(), detach=detach)


@app.command("down")
def local_down() -> None:
    """Stop the local AWS endpoint and every job it runs."""
    from pipeline.local_commands import endpoint_down

    endpoint_down(console())


@app.command("status")
def local_status(as_json: AsJson = False) -> None:
    """Say whether the local AWS endpoint runs, and where. Exit code 0: it runs; 8: it does not."""
    from pipeline.local_commands import endpoint_status

    status = endpoint_status()
    if as_json:
        print_json(status)
    elif status["running"]:
        typer.echo(f"The local AWS endpoint runs at {status['url']} (process {status['pid']}).")
    else:
        typer.echo("The local AWS endpoint does not run. Start it with: bikeshare local up --detach")
    raise typer.Exit(0 if status["running"] else 8)
