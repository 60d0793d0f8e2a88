"""One typed :class:`Settings` object per environment: names, buckets, instances, gates, encryption, network.

Values come from, later ones winning: the defaults here, ``pipeline/environments/<name>.toml`` (or
``--settings FILE``), and environment variables ``BIKESHARE_<SECTION>__<KEY>``, for example
``BIKESHARE_QUALITY__MINIMUM_R_SQUARED=0.7``. An unknown key or an impossible value is an error that names the key.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from pydantic_settings import SettingsError as UnreadableVariableError

from pipeline.errors import SettingsError
from pipeline.settings.aws_names import bucket_name_problem, tag_problems
from pipeline.settings.names import ResourceNames
from pipeline.settings.problems import Form, describe
from pipeline.settings.sections import (
    Alarms,
    Analysis,
    Buckets,
    Features,
    Instances,
    KmsKey,
    Network,
    Quality,
    Registry,
    Running,
)

ENVIRONMENTS_FOLDER = Path(__file__).parent / "environments"

DEFAULT_ENVIRONMENT = "local"
_VARIABLES = "BIKESHARE_"
#: Variables of that beginning that are no settings: the local endpoint reads them.
_OTHER_VARIABLES = frozenset(
    {
        *("CHECK_RESPONSES", "ENFORCE_IAM", "FUNCTIONS", "IMAGES", "JOB_MEMORY_GIB", "JOB_PROCESSES"),
        *("RECORD_ACTIONS", "SANDBOX"),
    }
)
_NESTED = "__"

#: Start of every name; buckets' are to fit into 63 characters with it.
ShortName = Annotated[
    str,
    AfterValidator(
        Form("[a-z][a-z0-9-]{0,15}", "1 to 16 lower-case letters, digits and hyphens that begin with a letter")
    ),
]


class _FileAsWritten(TomlConfigSettingsSource):
    """A TOML file whose keys count as they are written.

    pydantic-settings takes ``Region`` for ``region``, as it must of a variable, and lets it win where both stand there.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.unknown = [key for key in self.toml_data if key not in settings_cls.model_fields]

    def __call__(self) -> dict[str, Any]:
        return {**super().__call__(), **{key: self.toml_data[key] for key in self.unknown}}


class Settings(ResourceNames, BaseSettings):
    """All that differs between environments; what its resources are called follows from it."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=_VARIABLES,
        env_nested_delimiter=_NESTED,
    )

    environment: ShortName
    account_id: Annotated[str, AfterValidator(Form("[0-9]{12}", "12 digits"))]
    region: Annotated[str, AfterValidator(Form("[a-z]{2}(-[a-z]+)+-[0-9]", "a region of AWS, such as eu-west-1"))]
    project: ShortName = "bikeshare"
    #: AWS_ENDPOINT_URL for this environment; None is AWS itself.
    endpoint_url: Annotated[
        str | None, AfterValidator(Form(r"(https?://\S+)?", "a URL, such as http://127.0.0.1:4566"))
    ] = None
    kms_key: KmsKey | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    buckets: Buckets = Field(default_factory=Buckets)
    instances: Instances = Field(default_factory=Instances)
    analysis: Analysis = Field(default_factory=Analysis)
    quality: Quality = Field(default_factory=Quality)
    registry: Registry = Field(default_factory=Registry)
    features: Features = Field(default_factory=Features)
    network: Network = Field(default_factory=Network)
    running: Running = Field(default_factory=Running)
    alarms: Alarms = Field(default_factory=Alarms)
    _file: Path | None = PrivateAttr(default=None)
    #: What --env named; a variable may have given the environment another name since.
    _asked_for: str | None = PrivateAttr(default=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic-settings'
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Explicit arguments, then the environment, then the TOML file of ``model_config``."""
        return init_settings, env_settings, _FileAsWritten(settings_cls)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """What is wrong only once everything is known."""
        for key in self.tags.keys() & {"project", "environment"}:
            # They tell whose a log group is that others use, too.
            raise ValueError(f"tags.{key}: the setting {key} says that")
        for key, problem in tag_problems(self.resource_tags()):
            raise ValueError(f"tags.{key}: {problem}")
        names = (self.raw_bucket, self.artifacts_bucket, self.predictions_bucket)
        if len(set(names)) != len(names):
            raise ValueError(f"buckets: one bucket can't be two of {', '.join(names)}")
        for name in names:
            if problem := bucket_name_problem(name):
                raise ValueError(f"project: its buckets would have names such as {name}; {problem}")
        for name, key in self._named_keys():
            place = key.split(":")[1:4:2] if key.startswith("arn:") else [self.partition, self.region]
            if place != [self.partition, self.region]:
                raise ValueError(f"{name}: a key of {place[-1]} can't be used in {self.region}")
        return self

    def _named_keys(self) -> Iterator[tuple[str, str]]:
        """Setting and name of each KMS key."""
        if self.kms_key is not None:
            yield "kms_key", self.kms_key
        for key in self.buckets.kms_keys:
            yield "buckets.kms_keys", key

    @property
    def options(self) -> str:
        """What a command is given to work with these settings: ``--env dev``, or ``--settings FILE``."""
        if self._file:
            return f"--settings {shlex.quote(str(self._file))}"
        return f"--env {self._asked_for or self.environment}"

    def command(self, words: str) -> str:
        """A command line for these settings that somebody can copy; the local environment needs no option."""
        local = self.options == f"--env {DEFAULT_ENVIRONMENT}"
        return f"bikeshare {words}" if local else f"bikeshare {words} {self.options}"


def environment_names() -> list[str]:
    """Environments that have a file of their own."""
    return sorted(path.stem for path in ENVIRONMENTS_FOLDER.glob("*.toml"))


def load_settings(environment: str | None = None, file: Path | None = None) -> Settings:
    """Read the settings of one environment.

    Args:
        environment: name of a file in ``pipeline/environments``; the local one when left out.
        file: another TOML file to take instead; where an environment is named, too, the file has to be of that one.

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

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)
        _file: Path | None = PrivateAttr(default=file)
        _asked_for: str | None = PrivateAttr(default=asked_for)

    try:
        found = FromFile()  # type: ignore[call-arg]  # pydantic-settings reads the rest
    except ValidationError as error:
        raise _wrong(path, [line for item in error.errors() for line in describe(item)]) from error
    except UnreadableVariableError as error:
        field = str(error).partition('field "')[2].partition('"')[0]
        raise SettingsError(
            f"{' or '.join(_variables_of(field))} can't be read.",
            hint='A list or a table in a variable is written as JSON, such as \'["a", "b"]\'.',
        ) from error
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}", hint="Let yourself read it.") from error
    except ValueError as error:  # tomllib's own errors are ValueErrors
        raise SettingsError(f"{path} can't be read: {error}", hint="It has to be valid TOML.") from error
    if asked_for not in {None, found.environment} and not _variables_of("environment"):
        # Else one environment would be planned, and another one deployed.
        asked = f"--env asks for {asked_for!r}" if file else f"the file is {path.name}"
        raise _wrong(path, [f"  environment: it is {found.environment!r}, and {asked}"])
    return found


def _wrong(path: Path, lines: list[str]) -> SettingsError:
    return SettingsError(
        "\n".join([f"The settings of {path} are wrong:", *lines]),
        hint=f"Edit {path.name}, or the {_VARIABLES}… variable of that name.",
    )


def _variables() -> list[str]:
    """Names of the environment's variables that begin like settings."""
    return sorted(name for name in os.environ if name.upper().startswith(_VARIABLES))


def _field(variable: str) -> str:
    """The field of Settings that a variable sets, in small letters."""
    return variable[len(_VARIABLES) :].partition(_NESTED)[0].lower()


def _variables_of(field: str) -> list[str]:
    """Names of the variables that set a field, or something in it."""
    return [name for name in _variables() if _field(name) == field]


def _refuse_unknown_variables() -> None:
    """A misspelt section would be ignored without a word: pydantic-settings looks only for the fields that it knows."""
    for name in _variables():
        if _field(name) not in Settings.model_fields and name[len(_VARIABLES) :].upper() not in _OTHER_VARIABLES:
            raise SettingsError(
                f"{name}: there is no setting {_field(name)}.",
                hint=f"There are {', '.join(Settings.model_fields)}; a key in one of them comes after {_NESTED}.",
            )
