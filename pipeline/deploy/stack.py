"""Which resources an environment has, in the order in which they can be made."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.definition.bundle import Bundle
from pipeline.definition.features import EVENT_TIME, RECORD_IDENTIFIER, stored_features
from pipeline.deploy.engine.resource import Resource
from pipeline.deploy.permissions.policies import events_policy, execution_policy
from pipeline.deploy.resources.buckets import Bucket
from pipeline.deploy.resources.catalog import Database, PredictionTable
from pipeline.deploy.resources.code import Code
from pipeline.deploy.resources.feature_groups import FeatureGroup
from pipeline.deploy.resources.log_groups import LogGroup
from pipeline.deploy.resources.model_package_groups import ModelPackageGroup
from pipeline.deploy.resources.pipelines import Pipeline
from pipeline.deploy.resources.queues import Queue
from pipeline.deploy.resources.roles import Role
from pipeline.deploy.resources.rules import Rule, failure_rule, upload_rule
from pipeline.deploy.resources.topics import Topic
from pipeline.settings.contract import Flow
from pipeline.settings.environment import Settings

#: The pipelines that are deployed; each has a definition, a rule and a folder under ``raw/``.
FLOWS: tuple[Flow, ...] = ("training", "scoring")

#: Enough of a definition to know what a pipeline is called, for removing it.
NO_STEPS = '{"Version": "2020-12-01", "Steps": []}'

JOB_LOG_GROUPS = ("ProcessingJobs", "TrainingJobs", "TransformJobs")

#: Pipeline parameter → where it stands in S3's "Object Created" event.
TRIGGER_PARAMETERS = {
    "InputBucket": "$.detail.bucket.name",
    "InputKey": "$.detail.object.key",
    "InputETag": "$.detail.object.etag",
}


def key_pattern(flow: Flow) -> str:
    """EventBridge wildcard for the objects that start a pipeline."""
    return f"raw/{flow}/*.csv"


def resources(settings: Settings, bundle: Bundle, definitions: Mapping[Flow, str]) -> list[Resource]:
    """Every resource of one environment; what another needs stands before it, and triggers stand last.

    Args:
        settings: of the environment.
        bundle: packed code that the definitions refer to.
        definitions: compiled pipeline of each flow.
    """
    return [
        *_buckets(settings),
        *_roles(settings, definitions),
        *_stores(settings),
        *_receivers(settings, definitions),
        Code(bucket=settings.artifacts_bucket, bundle=bundle),
        *(_pipeline(settings, flow, definition) for flow, definition in definitions.items()),
        # After the pipelines, so that removing them still finds whose executions' logs are in them.
        *_log_groups(settings),
        failure_rule(
            settings.alarm_rule_name,
            pipeline_arns=[settings.pipeline_arn(settings.pipeline_name(flow)) for flow in definitions],
            topic_arn=settings.arn("sns", settings.alarm_topic_name),
            region=settings.region,
            dead_letters=settings.arn("sqs", settings.dead_letter_queue_name),
            tags=settings.resource_tags(),
            # Not settings.options: a path would be another on each machine that deploys.
            options=f"--env {settings.environment}",
        ),
        *(_trigger(settings, flow) for flow in definitions),
    ]


def resources_to_remove(settings: Settings, bundle: Bundle) -> list[Resource]:
    """The same resources by name, for which no definition has to be compiled."""
    return resources(settings, bundle, dict.fromkeys(FLOWS, NO_STEPS))


def _buckets(settings: Settings) -> list[Resource]:
    own = settings.buckets
    named = [
        (settings.raw_bucket, own.raw, True),
        (settings.artifacts_bucket, own.artifacts, False),
        (settings.predictions_bucket, own.predictions, False),
    ]
    return [
        Bucket(
            name=name,
            region=settings.region,
            kms_key=settings.kms_key,
            events=events,
            tags=settings.resource_tags(),
            existing=configured is not None,
        )
        for name, configured, events in named
    ]


def _roles(settings: Settings, definitions: Mapping[Flow, str]) -> list[Resource]:
    return [
        Role(
            name=settings.execution_role_name,
            service="sagemaker.amazonaws.com",
            source_account=settings.account_id,
            policy=execution_policy(settings, definitions),
            tags=settings.resource_tags(),
        ),
        Role(
            name=settings.events_role_name,
            service="events.amazonaws.com",
            source_account=settings.account_id,
            policy=events_policy(settings, definitions),
            tags=settings.resource_tags(),
        ),
    ]


def _stores(settings: Settings) -> list[Resource]:
    """Where features, models and predictions go."""
    tags = settings.resource_tags()
    return [
        FeatureGroup(
            name=settings.feature_group_name,
            record_identifier=RECORD_IDENTIFIER,
            event_time=EVENT_TIME,
            features=stored_features(),
            role_arn=settings.role_arn(settings.execution_role_name),
            kms_key=settings.kms_key,
            tags=tags,
            time_to_live_days=settings.features.time_to_live_days,
        ),
        ModelPackageGroup(
            name=settings.model_package_group_name,
            description="Linear regression of daily bike rentals",
            tags=tags,
        ),
        Database(
            name=settings.database_name,
            arn=settings.arn("glue", f"database/{settings.database_name}"),
            description="Predicted bike rentals",
            tags=tags,
        ),
        PredictionTable(database=settings.database_name, bucket=settings.predictions_bucket),
    ]


def _log_groups(settings: Settings) -> list[Resource]:
    return [
        LogGroup(
            name=f"/aws/sagemaker/{group}",
            retention_days=settings.running.log_retention_days,
            tags=settings.resource_tags(),
            pipelines=settings.pipeline_names,
            # One of somebody else may hold the runs of other environments.
            runs_bucket=None if settings.buckets.artifacts else settings.artifacts_bucket,
        )
        for group in JOB_LOG_GROUPS
    ]


def _receivers(settings: Settings, definitions: Mapping[Flow, str]) -> list[Resource]:
    """Where undelivered events and alarms go."""
    alarm = settings.rule_arn(settings.alarm_rule_name)
    return [
        Queue(
            name=settings.dead_letter_queue_name,
            arn=settings.arn("sqs", settings.dead_letter_queue_name),
            senders=(alarm, *(settings.rule_arn(settings.rule_name(flow)) for flow in definitions)),
            kms_key=settings.kms_key,
            tags=settings.resource_tags(),
        ),
        Topic(
            name=settings.alarm_topic_name,
            arn=settings.arn("sns", settings.alarm_topic_name),
            emails=settings.alarms.emails,
            kms_key=settings.kms_key,
            tags=settings.resource_tags(),
        ),
    ]


def _pipeline(settings: Settings, flow: Flow, definition: str) -> Pipeline:
    name = settings.pipeline_name(flow)
    return Pipeline(
        name=name,
        arn=settings.pipeline_arn(name),
        role_arn=settings.role_arn(settings.execution_role_name),
        definition=definition,
        artifacts_bucket=settings.artifacts_bucket,
        max_parallel_steps=settings.running.max_parallel_steps,
        tags=settings.resource_tags(),
    )


def _trigger(settings: Settings, flow: Flow) -> Rule:
    return upload_rule(
        settings.rule_name(flow),
        bucket=settings.raw_bucket,
        key_pattern=key_pattern(flow),
        pipeline_arn=settings.pipeline_arn(settings.pipeline_name(flow)),
        role_arn=settings.role_arn(settings.events_role_name),
        parameters=TRIGGER_PARAMETERS,
        dead_letters=settings.arn("sqs", settings.dead_letter_queue_name),
        tags=settings.resource_tags(),
    )
