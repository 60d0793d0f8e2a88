"""Which resources an environment has, in the order in which they can be made."""

from __future__ import annotations

from pipeline.bundle import Bundle
from pipeline.deploy.buckets import Bucket
from pipeline.deploy.code import Code
from pipeline.deploy.feature_groups import FeatureGroup
from pipeline.deploy.pipelines import Pipeline
from pipeline.deploy.policies import events_policy, execution_policy
from pipeline.deploy.registry import ModelPackageGroup
from pipeline.deploy.resource import Resource
from pipeline.deploy.roles import Role
from pipeline.deploy.rules import UploadRule
from pipeline.features import EVENT_TIME, RECORD_IDENTIFIER, stored_features
from pipeline.settings import Settings

TRAINING_KEYS = "raw/training/*.csv"

#: Pipeline parameter → where it stands in S3's "Object Created" event.
TRIGGER_PARAMETERS = {
    "InputBucket": "$.detail.bucket.name",
    "InputKey": "$.detail.object.key",
    "InputETag": "$.detail.object.etag",
}


def resources(settings: Settings, bundle: Bundle, training_definition: str) -> list[Resource]:
    """Every resource of one environment; what another needs stands before it, and triggers stand last.

    Args:
        settings: of the environment.
        bundle: packed code that the definition refers to.
        training_definition: compiled training pipeline.
    """
    tags = settings.resource_tags()
    execution_role = settings.role_arn(settings.execution_role_name)

    def bucket(name: str, *, events: bool = False) -> Bucket:
        return Bucket(name=name, region=settings.region, kms_key=settings.kms_key, events=events, tags=tags)

    return [
        bucket(settings.raw_bucket, events=True),
        bucket(settings.artifacts_bucket),
        bucket(settings.predictions_bucket),
        Role(
            name=settings.execution_role_name,
            service="sagemaker.amazonaws.com",
            source_account=settings.account_id,
            policy=execution_policy(settings, [training_definition]),
            tags=tags,
        ),
        Role(
            name=settings.events_role_name,
            service="events.amazonaws.com",
            source_account=settings.account_id,
            policy=events_policy(settings),
            tags=tags,
        ),
        FeatureGroup(
            name=settings.feature_group_name,
            record_identifier=RECORD_IDENTIFIER,
            event_time=EVENT_TIME,
            features=stored_features(),
            role_arn=execution_role,
            kms_key=settings.kms_key,
            tags=tags,
        ),
        ModelPackageGroup(
            name=settings.model_package_group_name,
            description="Linear regression of daily bike rentals",
            tags=tags,
        ),
        Code(bucket=settings.artifacts_bucket, bundle=bundle),
        Pipeline(
            name=settings.training_pipeline_name,
            arn=settings.pipeline_arn(settings.training_pipeline_name),
            role_arn=execution_role,
            definition=training_definition,
            artifacts_bucket=settings.artifacts_bucket,
            max_parallel_steps=settings.running.max_parallel_steps,
            tags=tags,
        ),
        UploadRule(
            name=settings.training_rule_name,
            bucket=settings.raw_bucket,
            key_pattern=TRAINING_KEYS,
            pipeline_arn=settings.pipeline_arn(settings.training_pipeline_name),
            role_arn=settings.role_arn(settings.events_role_name),
            parameters=TRIGGER_PARAMETERS,
            tags=tags,
        ),
    ]
