"""Least privilege of the project's own roles, generated from the settings and the compiled definitions.

A permission is granted because a step of a definition needs it: its type, the script that it runs, the network that it
runs in. ``Resource: "*"`` is used only where AWS has no resource level; each such line says so.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pipeline.deploy.engine.policy import allow, document
from pipeline.deploy.permissions.publishing import measuring, publishing
from pipeline.deploy.permissions.requirements import Requirements
from pipeline.deploy.permissions.stack_arns import StackArns
from pipeline.settings.contract import Flow
from pipeline.settings.environment import Settings

#: Kind of step → resource type of the job, the word in its actions, the log group.
_JOBS = {
    "Processing": ("processing-job", "ProcessingJob", "ProcessingJobs"),
    "Training": ("training-job", "TrainingJob", "TrainingJobs"),
    "Transform": ("transform-job", "TransformJob", "TransformJobs"),
    "Tuning": ("hyper-parameter-tuning-job", "HyperParameterTuningJob", "TrainingJobs"),
}
#: Steps that check data or a model do it in a processing job.
_JOBS_OF = {"ClarifyCheck": "Processing", "QualityCheck": "Processing"}


def execution_policy(settings: Settings, definitions: Mapping[Flow, str]) -> dict[str, Any]:
    """Return what the pipelines and their jobs may do, given the compiled definitions that run under the role."""
    used = Requirements.of(definitions.values(), settings.region)
    return document(
        [
            *_data(settings, used),
            *_steps(settings, used),
            *_own_scripts(settings, used),
            *offline_store(settings),
            *_called(settings, used),
            *(_containers(settings, used) if _kinds(used) & _JOBS.keys() else []),
            *(_experiments(settings, definitions) if used.experiments else []),
            *own_key(settings),
            *bucket_keys(settings),
            *(_network(settings) if settings.network.subnets else []),
        ]
    )


def _data(settings: Settings, used: Requirements) -> Iterator[dict[str, Any]]:
    raw = settings.bucket_arn(settings.raw_bucket)
    # Ingestion looks whether the version is still the newest. What ClaimInput has copied is read by its answer's URIs.
    yield allow("s3:GetObject", [f"{raw}/*", f"{settings.bucket_arn(settings.artifacts_bucket)}/inputs/*"])
    # What is published is never read again.
    locations = {location for location in used.locations if location.bucket != settings.predictions_bucket}
    written = {f"{settings.bucket_arn(place.bucket)}/{place.keys}" for place in used.locations if place.written}
    read = {f"{settings.bucket_arn(location.bucket)}/{location.keys}" for location in locations}
    if read:
        yield allow("s3:GetObject", read)
    if written:
        yield allow("s3:PutObject", written)
    # Without it S3 answers "forbidden" for an object that is gone.
    yield allow("s3:ListBucket", {raw, *(settings.bucket_arn(location.bucket) for location in locations)})


def _kinds(used: Requirements) -> frozenset[str]:
    """Return the kinds of jobs and models that steps create."""
    return frozenset(_JOBS_OF.get(step_type, step_type) for step_type in used.step_types)


def _steps(settings: Settings, used: Requirements) -> Iterator[dict[str, Any]]:
    kinds = _kinds(used)
    # SageMaker Pipelines names jobs pipelines-<execution id>-<step>-<suffix>.
    for step_type, (kind, job, _) in _JOBS.items():
        if step_type in kinds:
            jobs = settings.arn("sagemaker", f"{kind}/pipelines-*")
            listing = f" ListTrainingJobsFor{job}" if step_type == "Tuning" else ""
            yield allow(f"sagemaker:AddTags Create{job} Describe{job} Stop{job}{listing}", [jobs])
    if "Model" in kinds:
        yield allow("sagemaker:AddTags CreateModel DescribeModel", [settings.arn("sagemaker", "model/pipelines-*")])
    if kinds & {*_JOBS, "Model"}:
        yield passing(settings)
    if "RegisterModel" in used.step_types:
        arns = StackArns(settings)
        yield allow("sagemaker:CreateModelPackage", [arns.model_versions, arns.model_group])
        yield allow("sagemaker:DescribeModelPackage", [arns.model_versions])


def passing(settings: Settings) -> dict[str, Any]:
    """Return what creating jobs and models takes, which run under the execution role as well."""
    to_sagemaker = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    return allow("iam:PassRole", [settings.role_arn(settings.execution_role_name)], Condition=to_sagemaker)


def _own_scripts(settings: Settings, used: Requirements) -> Iterator[dict[str, Any]]:
    arns = StackArns(settings)
    if "ingest_features.py" in used.scripts:
        yield allow("sagemaker:PutRecord BatchWriteRecord", arns.feature_groups)
    if "publish.py" in used.scripts:
        yield from publishing(settings)
    if "score_predictions.py" in used.scripts:
        yield from measuring(settings)
    # Evaluation compares with the version in use.
    if "evaluate.py" in used.scripts:
        yield allow("sagemaker:DescribeModelPackage ListModelPackages", [arns.model_versions])


def offline_store(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield what the Feature Store does as the role of its groups: see AmazonSageMakerFeatureStoreAccess, AWS's policy.

    That one is for every bucket with "sagemaker" in its name, and for the tables of all groups.
    """
    arns = StackArns(settings)
    if settings.features.offline_store:
        yield allow("s3:GetObject PutObject PutObjectAcl", [arns.offline_objects])
        yield allow("s3:GetBucketAcl ListBucket", [arns.artifacts])
        yield allow("glue:GetTable UpdateTable", arns.offline_tables)


def _called(settings: Settings, used: Requirements) -> Iterator[dict[str, Any]]:
    """Yield what steps call (functions, queues), and what they create under a name of their own."""
    if used.functions:
        yield allow("lambda:InvokeFunction", used.functions)
    if used.queues:
        yield allow("sqs:SendMessage", used.queues)
    if "EndpointConfig" in used.step_types:
        names = used.endpoint_configurations or {"pipelines-*"}
        yield allow(
            "sagemaker:AddTags CreateEndpointConfig DescribeEndpointConfig",
            [settings.arn("sagemaker", f"endpoint-config/{name}") for name in names],
        )


def _containers(settings: Settings, used: Requirements) -> Iterator[dict[str, Any]]:
    """Yield what every job's machine does: pull the image, write logs and metrics."""
    groups = {_JOBS[kind][2] for kind in _kinds(used) & _JOBS.keys()}
    yield allow(
        "logs:CreateLogGroup CreateLogStream DescribeLogStreams PutLogEvents",
        [settings.arn("logs", f"log-group:/aws/sagemaker/{group}:*") for group in groups],
    )
    yield from machines(used.repositories)


def machines(repositories: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield what the machines of jobs do besides writing logs."""
    # PutMetricData and GetAuthorizationToken have no resource level in AWS.
    of_sagemaker = {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}
    yield allow("cloudwatch:PutMetricData", ["*"], Condition=of_sagemaker)
    yield allow("ecr:GetAuthorizationToken", ["*"])
    if repositories:
        yield allow("ecr:BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer", repositories)


def _experiments(settings: Settings, definitions: Mapping[Flow, str]) -> Iterator[dict[str, Any]]:
    """Yield what it takes to keep each execution as a trial of an experiment that is named as the pipeline."""
    experiments = [settings.arn("sagemaker", f"experiment/{settings.pipeline_name(flow)}") for flow in definitions]
    # The names of trials and their components hold execution and job ids.
    trials = settings.arn("sagemaker", "experiment-trial/*")
    components = settings.arn("sagemaker", "experiment-trial-component/*")
    yield allow("sagemaker:AddTags CreateExperiment DescribeExperiment", experiments)
    yield allow("sagemaker:AddTags AssociateTrialComponent DescribeTrial", [trials])
    yield allow("sagemaker:CreateTrial", [trials, *experiments])
    yield allow(
        "sagemaker:AddTags AssociateTrialComponent CreateTrialComponent DescribeTrialComponent UpdateTrialComponent",
        [components],
    )


def own_key(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the use that jobs make of the environment's key."""
    if (key := settings.kms_key) is None:
        return
    resource, condition = key_resource(settings, key)
    # A job whose output key is not given as the key's ARN encrypts with it as well (OutputDataConfig, API reference).
    encrypt = "" if condition == {} and key == resource else "Encrypt"
    yield allow(f"kms:Decrypt DescribeKey GenerateDataKey {encrypt}", [resource], **condition)
    # Volumes are encrypted by way of a grant, which only an AWS service may be given.
    only_services = {**condition.get("Condition", {}), "Bool": {"kms:GrantIsForAWSResource": "true"}}
    yield allow("kms:CreateGrant", [resource], Condition=only_services)


def bucket_keys(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield what reading and writing buckets takes that their owners encrypt with keys of their own."""
    for key in settings.buckets.kms_keys:
        resource, condition = key_resource(settings, key)
        yield allow("kms:Decrypt GenerateDataKey", [resource], **condition)


def key_resource(settings: Settings, key: str) -> tuple[str, dict[str, Any]]:
    """Return the ARN for a policy, and the condition that it needs.

    IAM takes no alias as the resource of a cryptographic call: there the resource is every key of the account, and the
    condition names the alias.
    """
    if key.startswith("arn:") and ":key/" in key:
        return key, {}
    if not key.startswith("arn:") and not key.startswith("alias/"):
        return settings.arn("kms", f"key/{key}"), {}
    alias = key[key.index("alias/") :]
    return settings.arn("kms", "key/*"), {"Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}}}


def _network(settings: Settings) -> Iterator[dict[str, Any]]:
    # EC2's describe calls have no resource level; creating interfaces is tied to the configured subnets.
    yield allow(
        "ec2:DescribeDhcpOptions DescribeNetworkInterfaces DescribeSecurityGroups DescribeSubnets DescribeVpcs", ["*"]
    )
    interfaces = settings.arn("ec2", "network-interface/*")
    subnets = [settings.arn("ec2", f"subnet/{subnet}") for subnet in settings.network.subnets]
    groups = [settings.arn("ec2", f"security-group/{group}") for group in settings.network.security_groups]
    yield allow("ec2:CreateNetworkInterface", [interfaces, *subnets, *groups])
    yield allow(
        "ec2:CreateNetworkInterfacePermission DeleteNetworkInterface DeleteNetworkInterfacePermission", [interfaces]
    )


def events_policy(settings: Settings, flows: Iterable[Flow]) -> dict[str, Any]:
    """Return what EventBridge may do: start the pipelines, nothing else."""
    pipelines = [settings.pipeline_arn(settings.pipeline_name(flow)) for flow in flows]
    return document([allow("sagemaker:StartPipelineExecution", pipelines)])


def scheduler_policy(settings: Settings) -> dict[str, Any]:
    """Return what EventBridge Scheduler may do: start the training pipeline, and send what it could not start."""
    return document(
        [
            allow("sagemaker:StartPipelineExecution", [settings.pipeline_arn(settings.training_pipeline_name)]),
            allow("sqs:SendMessage", [StackArns(settings).queue]),
            *_queue_key(settings),
        ]
    )


def _queue_key(settings: Settings) -> Iterator[dict[str, Any]]:
    if settings.kms_key is not None:
        resource, condition = key_resource(settings, settings.kms_key)
        yield allow("kms:Decrypt GenerateDataKey", [resource], **condition)
