"""The model registry: list, approve, reject, card."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.common import AsJson, Environment, SettingsFile, aws_of, group, print_json

if TYPE_CHECKING:
    from pipeline.aws.clients import Aws

app = group("The model registry.")

Version = Annotated[int, typer.Argument(min=1, help="Number of the version.")]
Reason = Annotated[str, typer.Option(help="Stored with the version.")]


@app.command("list")
def model_list(env: Environment = None, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List registered versions with their metrics, newest first."""
    from pipeline.results.registry import versions

    aws = aws_of(env, settings_file)
    found = versions(aws, aws.settings.model_package_group_name)
    if as_json:
        print_json([asdict(version) for version in found])
        return
    if not found:
        typer.echo(f"No version is registered yet. See how executions ended: {aws.settings.command('runs')}")
    for version in found:
        profile = version.properties.get("profile", "")
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items())
        typer.echo(
            f"{version.version:>4}  {version.approval:<22}{version.created:%Y-%m-%d %H:%M}  {profile}  {metrics}"
        )


@app.command("approve")
def model_approve(
    version: Version,
    reason: Reason = "",
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Approve a version: scoring uses the newest approved one."""
    _decide(version, "Approved", reason, aws_of(env, settings_file), as_json=as_json)


@app.command("reject")
def model_reject(
    version: Version,
    reason: Reason = "",
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Reject a version: scoring never uses it."""
    _decide(version, "Rejected", reason, aws_of(env, settings_file), as_json=as_json)


def _decide(version: int, status: Literal["Approved", "Rejected"], reason: str, aws: Aws, *, as_json: bool) -> None:
    from pipeline.results.registry import decide

    decided = decide(aws, aws.settings.model_package_group_name, version, status, reason)
    print_json(asdict(decided)) if as_json else typer.echo(f"Version {decided.version} is {decided.approval}.")


@app.command("card")
def model_card(version: Version, env: Environment = None, settings_file: SettingsFile = None) -> None:
    """Print the model card of a version as JSON."""
    from pipeline.results.registry import card

    aws = aws_of(env, settings_file)
    print_json(card(aws, aws.settings.model_package_group_name, version))
