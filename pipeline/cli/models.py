"""The model registry: list, approve, reject, card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.common import AsJson, Environment, SettingsFile, aws_of, group, print_json, settings_of

if TYPE_CHECKING:
    from pipeline.settings.environment import Settings

app = group("The model registry.")


Version = Annotated[int, typer.Argument(min=1, help="Number of the version.")]


@app.command("list")
def model_list(env: Environment = None, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List registered versions with their metrics, newest first."""
    from dataclasses import asdict

    from pipeline.results.registry import versions

    settings = settings_of(env, settings_file)
    found = versions(aws_of(settings), settings.model_package_group_name)
    if as_json:
        print_json([asdict(version) for version in found])
        return
    if not found:
        typer.echo(f"No version is registered yet. See how executions ended: {settings.command('runs')}")
    for version in found:
        profile = version.properties.get("profile", "")
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items())
        typer.echo(
            f"{version.version:>4}  {version.approval:<22}{version.created:%Y-%m-%d %H:%M}  {profile}  {metrics}"
        )


@app.command("approve")
def model_approve(
    version: Version,
    reason: Annotated[str, typer.Option(help="Kept with the version.")] = "",
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Approve a version: the scoring pipeline takes the newest approved one."""
    _decide(version, "Approved", reason, settings_of(env, settings_file), as_json=as_json)


@app.command("reject")
def model_reject(
    version: Version,
    reason: Annotated[str, typer.Option(help="Kept with the version.")] = "",
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Reject a version: it is never scored with."""
    _decide(version, "Rejected", reason, settings_of(env, settings_file), as_json=as_json)


def _decide(
    version: int, status: Literal["Approved", "Rejected"], reason: str, settings: Settings, *, as_json: bool
) -> None:
    from dataclasses import asdict

    from pipeline.results.registry import decide

    decided = decide(aws_of(settings), settings.model_package_group_name, version, status, reason)
    if as_json:
        print_json(asdict(decided))
        return
    typer.echo(f"Version {decided.version} is {decided.approval}.")


@app.command("card")
def model_card(version: Version, env: Environment = None, settings_file: SettingsFile = None) -> None:
    """Print the model card of a version as JSON."""
    from pipeline.results.registry import card

    settings = settings_of(env, settings_file)
    print_json(card(aws_of(settings), settings.model_package_group_name, version))
