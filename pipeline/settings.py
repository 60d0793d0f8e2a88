"""One typed :class:`Settings` object per environment: names, buckets, instances, gates, encryption, network.

Values come from, later ones winning: the defaults here, ``pipeline/environments/<name>.toml`` (or
``--settings FILE``), and environment variables ``BIKESHARE_<SECTION>__<KEY>``, for example
``BIKESHARE_QUALITY__MINIMUM_R_SQUARED=0.7``. An unknown key or an impossible value is an error that names the key.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from pydantic_settings import SettingsError as UnreadableVariableError

from pipeline.aws_names import bucket_name_problem, partition_of, tag_problems
from pipeline.errors import SettingsError
from pipeline.settings_sections import (
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

#: The two ways of a file: a pipeline each, and a folder under ``raw/`` each.
Flow = Literal["training", "scoring"]


class Settings(BaseSettings):
    """All that differs between environments."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=_VARIABLES,
        env_nested_delimiter=_NESTED,
    )

    environment: str = Field(pattern=r"^[a-z][a-z0-9-]{0,15}$")
    account_id: str = Field(pattern=r"^\d{12}$")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    project: str = Field(default="bikeshare", pattern=r"^[a-z][a-z0-9-]{0,15}$")
    #: AWS_ENDPOINT_URL for this environment; None is AWS itself.
    endpoint_url: str | None = Field(default=None, pattern=r"^(https?://\S+)?$")
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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """What is wrong only once everything is known."""
        for key, problem in tag_problems(self.resource_tags()):
            raise ValueError(f"tags.{key}: {problem}")
        names = (self.raw_bucket, self.artifacts_bucket, self.predictions_bucket)
        if len(set(names)) != len(names):
            raise ValueError(f"buckets: one bucket can't be two of {', '.join(names)}")
        for name in names:
            if problem := bucket_name_problem(name):
                raise ValueError(f"project: its buckets would have names such as {name}; {problem}")
        return self

    @property
    def options(self) -> str:
        """What a command is given to work with these settings: ``--env dev``, or ``--settings FILE``."""
        return f"--settings {shlex.quote(str(self._file))}" if self._file else f"--env {self.environment}"

    def command(self, words: str) -> str:
        """A command line for these settings that somebody can copy; the local environment needs no option."""
        local = self._file is None and self.environment == DEFAULT_ENVIRONMENT
        return f"bikeshare {words}" if local else f"bikeshare {words} {self.options}"

    # ---- names -----------------------------------------------------------------------------------------------

    @property
    def prefix(self) -> str:
        """Start of every resource name, such as ``bikeshare-dev``."""
        return f"{self.project}-{self.environment}"

    def _bucket(self, purpose: Literal["raw", "artifacts", "predictions"]) -> str:
        configured: str | None = getattr(self.buckets, purpose)
        return configured or f"{self.prefix}-{purpose}-{self.account_id}"

    @property
    def raw_bucket(self) -> str:
        """Where uploaders put their files."""
        return self._bucket("raw")

    @property
    def artifacts_bucket(self) -> str:
        """Code bundles, intermediate data of executions, claims."""
        return self._bucket("artifacts")

    @property
    def predictions_bucket(self) -> str:
        """What analysts read."""
        return self._bucket("predictions")

    @property
    def training_pipeline_name(self) -> str:
        """Name of the pipeline that a file under ``raw/training/`` starts."""
        return f"{self.prefix}-training"

    @property
    def scoring_pipeline_name(self) -> str:
        """Name of the pipeline that a file under ``raw/scoring/`` starts."""
        return f"{self.prefix}-scoring"

    @property
    def pipeline_names(self) -> tuple[str, str]:
        """Both pipelines."""
        return self.training_pipeline_name, self.scoring_pipeline_name

    @property
    def feature_group_name(self) -> str:
        """Feature group that holds one record a day."""
        return f"{self.prefix}-daily"

    @property
    def model_package_group_name(self) -> str:
        """Group in the model registry."""
        return f"{self.prefix}-regression"

    @property
    def execution_role_name(self) -> str:
        """Role that pipeline and jobs run as."""
        return f"{self.prefix}-execution"

    @property
    def events_role_name(self) -> str:
        """Role with which EventBridge starts the pipeline."""
        return f"{self.prefix}-events"

    def pipeline_name(self, flow: Flow) -> str:
        """Name of the pipeline that a file under ``raw/<flow>/`` starts."""
        return self.training_pipeline_name if flow == "training" else self.scoring_pipeline_name

    def rule_name(self, flow: Flow) -> str:
        """Name of the EventBridge rule for ``raw/<flow>/*.csv``."""
        return self.training_rule_name if flow == "training" else self.scoring_rule_name

    @property
    def alarm_rule_name(self) -> str:
        """EventBridge rule for executions that failed."""
        return f"{self.prefix}-failed"

    @property
    def dead_letter_queue_name(self) -> str:
        """Queue of events that could not be delivered."""
        return f"{self.prefix}-undelivered"

    @property
    def alarm_topic_name(self) -> str:
        """Topic that tells of executions that failed."""
        return f"{self.prefix}-alarms"

    @property
    def database_name(self) -> str:
        """Glue database, in the letters that Athena takes without quotes."""
        return self.prefix.replace("-", "_")

    @property
    def training_rule_name(self) -> str:
        """EventBridge rule for ``raw/training/*.csv``."""
        return f"{self.prefix}-training-upload"

    @property
    def scoring_rule_name(self) -> str:
        """EventBridge rule for ``raw/scoring/*.csv``."""
        return f"{self.prefix}-scoring-upload"

    def rule_arn(self, name: str) -> str:
        """ARN of a rule of the default event bus by its name."""
        return self.arn("events", f"rule/{name}")

    @property
    def partition(self) -> str:
        """Part of AWS that the region belongs to: ``aws``, ``aws-cn`` or ``aws-us-gov``."""
        return partition_of(self.region)

    def arn(self, service: str, resource: str) -> str:
        """ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def role_arn(self, name: str) -> str:
        """ARN of a role of this account by its name."""
        return self.iam_arn(f"role/{name}")

    def iam_arn(self, resource: str) -> str:
        """ARN of a role or identity provider of this account; IAM knows no regions."""
        return f"arn:{self.partition}:iam::{self.account_id}:{resource}"

    def bucket_arn(self, name: str) -> str:
        """ARN of a bucket by its name."""
        return f"arn:{self.partition}:s3:::{name}"

    def pipeline_arn(self, name: str) -> str:
        """ARN of a pipeline of this account and region by its name."""
        return self.arn("sagemaker", f"pipeline/{name}")

    def resource_tags(self) -> dict[str, str]:
        """Tags that every resource gets: the project's own and those of the settings."""
        return {"project": self.project, "environment": self.environment, **self.tags}


def environment_names() -> list[str]:
    """Environments that have a file of their own."""
    return sorted(path.stem for path in ENVIRONMENTS_FOLDER.glob("*.toml"))


def load_settings(environment: str = DEFAULT_ENVIRONMENT, file: Path | None = None) -> Settings:
    """Read the settings of one environment.

    Args:
        environment: name of a file in ``pipeline/environments``.
        file: another TOML file to take instead.

    Raises:
        SettingsError: there is no such environment, or a key or value is wrong; the message names the key.
    """
    path = file or ENVIRONMENTS_FOLDER / f"{environment}.toml"
    if file is not None and not path.is_file():
        raise SettingsError(f"There is no settings file {path}.", hint="Correct the path after --settings.")
    if file is None and not (re.fullmatch(r"[a-z0-9-]+", environment) and path.is_file()):
        raise SettingsError(
            f"There is no environment {environment!r}: {path} does not exist.",
            hint=f"Choose one of {', '.join(environment_names())} with --env, or pass --settings FILE.",
        )
    _refuse_unknown_variables()

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)
        _file: Path | None = PrivateAttr(default=file)

    try:
        found = FromFile()  # type: ignore[call-arg]  # pydantic-settings reads the rest
    except ValidationError as error:
        raise _wrong(path, [line for item in error.errors() for line in _describe(item)]) from error
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
    if file is None and found.environment != environment and not _variables_of("environment"):
        # Else one environment would be planned, and another one deployed.
        raise _wrong(path, [f"  environment: it is {found.environment!r}, and the file is {path.name}"])
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


def _describe(item: object) -> list[str]:
    """Lines for one error of pydantic: the key as written in TOML, then what is wrong."""
    assert isinstance(item, dict)  # noqa: S101 - pydantic's ErrorDetails
    message = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:  # of all settings together: the message begins with the key
        return [f"  {message}"]
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return [f"  {key}: unknown key"]
    if item["type"] == "missing":
        return [f"  {key}: is missing"]
    return [f"  {key}: {message} (got {item['input']!r})"]
