"""Options and output that the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.aws.clients import Aws
    from pipeline.settings.environment import Settings

Environment = Annotated[
    str | None, typer.Option("--env", help="Environment, by default local: a file in pipeline/settings/environments.")
]
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="Use this TOML file of settings instead.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Execution = Annotated[str | None, typer.Argument(help="Execution id or ARN; by default the newest one.")]


def group(help_text: str, name: str | None = None) -> typer.Typer:
    """Create a group of commands with help in plain text: importing rich takes longer than all the rest of it."""
    return typer.Typer(
        name=name,
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def console(*, errors: bool = False) -> Console:
    """Return the terminal, or wherever the output goes; progress goes to standard error beside JSON for scripts."""
    from rich.console import Console

    return Console(stderr=errors, highlight=False)


def settings_of(environment: str | None, file: Path | None) -> Settings:
    """Return the settings of the environment that the command was given."""
    from pipeline.settings.environment import load_settings

    return load_settings(environment, file)


def aws_of(environment: str | None, file: Path | None) -> Aws:
    """Return clients for the environment that the command was given."""
    from pipeline.aws.clients import Aws

    return Aws(settings_of(environment, file))


def write_file(path: Path, content: bytes) -> None:
    """Write a file that was asked for.

    Raises:
        OutputFileError: it can't be written.
    """
    from pipeline.errors import OutputFileError

    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputFileError(f"{path} can't be written: {error.strerror}", "Give another path.") from error


def print_json(value: Any) -> None:
    """Print a value for scripts; times in ISO 8601."""
    import json
    from datetime import datetime

    def plain(item: Any) -> str:
        return item.isoformat() if isinstance(item, datetime) else str(item)

    typer.echo(json.dumps(value, indent=2, default=plain, ensure_ascii=False))
