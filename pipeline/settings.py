"""One typed :class:`Settings` object per environment: names, buckets, instances, gates, encryption, network.

Values come from, later ones winning: the defaults here, ``pipeline/environments/<name>.toml`` (or
``--settings FILE``), and environment variables ``BIKESHARE_<SECTION>__<KEY>``, for example
``BIKESHARE_QUALITY__MINIMUM_R_SQUARED=0.7``. An unknown key or an impossible value is an error that names the key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from pipeline.errors import SettingsError
from pipeline.settings_sections import (
    Alarms,
    Analysis,
    Buckets,
    Instances,
    KmsKey,
    Network,
    Quality,
    Registry,
    Running,
)

ENVIRONMENTS_FOLDER = Path(__file__).parent / "environments"

#: The two ways of a file: a pipeline each, and a folder under ``raw/`` each.
Flow = Literal["training", "scoring"]


class Settings(BaseSettings):
    """All that differs between environments."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="BIKESHARE_",
        env_nested_delimiter="__",
    )

    environment: str = Field(pattern=r"^[a-z][a-z0-9-]{0,15}$")
    account_id: str = Field(pattern=r"^\d{12}$")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    project: str = Field(default="bikeshare", pattern=r"^[a-z][a-z0-9-]{0,15}$")
    #: AWS_ENDPOINT_URL for this environment; None is AWS itself.
    endpoint_url: str | None = None
    kms_key: KmsKey | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    buckets: Buckets = Field(default_factory=Buckets)
    instances: Instances = Field(default_factory=Instances)
    analysis: Analysis = Field(default_factory=Analysis)
    quality: Quality = Field(default_factory=Quality)
    registry: Registry = Field(default_factory=Registry)
    network: Network = Field(default_factory=Network)
    running: Running = Field(default_factory=Running)
    alarms: Alarms = Field(default_factory=Alarms)

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

    def arn(self, service: str, resource: str) -> str:
        """ARN of a resource of this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"

    def role_arn(self, name: str) -> str:
        """ARN of a role of this account by its name."""
        return f"arn:aws:iam::{self.account_id}:role/{name}"

    def pipeline_arn(self, name: str) -> str:
        """ARN of a pipeline of this account and region by its name."""
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:pipeline/{name}"

    def resource_tags(self) -> dict[str, str]:
        """Tags that every resource gets: the project's own and those of the settings."""
        return {"project": self.project, "environment": self.environment, **self.tags}


def environment_names() -> list[str]:
    """Environments that have a file of their own."""
    return sorted(path.stem for path in ENVIRONMENTS_FOLDER.glob("*.toml"))


def load_settings(environment: str = "local", file: Path | None = None) -> Settings:
    """Read the settings of one environment.

    Args:
        environment: name of a file in ``pipeline/environments``.
        file: another TOML file to take instead.

    Raises:
        SettingsError: there is no such environment, or a key or value is wrong; the message names the key.
    """
    path = file or ENVIRONMENTS_FOLDER / f"{environment}.toml"
    if not re.fullmatch(r"[a-z0-9-]+", environment) or not path.is_file():
        raise SettingsError(
            f"There is no environment {environment!r}: {path} does not exist.",
            hint=f"Choose one of {', '.join(environment_names())} with --env, or pass --settings FILE.",
        )

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return FromFile()  # type: ignore[call-arg]  # pydantic-settings reads the rest
    except ValidationError as error:
        raise SettingsError(
            "\n".join([f"The settings of {environment!r} are wrong:", *(_describe(item) for item in error.errors())]),
            hint=f"Edit {path}, or the BIKESHARE_… variable of that name.",
        ) from error
    except ValueError as error:  # tomllib's and pydantic-settings' own errors are ValueErrors
        raise SettingsError(f"{path} can't be read: {error}", hint="It has to be valid TOML.") from error


def _describe(item: object) -> str:
    """One line for one error of pydantic: the key as written in TOML, then what is wrong."""
    assert isinstance(item, dict)  # noqa: S101 - pydantic's ErrorDetails
    key = ".".join(str(part) for part in item["loc"]) or "(whole file)"
    if item["type"] == "extra_forbidden":
        return f"  {key}: unknown key"
    return f"  {key}: {item['msg'].removeprefix('Value error, ')} (got {item['input']!r})"
