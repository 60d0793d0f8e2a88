"""Which resources an environment has, in the order in which they can be created."""

from collections.abc import Mapping
from dataclasses import replace

from pipeline.definition.bundle import Bundle
from pipeline.deploy.engine.resource import Resource
from pipeline.deploy.permissions.execution import events_policy, execution_policy, scheduler_policy
from pipeline.deploy.permissions.functions import function_policy
from pipeline.deploy.resources.alarms import coverage_alarm
from pipeline.deploy.resources.buckets import Bucket
from pipeline.deploy.resources.catalog import Database
from pipeline.deploy.resources.code import Code
from pipeline.deploy.resources.feature_groups import feature_groups
from pipeline.deploy.resources.functions import functions, log_group_of
from pipeline.deploy.resources.lifecycle import expiry, unfinished_uploads
from pipeline.deploy.resources.log_groups import FunctionLogGroup, LogGroup
from pipeline.deploy.resources.model_package_groups import ModelPackageGroup
from pipeline.deploy.resources.pipelines import Pipeline
from pipeline.deploy.resources.prediction_tables import prediction_tables
from pipeline.deploy.resources.queues import Queue
from pipeline.deploy.resources.realised_tables import realised_tables
from pipeline.deploy.resources.roles import Role
from pipeline.deploy.resources.rules import failure_rule, follow_rule, sweep_rule, upload_rule
from pipeline.deploy.resources.schedules import training_schedule
from pipeline.deploy.resources.topics import Topic
from pipeline.deploy.resources.wheels import Wheels
from pipeline.settings.contract import FLOWS, JOB_LOG_GROUPS, Flow, Function
from pipeline.settings.environment import Settings

#: Enough of a definition to know what a pipeline is called, for removing it.
NO_STEPS = '{"Version": "2020-12-01", "Steps": []}'


def resources(
    settings: Settings, bundle: Bundle, definitions: Mapping[Flow, str], *, former: bool = False
) -> list[Resource]:
    """Return every resource of one environment; each comes after what it needs, and triggers come last.

    With ``former`` also what other settings would have made, under a name that is always the same.
    """
    found = [
        *_buckets(settings),
        *_roles(settings, definitions),
        *([_scheduler_role(settings)] if settings.schedule.expression or former else []),
        *_stores(settings),
        *_receivers(settings, definitions),
        Code(bundle.prefix, bucket=settings.artifacts_bucket, bundle=bundle),
        *([Wheels(bundle.lock.prefix, settings.artifacts_bucket, bundle.lock)] if bundle.lock.pins else []),
        *_function_log_groups(settings),
        *functions(settings, bundle.functions, bundle.functions_key),
        *(_pipeline(settings, flow, definition) for flow, definition in definitions.items()),
        # After the pipelines, so that these still exist when the logs of their executions are removed.
        *_log_groups(settings),
        failure_rule(settings, definitions),
        sweep_rule(settings),
        follow_rule(settings),
        training_schedule(settings),
        *(upload_rule(settings, flow) for flow in definitions),
    ]
    return [replace(resource, tags=settings.resource_tags()) for resource in found]


def resources_to_remove(settings: Settings, bundle: Bundle) -> list[Resource]:
    """Return the same resources by name, for which no definition has to be compiled."""
    return resources(settings, bundle, dict.fromkeys(FLOWS, NO_STEPS), former=True)


def _buckets(settings: Settings) -> list[Resource]:
    own, kept = settings.buckets, settings.retention
    lock = (kept.raw_lock.mode, kept.raw_lock.days) if kept.raw_lock else None
    expiring = tuple(
        expiry(f"{settings.prefix}-{folder}", f"{folder}/", kept.run_days) for folder in ("inputs", "runs")
    )
    uploads = unfinished_uploads(f"{settings.prefix}-unfinished-uploads")
    raw = Bucket(settings.raw_bucket, settings.region, settings.kms_key, events=True, rules=(uploads,), lock=lock)
    artifacts = replace(raw, name=settings.artifacts_bucket, events=False, rules=(*expiring, uploads), lock=None)
    predictions = replace(artifacts, name=settings.predictions_bucket, rules=(uploads,))
    return [
        replace(bucket, existing=configured is not None)
        for bucket, configured in ((raw, own.raw), (artifacts, own.artifacts), (predictions, own.predictions))
    ]


def _roles(settings: Settings, definitions: Mapping[Flow, str]) -> list[Resource]:
    of_sagemaker = (settings.arn("sagemaker", "*"),)
    rules = tuple(settings.rule_arn(settings.rule_name(flow)) for flow in definitions)
    execution, events = execution_policy(settings, definitions), events_policy(settings, definitions)
    named = [
        (settings.execution_role_name, "sagemaker.amazonaws.com", execution, of_sagemaker),
        (settings.events_role_name, "events.amazonaws.com", events, rules),
        *(
            (settings.function_name(one), "lambda.amazonaws.com", function_policy(settings, one), (arn, f"{arn}:*"))
            for one in Function
            for arn in [settings.function_arn(one)]
        ),
    ]
    return [
        Role(name, service, settings.account_id, policy, source_arns=sources, boundary=settings.boundary_arn)
        for name, service, policy, sources in named
    ]


def _scheduler_role(settings: Settings) -> Role:
    # Scheduler names the group of a schedule, never the schedule ("Confused deputy prevention" in its user guide).
    return Role(
        settings.scheduler_role_name,
        "scheduler.amazonaws.com",
        settings.account_id,
        scheduler_policy(settings),
        source_arns=(settings.schedule_group_arn,),
        boundary=settings.boundary_arn,
    )


def _stores(settings: Settings) -> list[Resource]:
    """Return where features, models and predictions go."""
    database, target = settings.database_name, settings.declared.words.target
    return [
        *feature_groups(settings),
        ModelPackageGroup(settings.model_package_group_name, f"Linear regression of {target}"),
        Database(database, arn=settings.arn("glue", f"database/{database}"), description=f"Predicted {target}"),
        *prediction_tables(settings),
        *realised_tables(settings),
    ]


def _receivers(settings: Settings, definitions: Mapping[Flow, str]) -> list[Resource]:
    """Return where undelivered events and alarms go."""
    wanted = settings.quality.coverage_alarm is not None
    alarms = [settings.arn("cloudwatch", f"alarm:{settings.coverage_alarm_name(flow)}") for flow in FLOWS if wanted]
    own = [settings.alarm_rule_name, settings.sweep_rule_name, settings.follow_rule_name]
    rules = [*own, *(settings.rule_name(flow) for flow in definitions)]
    return [
        Queue(
            settings.dead_letter_queue_name,
            arn=settings.arn("sqs", settings.dead_letter_queue_name),
            senders=tuple(settings.rule_arn(name) for name in rules),
            kms_key=settings.kms_key,
        ),
        Topic(
            settings.alarm_topic_name,
            arn=settings.arn("sns", settings.alarm_topic_name),
            emails=settings.alarms.emails,
            kms_key=settings.kms_key,
            alarms=tuple(alarms),
        ),
        *(coverage_alarm(settings, flow) for flow in FLOWS),
    ]


def _pipeline(settings: Settings, flow: Flow, definition: str) -> Pipeline:
    name = settings.pipeline_name(flow)
    return Pipeline(
        name,
        arn=settings.pipeline_arn(name),
        role_arn=settings.role_arn(settings.execution_role_name),
        definition=definition,
        artifacts_bucket=settings.artifacts_bucket,
        max_parallel_steps=settings.running.max_parallel_steps,
    )


def _function_log_groups(settings: Settings) -> list[Resource]:
    """Return where functions log; a function that is called before its group exists makes one that keeps all."""
    days = settings.running.log_retention_days
    return [FunctionLogGroup(log_group_of(settings, function), retention_days=days) for function in Function]


def _log_groups(settings: Settings) -> list[Resource]:
    return [
        LogGroup(
            name,
            retention_days=settings.running.log_retention_days,
            pipelines=settings.pipeline_names,
            # A bucket of somebody else may hold the runs of other environments.
            runs_bucket=None if settings.buckets.artifacts else settings.artifacts_bucket,
        )
        for name in JOB_LOG_GROUPS
    ]
