"""ARNs of what the stack is made of, for policies of those who work with it."""

from __future__ import annotations

from pipeline.deploy.stack import FLOWS, JOB_LOG_GROUPS
from pipeline.settings.environment import Settings


def buckets(settings: Settings) -> list[str]:
    """The three buckets."""
    names = (settings.raw_bucket, settings.artifacts_bucket, settings.predictions_bucket)
    return [settings.bucket_arn(name) for name in names]


def roles(settings: Settings) -> list[str]:
    """The execution role and EventBridge's."""
    return [settings.role_arn(settings.execution_role_name), settings.role_arn(settings.events_role_name)]


def rules(settings: Settings) -> list[str]:
    """The alarm's rule and the triggers."""
    names = [settings.alarm_rule_name, *(settings.rule_name(flow) for flow in FLOWS)]
    return [settings.rule_arn(name) for name in names]


def pipelines(settings: Settings) -> list[str]:
    """Both pipelines."""
    return [settings.pipeline_arn(settings.pipeline_name(flow)) for flow in FLOWS]


def database(settings: Settings) -> str:
    """The database of the predictions."""
    return settings.arn("glue", f"database/{settings.database_name}")


def catalog(settings: Settings) -> list[str]:
    """The database with what it stands in: Glue asks for both."""
    return [settings.arn("glue", "catalog"), database(settings)]


def tables(settings: Settings) -> list[str]:
    """The database's tables with what they stand in."""
    return [*catalog(settings), settings.arn("glue", f"table/{settings.database_name}/*")]


def log_groups(settings: Settings) -> list[str]:
    """The jobs' log groups, in both forms that actions take."""
    groups = [settings.arn("logs", f"log-group:/aws/sagemaker/{group}") for group in JOB_LOG_GROUPS]
    return [*groups, *(f"{group}:*" for group in groups)]


def feature_group(settings: Settings) -> str:
    """The feature group."""
    return settings.arn("sagemaker", f"feature-group/{settings.feature_group_name}")


def model_group(settings: Settings) -> str:
    """The model package group."""
    return settings.arn("sagemaker", f"model-package-group/{settings.model_package_group_name}")


def queue(settings: Settings) -> str:
    """The dead-letter queue."""
    return settings.arn("sqs", settings.dead_letter_queue_name)


def topic(settings: Settings) -> str:
    """The alarm topic."""
    return settings.arn("sns", settings.alarm_topic_name)


def executions(settings: Settings) -> list[str]:
    """Every execution of both pipelines."""
    return [f"{arn}/execution/*" for arn in pipelines(settings)]


def model_versions(settings: Settings) -> str:
    """Every version in the model package group."""
    return settings.arn("sagemaker", f"model-package/{settings.model_package_group_name}/*")
