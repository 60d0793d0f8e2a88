"""The commands around the local endpoint: up, down, status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import LocalEndpointUnavailableError
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.local.state import Running


@contextmanager
def _local_errors() -> Iterator[None]:
    from pipeline.local.errors import LocalEndpointError

    try:
        yield
    except LocalEndpointError as error:
        raise LocalEndpointUnavailableError(str(error)) from error


def configured_port() -> int:
    """Port of the ``local`` environment's ``endpoint_url``."""
    from pipeline.local.daemon import DEFAULT_PORT

    url = load_settings("local").endpoint_url
    return (urlsplit(url).port if url else None) or DEFAULT_PORT


def prepare_environments(console: Console) -> None:
    """Build the environments that jobs run in, the image's and the one with the steps' requirements; once.

    Raises:
        LocalEndpointUnavailableError: a package could not be installed.
    """
    from pipeline.bundle import STEPS_FOLDER
    from pipeline.local.environments import derived_environment, image_environment
    from pipeline.local.jobs.images import DEFAULT_IMAGE, find_image

    def report(line: str) -> None:
        console.print(f"  {line}", markup=False, soft_wrap=True)

    with _local_errors():
        image = image_environment(find_image(DEFAULT_IMAGE), report)
        derived_environment(image, (STEPS_FOLDER / "requirements.txt").read_text(encoding="utf-8"), report)


@dataclass(frozen=True)
class UpOptions:
    """How the endpoint is started.

    Attributes:
        port: TCP port; the ``local`` environment's where it is None.
        host: a loopback address; anything else is refused.
        detach: return once it answers, and let it go on.
        state_dir: where everything that is kept lives; the user's own by default.
        enforce_iam: refuse what a role's policies do not allow.
        record_actions: file that gets the IAM actions that roles use.
    """

    port: int | None = None
    host: str = "127.0.0.1"
    detach: bool = False
    state_dir: Path | None = None
    enforce_iam: bool = False
    record_actions: Path | None = None


def endpoint_up(options: UpOptions, console: Console) -> None:
    """Prepare the environments that jobs run in, then start the endpoint.

    Raises:
        LocalEndpointUnavailableError: it did not start; the message says why.
    """
    from pipeline.local import daemon
    from pipeline.local.server import require_loopback

    def ready(running: Running) -> None:
        console.print(f"  AWS APIs at {running.url} (this machine only)", markup=False)
        console.print(f"  any client: export AWS_ENDPOINT_URL={running.url}", markup=False)
        console.print("  any credentials, where a client wants some", markup=False)
        console.print(f"  {running.restored}", markup=False, soft_wrap=True)

    with _local_errors():
        require_loopback(options.host)  # before anything is built
    prepare_environments(console)
    with _local_errors():
        daemon.up(
            configured_port() if options.port is None else options.port,
            host=options.host,
            detach=options.detach,
            state_dir=options.state_dir,
            enforce_iam=options.enforce_iam,
            record_actions=options.record_actions,
            on_ready=ready,
        )


def endpoint_down(console: Console, state_dir: Path | None = None) -> None:
    """Stop the endpoint and its jobs.

    Raises:
        LocalEndpointUnavailableError: it does not run, or did not stop.
    """
    from pipeline.local import daemon

    with _local_errors():
        daemon.down(state_dir)
    console.print("The local AWS endpoint is down.")


def endpoint_status(state_dir: Path | None = None) -> dict[str, Any]:
    """``running``, and where it does: ``url``, ``pid``, ``state_dir``; ``restored`` says what it came up with."""
    from pipeline.local import daemon

    with _local_errors():
        running = daemon.status(state_dir)
    if running is None:
        return {"running": False}
    return {
        "running": True,
        "url": running.url,
        "pid": running.pid,
        "state_dir": str(running.state_dir),
        "restored": running.restored,
        "enforces_iam": running.enforces_iam,
    }
