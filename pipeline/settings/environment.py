"""One typed :class:`Settings` object per environment: names, buckets, instances, gates, encryption, network.

Values come from, later ones winning: the defaults here, ``environments/<name>.toml`` (or
``--settings FILE``), and environment variables ``<PROJECT>_<SECTION>__<KEY>``, for example
``…_QUALITY__MINIMUM_R_SQUARED=0.7``. An unknown key or an impossible value is an error that names the key.
"""

import os
import re
import shlex
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import PydanticBaseSettingsSource as Source
from pydantic_settings import SettingsError as UnreadableVariableError

from analysis.dataset.declaration import Gate
from analysis.runtime.project import NAME
from pipedef.language.caching import parse_duration
from pipeline.errors import SettingsError
from pipeline.settings.constraints import KmsKey, ManagedPolicy, Url, check_bucket_name
from pipeline.settings.names import ResourceNames
from pipeline.settings.sections import (
    Alarms,
    Analysis,
    Features,
    Instances,
    Network,
    Quality,
    Registry,
    Retention,
    Running,
    Schedule,
)

ENVIRONMENTS_FOLDER = Path(__file__).parent / "environments"

DEFAULT_ENVIRONMENT = "local"
VARIABLES = f"{NAME.upper().replace('-', '_')}_"
"""What the names of environment variables for settings begin with."""
#: Of names: the policies of a role have 10,240 characters, and name many resources.
_LONGEST_PREFIX = 33
#: What reading history takes.
_HISTORY = "features.offline_store is needed, and no features.time_to_live_days"
_NESTED = "__"
#: pydantic's types of errors → what is wrong, in words.
_WORDS = {
    "bool_parsing": "has to be true or false",
    "bool_type": "has to be true or false",
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "string_type": "has to be text, in quotes",
    "tuple_type": "has to be a list",
}
#: Types of errors for which the value says nothing more.
_WITHOUT_VALUE = {"extra_forbidden", "missing"}


class Settings(ResourceNames, BaseSettings):
    """All that differs between environments; what its resources are called follows from it."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix=VARIABLES, env_nested_delimiter=_NESTED)

    #: AWS_ENDPOINT_URL for this environment; None is AWS itself.
    endpoint_url: Url | None = None
    kms_key: KmsKey | None = None
    #: Policy, by name or ARN, beyond which no role of the environment can go. Without one CI may not change roles.
    permissions_boundary: ManagedPolicy | None = None
    instances: Instances = Field(default_factory=Instances)
    analysis: Analysis = Field(default_factory=Analysis)
    quality: Quality = Field(default_factory=Quality)
    registry: Registry = Field(default_factory=Registry)
    features: Features = Field(default_factory=Features)
    network: Network = Field(default_factory=Network)
    running: Running = Field(default_factory=Running)
    retention: Retention = Field(default_factory=Retention)
    alarms: Alarms = Field(default_factory=Alarms)
    schedule: Schedule = Field(default_factory=Schedule)
    _file: Path | None = PrivateAttr(default=None)
    #: The name after --env; a variable may have given the environment another one.
    _asked_for: str | None = PrivateAttr(default=None)

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls, _: type[BaseSettings], *, init_settings: Source, env_settings: Source, **_others: Source
    ) -> tuple[Source, ...]:
        """Let the environment win over the arguments, which are the content of a TOML file."""
        return env_settings, init_settings

    @property
    def trains_on_history(self) -> bool:
        """Whether an uploaded file is trained on together with all that the offline store knows."""
        return self.analysis.train_on == "history"

    @property
    def reads_history(self) -> bool:
        """Whether executions may read the offline store."""
        past = any(profile.past for profile in self.declared.profiles.values())
        return self.features.keep_history and (past or self.trains_on_history or self.schedule.expression is not None)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Refuse what is wrong only in combination."""
        seen: dict[str, str] = {}
        for key in self.resource_tags():
            if key in {"project", "environment"} and key in self.tags:
                # They tell whose a log group is that others use, too.
                raise ValueError(f"tags.{key}: the setting {key} says that")
            # IAM ignores case and calls the second of two a duplicate.
            if seen.setdefault(key.lower(), key) != key:
                raise ValueError(f"tags.{key}: it differs from {seen[key.lower()]} in case only, which IAM refuses")
        for name, needs in (("schedule", self.schedule.expression), ("analysis.train_on", self.trains_on_history)):
            if needs and not self.features.keep_history:
                raise ValueError(f"{name}: it trains on history, for which {_HISTORY}")
        cached = parse_duration(self.running.cache_expire_after)
        # A day more: the job that takes a cached step's files runs after the step was found.
        if cached and cached + timedelta(days=1) > timedelta(days=self.retention.run_days):
            raise ValueError(f"retention.run_days: steps are cached for {cached.days} days, and their files needed")
        keys = [("kms_key", self.kms_key), *(("buckets.kms_keys", key) for key in self.buckets.kms_keys)]
        for name, arn in keys:
            if arn and arn.startswith("arn:") and arn.split(":")[1:4:2] != [self.partition, self.region]:
                raise ValueError(f"{name}: a key of {arn.split(':')[3]} can't be used in {self.region}")
        return self

    @model_validator(mode="after")
    def _nameable(self) -> Self:
        """Refuse names that AWS does not take."""
        key = "dataset" if self.project is None else "project"
        if len(self.prefix) > _LONGEST_PREFIX:
            raise ValueError(f"{key}: {self.prefix}, which names begin with, has more than {_LONGEST_PREFIX} letters")
        names = (self.raw_bucket, self.artifacts_bucket, self.predictions_bucket)
        if len(set(names)) != len(names):
            raise ValueError(f"buckets: one bucket can't be two of {', '.join(names)}")
        for name in names:
            try:
                check_bucket_name(name)
            except ValueError as error:
                raise ValueError(f"{key}: its buckets would have names such as {name}; {error}") from error
        return self

    @model_validator(mode="after")
    def _declared(self) -> Self:
        """Refuse what the declaration does not have."""
        if self.profile not in self.declared.profiles:
            known = ", ".join(self.declared.profiles)
            raise ValueError(f"analysis.profile: {self.dataset} declares no {self.profile!r}; it has {known}")
        if self.declared.profiles[self.profile].past and not self.features.keep_history:
            raise ValueError(f"analysis.profile: {self.profile} looks back, for which {_HISTORY}")
        if self.gate.figure != "random" and self.declared.time is None:
            raise ValueError(f"quality.gate_figure: {self.dataset} declares no time, so there are no rows to come")
        return self

    @property
    def profile(self) -> str:
        """The way of modelling the table: as set, or the first one that is declared."""
        return self.analysis.profile or next(iter(self.declared.profiles))

    @property
    def gate(self) -> Gate:
        """What a file and a model have to reach: as declared, but for what is set."""
        quality = self.quality
        asked: dict[str, Any] = {
            "figure": quality.gate_figure,
            "minimum_r_squared": quality.minimum_r_squared,
            "leakage": quality.leakage_threshold,
            "minimum_rows": quality.minimum_training_rows,
        }
        return replace(self.declared.gate, **{name: value for name, value in asked.items() if value is not None})

    @property
    def boundary_arn(self) -> str | None:
        """ARN of the permissions boundary."""
        named = self.permissions_boundary
        return named if named is None or named.startswith("arn:") else self.iam_arn(f"policy/{named}")

    @property
    def options(self) -> str:
        """Options that make a command use these settings: ``--env dev``, or ``--settings FILE``."""
        if self._file:
            return f"--settings {shlex.quote(str(self._file))}"
        return f"--env {self._asked_for or self.environment}"

    def command(self, words: str) -> str:
        """Return a command line for these settings to copy; the local environment needs no option."""
        local = self.options == f"--env {DEFAULT_ENVIRONMENT}"
        return f"{NAME} {words}" if local else f"{NAME} {words} {self.options}"


def environment_names() -> list[str]:
    """Return the environments that have a file."""
    return sorted(path.stem for path in ENVIRONMENTS_FOLDER.glob("*.toml"))


def load_settings(environment: str | None = None, file: Path | None = None) -> Settings:
    """Read the settings of one environment.

    Args:
        environment: name of a file in ``pipeline/settings/environments``; the local one when left out.
        file: another TOML file to use instead; where an environment is named too, it has to be that one's.

    Raises:
        SettingsError: there is no such environment, or a key or value is wrong; the message names the key.
    """
    asked_for = environment or (DEFAULT_ENVIRONMENT if file is None else None)
    path = file or ENVIRONMENTS_FOLDER / f"{asked_for}.toml"
    if file is not None and not path.is_file():
        raise SettingsError(f"There is no settings file {path}.", hint="Correct the path after --settings.")
    if file is None and not (re.fullmatch(r"[a-z0-9-]+", str(asked_for)) and path.is_file()):
        raise SettingsError(
            f"There is no environment {asked_for!r}: {path} does not exist.",
            hint=f"Choose one of {', '.join(environment_names())} with --env, or pass --settings FILE.",
        )
    _refuse_unknown_variables()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        # pydantic-settings would take Region for region, as it must for a variable.
        if unknown := [key for key in content if key not in Settings.model_fields]:
            raise _wrong(path, [f"  {key}: unknown key" for key in unknown])
        found = Settings(**content)
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}", hint="Check its permissions.") from error
    except ValidationError as error:
        raise _wrong(path, [_describe(item) for item in error.errors()]) from error
    except UnreadableVariableError as error:
        field = str(error).partition('field "')[2].partition('"')[0]
        raise SettingsError(
            f"{' or '.join(_variables_of(field))} can't be read.",
            hint='A list or a table in a variable is written as JSON, such as \'["a", "b"]\'.',
        ) from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise SettingsError(f"{path} can't be read: {error}", hint="It has to be valid TOML.") from error
    found._file, found._asked_for = file, asked_for  # noqa: SLF001 - private to this module
    if asked_for not in {None, found.environment} and not _variables_of("environment"):
        # Otherwise one environment would be planned and another one deployed.
        asked = f"--env asks for {asked_for!r}" if file else f"the file is {path.name}"
        raise _wrong(path, [f"  environment: it is {found.environment!r}, and {asked}"])
    return found


def _wrong(path: Path, lines: list[str]) -> SettingsError:
    return SettingsError(
        "\n".join([f"The settings of {path} are wrong:", *lines]),
        hint=f"Edit {path.name}, or the {VARIABLES}… variable of that name.",
    )


def _describe(item: ErrorDetails) -> str:
    """Describe one error of pydantic: the key as written in TOML, then what is wrong."""
    message = _WORDS.get(item["type"], item["msg"].removeprefix("Value error, "))
    if not item["loc"]:  # of all settings together: the message begins with the key
        return f"  {message}"
    # For an unknown key of a mapping pydantic adds "[key]", which nobody wrote.
    key = ".".join(str(part) for part in item["loc"] if part != "[key]")
    return f"  {key}: {message}" + ("" if item["type"] in _WITHOUT_VALUE else f" (got {item['input']!r})")


def _variables() -> dict[str, str]:
    """Return the environment's variables that look like settings, each with the field that it sets."""
    return {
        name: name[len(VARIABLES) :].partition(_NESTED)[0].lower()
        for name in sorted(os.environ)
        if name.upper().startswith(VARIABLES)
    }


def _variables_of(field: str) -> list[str]:
    """Return the variables that set a field, or something in it."""
    return [name for name, set_field in _variables().items() if set_field == field]


def _refuse_unknown_variables() -> None:
    """Refuse a misspelt section: pydantic-settings looks only for the fields that it knows and would ignore it."""
    for name, field in _variables().items():
        if field not in Settings.model_fields:
            raise SettingsError(
                f"{name}: there is no setting {field}.",
                hint=f"There are {', '.join(Settings.model_fields)}; a key in one of them comes after {_NESTED}.",
            )
