"""Coming back after an account is gone: backup, restore."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.common import AsJson, Environment, SettingsFile, aws_of, group, print_json

app = group("")

_IN_PART = 11
Owner = Annotated[
    str | None, typer.Option("--owner", help="Account that has to own the bucket; S3 refuses where another one does.")
]


def _tell(line: str) -> None:
    typer.echo(line, err=True)


@app.command()
def backup(
    to: Annotated[str, typer.Option("--to", help="s3://BUCKET/PREFIX of another account, or a folder.")],
    env: Environment = None,
    settings_file: SettingsFile = None,
    *,
    owner: Owner = None,
    kms_key: Annotated[
        str | None, typer.Option("--kms-key", help="ARN of the destination's key; by default its bucket's choice.")
    ] = None,
    features: Annotated[bool, typer.Option("--features", help="Also the records of the Feature Store.")] = False,
    every_version: Annotated[
        bool, typer.Option("--all-versions", help="Not only the version in use and the one before it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy what a restoration needs to a place outside the account. Safe to interrupt and to repeat."""
    from pipeline.recovery.backup import Backup
    from pipeline.recovery.places import place_of

    aws = aws_of(env, settings_file)
    place = place_of(to, aws, owner, kms_key)
    done = Backup(aws, place, _tell).make(every_version=every_version, features=features)
    manifest = done.manifest
    if as_json:
        print_json(
            {
                "place": place.name,
                "created": manifest.created,
                "unchanged": done.unchanged,
                "files_copied": done.copied,
                "versions": [version.number for version in manifest.versions],
                "in_use": manifest.in_use,
                "commit": manifest.git_commit,
                "warnings": done.warnings,
            }
        )
        return
    for warning in done.warnings:
        _tell(f"warning: {warning}")
    numbers = ", ".join(str(version.number) for version in manifest.versions) or "none"
    state = "nothing has changed since" if done.unchanged else "written"
    typer.echo(
        f"{place.name}: {state} {manifest.created:%Y-%m-%d %H:%M} UTC; versions {numbers}, in use "
        f"{manifest.in_use or 'none'}, code of {manifest.git_commit}"
    )


@app.command()
def restore(
    url: Annotated[str, typer.Option("--from", help="URL of the Git repository.")],
    env: Annotated[str, typer.Option("--env", help="Environment, a file of the repository.")],
    ref: Annotated[
        str | None, typer.Option(help="Tag or commit; by default that of the backup, else the newest commit.")
    ] = None,
    artifacts: Annotated[str | None, typer.Option(help="The backup: s3://BUCKET/PREFIX, or a folder.")] = None,
    *,
    into: Annotated[Path | None, typer.Option(help="Folder of the clone, by default REPOSITORY-ENV here.")] = None,
    owner: Owner = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring an environment back in an empty account, from Git and a backup. Safe to interrupt and to repeat.

    Exit code 0: all is back that the backup has; 10: stopped, run it again; 11: something is not, and is named.
    """
    from pipeline.recovery.repository import TOKEN
    from pipeline.recovery.restore import Request, Restoration, in_words
    from pipeline.source_control.credential import credential_from_variable, credential_of

    # Taken out of the environment, which what we start inherits.
    given = credential_from_variable(TOKEN) if os.environ.get(TOKEN) else None
    restoration = Restoration(Request(url, env, ref, artifacts, owner, into, given), _tell)
    for line in restoration.plan():
        _tell(line)
    if not yes:
        typer.confirm("Restore this?", abort=True, err=True)
    credential, connected = None, restoration.needs_credential_for
    if connected is not None and not yes and sys.stdin.isatty():
        asked = f"Token for {connected!r} (none: connect it later)"
        if token := typer.prompt(asked, default="", hide_input=True, show_default=False, err=True):
            credential = credential_of(token, "the prompt")
    outcome = restoration.make(credential)
    print_json(outcome.as_json()) if as_json else typer.echo("\n".join(in_words(outcome)))
    raise typer.Exit(_IN_PART if outcome.failed else 0)
