"""``localmaker``: start, inspect and stop the local AWS endpoint.

Exit codes: 0 success; 2 wrong usage; 8 the endpoint did not start or stop, or is not running; 130 interrupted.
They are about the endpoint of the state directory. Where ``AWS_ENDPOINT_URL`` leads to another one, a note says so.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from localmaker.elsewhere import Elsewhere
    from localmaker.state.directory import Running

EXIT_UNAVAILABLE = 8

app = typer.Typer(
    name="localmaker",
    help="The local AWS endpoint: the AWS APIs on 127.0.0.1, on which SageMaker pipelines really run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _directory(text: str) -> Path:
    # An empty value is a shell variable that is not set, not the current directory.
    if not text or (Path(text).exists() and not Path(text).is_dir()):
        raise typer.BadParameter(f"{text!r} is not a directory.")
    return Path(text)


StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        parser=_directory,
        metavar="DIR",
        help="Directory for the endpoint's state; by default one in your home directory.",
    ),
]
Requirements = Annotated[
    list[Path] | None,
    typer.Option(
        "--requirements",
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="A requirements.txt that jobs will install; built in advance. May be repeated.",
    ),
]


def main() -> None:
    """Run the command line; an error becomes one message and an exit code, never a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("localmaker"))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The local AWS endpoint: the AWS APIs on 127.0.0.1, on which SageMaker pipelines really run."""  # noqa: D401


@app.command()
def prepare(requirements: Requirements = None) -> None:
    """Build the environments that jobs run in; `up` does it too."""
    with _reported():
        prepare_environments(_console(), requirements or ())


@app.command()
def up(
    *,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 4566 by default, 0 picks a free one.")
    ] = None,
    host: Annotated[str, typer.Option(help="A loopback address; anything else is refused.")] = "127.0.0.1",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it answers; it keeps running.")] = False,
    state_dir: StateDir = None,
    enforce_iam: Annotated[
        bool,
        typer.Option(
            "--enforce-iam",
            help="Take only credentials that the endpoint gave out, and refuse what policies do not allow.",
        ),
    ] = False,
    record_actions: Annotated[
        Path | None, typer.Option(help="Write the IAM actions that roles use to this file, one JSON line each.")
    ] = None,
    habits: Annotated[
        int | None,
        typer.Option(
            metavar="SEED",
            help="Answer with AWS's habits: lost answers, throttling, aborted calls, settings that lag; "
            "the same seed repeats them.",
        ),
    ] = None,
    no_egress: Annotated[
        bool,
        typer.Option("--no-egress", help="Let jobs and functions with a VpcConfig reach nothing but the endpoint."),
    ] = False,
    requirements: Requirements = None,
) -> None:
    """Start the local AWS endpoint."""
    from localmaker import daemon
    from localmaker.http.server import require_loopback
    from localmaker.sandbox.sandbox import detect_isolation, require_sandbox

    terminal = _console()

    def ready(running: Running) -> None:
        show_ready(terminal, running)
        _show_elsewhere(state_dir)

    with _reported(state_dir):
        require_loopback(host)  # before anything is built
        detect_isolation()
        if no_egress:
            require_sandbox()
        prepare_environments(terminal, requirements or ())
        daemon.up(
            daemon.DEFAULT_PORT if port is None else port,
            host=host,
            detach=detach,
            state_dir=state_dir,
            enforce_iam=enforce_iam,
            record_actions=record_actions,
            habits=habits,
            no_egress=no_egress,
            on_ready=ready,
        )


@app.command()
def down(state_dir: StateDir = None) -> None:
    """Stop the local AWS endpoint and every job it runs."""
    from localmaker import daemon

    # Looked up first: afterwards, nothing would listen at an address that was its own.
    others = _elsewhere(state_dir)
    with _reported(state_dir):
        daemon.down(state_dir)
    typer.echo("The local AWS endpoint is down.")
    _show_elsewhere(state_dir, others)


@app.command()
def env(state_dir: StateDir = None) -> None:
    """Print what a shell needs to use the endpoint, credentials included: eval "$(localmaker env)"."""
    from localmaker import daemon

    with _reported(state_dir):
        variables = daemon.environment(_running(state_dir))
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    # One that is left from other credentials would spoil these.
    typer.echo("unset AWS_SESSION_TOKEN")


@app.command(context_settings={"allow_interspersed_args": False})
def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="The program and its arguments.")],
    role: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Act as this role, as a SageMaker notebook acts as its own; it is created if missing."
        ),
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Run a program against the endpoint, also where it names AWS's own addresses."""
    from localmaker import programs

    with _reported(state_dir):
        programs.run(_running(state_dir), command, role)


@app.command()
def status(
    context: typer.Context,
    state_dir: StateDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Show whether the local AWS endpoint is running, and where. Exit code 0 if it is, 8 if not."""
    from localmaker import daemon

    with _reported():
        running = daemon.status(state_dir)
    others = _elsewhere(state_dir)
    if as_json:
        described = {**_described(running), "elsewhere": [one.described() for one in others]}
        typer.echo(json.dumps(described, indent=2, ensure_ascii=False))
    elif running is not None:
        typer.echo(f"The local AWS endpoint is running at {running.url} (process {running.pid}).")
        typer.echo(f"State at its start: {running.restored}")
    else:
        # The group is localmaker, or that of a project with a port of its own.
        command = context.parent.command_path if context.parent else "localmaker"
        where = f" --state-dir {shlex.quote(str(state_dir))}" if state_dir else ""
        typer.echo(f"The local AWS endpoint is not running. Start it with: {command} up --detach{where}")
    if not as_json:
        _show_elsewhere(state_dir, others)
    raise typer.Exit(0 if running is not None else EXIT_UNAVAILABLE)


def _running(state_dir: Path | None) -> Running:
    """Return the endpoint of a state directory, or say how to start it."""
    from localmaker import daemon
    from localmaker.errors import EndpointNotRunningError
    from localmaker.state.directory import command_for, default_state_dir

    running = daemon.status(state_dir)
    if running is None:
        command = command_for("up", (state_dir or default_state_dir()).absolute())
        raise EndpointNotRunningError(f"no local endpoint is running; start it with: {command} --detach")
    return running


def prepare_environments(console: Console, requirements: Sequence[Path]) -> None:
    """Build what is missing of the environments of the default image, of functions, and of each requirements file.

    Raises:
        MotoVersionError: the endpoint could not start afterwards.
        EnvironmentBuildError: a package could not be installed, or a requirements file is not UTF-8.
        RefusedRequirementsError: a requirements file asks for more than wheels of an index.
    """
    from localmaker.images.environments import EnvironmentBuildError, derived_environment, image_environment
    from localmaker.images.table import DEFAULT_IMAGE, DEFAULT_RUNTIME, find_image, function_runtime
    from localmaker.moto_patches.manifest import verify_version

    verify_version()

    def report(line: str) -> None:
        console.print(f"  {line}", markup=False, soft_wrap=True)

    image = image_environment(find_image(DEFAULT_IMAGE), report)
    image_environment(function_runtime(DEFAULT_RUNTIME), report)
    for file in requirements:
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise EnvironmentBuildError(f"{file} is not UTF-8: {error.reason} at byte {error.start}") from error
        derived_environment(image, text, report)


def show_ready(console: Console, running: Running) -> None:
    """Print the endpoint's address, what a client needs, and whether jobs are isolated from this machine."""
    from localmaker.sandbox.sandbox import why_not_isolated
    from localmaker.state.directory import command_for

    console.print(f"  AWS APIs at {running.url} (this machine only)", markup=False)
    if running.enforces_iam:
        shell = f'eval "$({command_for("env", running.state_dir)})"'
        console.print(f"  IAM is enforced; for the administrator's credentials: {shell}", markup=False, soft_wrap=True)
    else:
        console.print(f"  any client: export AWS_ENDPOINT_URL={running.url}", markup=False)
        console.print("  any credentials will do", markup=False)
        console.print(f"  in a browser: {running.url}/_console", markup=False)
    if running.no_egress:
        console.print("  jobs and functions with a VpcConfig reach nothing else", markup=False)
    console.print(f"  {running.restored}", markup=False, soft_wrap=True)
    reason = why_not_isolated()
    if reason is not None:
        console.print(f"  Jobs run without a sandbox, as your user: {reason}", markup=False, soft_wrap=True)


def _described(running: Running | None) -> dict[str, object]:
    if running is None:
        return {"running": False}
    return {
        "running": True,
        "url": running.url,
        "pid": running.pid,
        "state_dir": str(running.state_dir),
        "restored": running.restored,
        "enforces_iam": running.enforces_iam,
        "no_egress": running.no_egress,
    }


def _elsewhere(state_dir: Path | None) -> list[Elsewhere]:
    from localmaker.elsewhere import elsewhere
    from localmaker.state.directory import default_state_dir

    return elsewhere(state_dir or default_state_dir())


def _show_elsewhere(state_dir: Path | None, others: list[Elsewhere] | None = None) -> None:
    """Tell where AWS clients of this shell go, if that is not the endpoint asked about."""
    for one in _elsewhere(state_dir) if others is None else others:
        typer.echo(f"Note: {one}", err=True)


@contextmanager
def _reported(state_dir: Path | EllipsisType | None = ...) -> Iterator[None]:
    """Turn errors of the endpoint into a message and an exit code, also within another command line.

    Args:
        state_dir: of the endpoint asked about, if an error may be due to another one.
    """
    from localmaker.errors import LocalmakerError

    try:
        yield
    except (LocalmakerError, OSError) as error:
        message = str(error)
        if isinstance(error, OSError) and error.filename:
            message = f"{error.filename}: {error.strerror}"
        _console(errors=True).print("error:", message, style="red", markup=False, soft_wrap=True)
        if not isinstance(state_dir, EllipsisType):
            _show_elsewhere(state_dir)
        raise typer.Exit(EXIT_UNAVAILABLE) from error


def _console(*, errors: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=errors, highlight=False)
