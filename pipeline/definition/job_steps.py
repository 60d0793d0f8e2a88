"""One function a kind of job: what runs, on what, with which inputs and outputs.

Each takes the pipeline's context, the step's name and the description that the console shows; ``script`` is a file name
in ``steps/``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import (
    Channel,
    DataSource,
    MetricDefinition,
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    S3DataSource,
    StoppingCondition,
    Tag,
)
from sagemaker.core.training.configs import Compute
from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.functions import JsonGet
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.steps import ProcessingStep, Step, TrainingStep, TransformStep
from sagemaker.train.model_trainer import ModelTrainer

from pipeline.definition.bundle import LAUNCHER_NAME
from pipeline.definition.context import StepContext, Value
from pipeline.settings.contract import JobStep

INPUT_ROOT = "/opt/ml/processing/input"
OUTPUT_ROOT = "/opt/ml/processing/output"
#: Where the channels of a training job are.
CHANNEL_ROOT = "/opt/ml/input/data"
_CODE = "code"
_MAX_TRANSFORM_TIMEOUT_SECONDS = 3600


def processing_step(
    context: StepContext,
    name: JobStep,
    script: str,
    *,
    description: str,
    arguments: Mapping[str, Value],
    inputs: Mapping[str, Value] | None = None,
    outputs: Sequence[str] = (),
    report: str | None = None,
    texts: Sequence[str] = (),
    kept: str | None = None,
    cached: bool = False,
    depends_on: Sequence[Step] = (),
) -> ProcessingStep:
    """Create a step whose processing job runs one script of ``steps/``.

    Args:
        arguments: become ``--name value``; at most 256 characters each (a limit of CreateProcessingJob).
        inputs: name → S3 URI; mounted at ``/opt/ml/processing/input/<name>``.
        outputs: names; ``/opt/ml/processing/output/<name>`` goes to where ``run_uri`` says.
        report: one more output, with ``<report>.json`` in it, for :func:`report_value`.
        texts: names of further JSON files in that output, likewise.
        kept: one more output, uploaded as it is written: what a job that fails has written is kept, too.
        cached: whether an earlier execution with the same arguments may stand in; only for pure functions.
        depends_on: steps that have to succeed before, beside those whose results it reads.
    """
    settings = context.settings
    network = settings.network
    instances = settings.instances.of(name)
    processor = Processor(
        role=context.role,
        image_uri=context.image_uri,
        instance_count=instances.count,
        instance_type=instances.type or context.processing_instance_type,
        entrypoint=_entrypoint(INPUT_ROOT, script),
        volume_size_in_gb=instances.volume_size_gib,
        volume_kms_key=settings.kms_key,
        output_kms_key=settings.kms_key,
        max_runtime_in_seconds=settings.running.step_timeout_seconds,
        sagemaker_session=context.session,
        env={"AWS_DEFAULT_REGION": settings.region},
        tags=context.tags(),
        network_config=NetworkConfig(
            enable_network_isolation=context.is_isolated(name) or None,
            security_group_ids=list(network.security_groups) or None,
            subnets=list(network.subnets) or None,
            encrypt_inter_container_traffic=network.encrypt_inter_container_traffic or None,
        ),
    )
    step_args = processor.run(
        inputs=[
            ProcessingInput(
                input_name=input_name,
                s3_input=ProcessingS3Input(
                    s3_uri=uri,
                    local_path=f"{INPUT_ROOT}/{input_name}",
                    s3_data_type="S3Prefix",
                    s3_input_mode="File",
                ),
            )
            for input_name, uri in {_CODE: f"{context.code_uri}/", **context.wheels, **(inputs or {})}.items()
        ],
        outputs=[
            ProcessingOutput(
                output_name=output,
                s3_output=ProcessingS3Output(
                    s3_uri=context.run_uri(name, output),
                    local_path=f"{OUTPUT_ROOT}/{output}",
                    s3_upload_mode="Continuous" if output == kept else "EndOfJob",
                ),
            )
            for output in [*outputs, *filter(None, (report, kept))]
        ],
        arguments=_words(arguments),
        # Without a name the SDK makes one from the clock; a pipeline drops it again.
        job_name=name,
        wait=False,
        logs=False,
    )
    return ProcessingStep(
        name=name,
        description=description,
        step_args=step_args,
        property_files=[
            PropertyFile(file.capitalize(), output_name=report, path=f"{file}.json") for file in (report, *texts)
        ]
        if report
        else [],
        cache_config=context.cache if cached else None,
        depends_on=list(depends_on),
        retry_policies=context.job_retries(),
    )


def _entrypoint(inputs: str, script: str) -> list[str]:
    return ["/bin/bash", f"{inputs}/{_CODE}/{LAUNCHER_NAME}", script]


def _words(arguments: Mapping[str, Value]) -> list[Value]:
    return [word for option, value in arguments.items() for word in (f"--{option}", value)]


def output_uri(step: ProcessingStep, output: str) -> Value:
    """Return the S3 URI of a processing step's output, right also where the step came from the cache."""
    return step.properties.ProcessingOutputConfig.Outputs[output].S3Output.S3Uri


def report_value(step: ProcessingStep, path: str, file: int = 0) -> JsonGet:
    """Return the pipeline variable for a path in a processing step's report, or in a later one of its files."""
    return JsonGet(step_name=step.name, property_file=step.property_files[file], json_path=path)


def training_step(
    context: StepContext,
    name: JobStep,
    script: str,
    *,
    description: str,
    arguments: Mapping[str, Value],
    channels: Mapping[str, Value],
    metrics: Mapping[str, str],
) -> TrainingStep:
    """Create a step whose training job runs one script of ``steps/``, started as in a processing job.

    So it does not matter which ``train`` program the image has, and the failure reason is always the script's own.

    Args:
        arguments: become ``--name value``; at most 256 characters each (a limit of CreateTrainingJob).
        channels: channel name → S3 URI.
        metrics: metric name → regular expression with one group, looked for in the log.
    """
    settings = context.settings
    instances = settings.instances.of(name)
    trainer = ModelTrainer(
        role=context.role,
        sagemaker_session=context.session,
        base_job_name=name,
        training_image=context.image_uri,
        compute=Compute(
            instance_type=instances.type or context.training_instance_type,
            instance_count=instances.count,
            volume_size_in_gb=instances.volume_size_gib,
            volume_kms_key_id=settings.kms_key,
            keep_alive_period_in_seconds=settings.instances.warm_pool_seconds or None,
        ),
        networking=context.networking(
            encrypted=settings.network.encrypt_inter_container_traffic, isolated=context.is_isolated(name) or None
        ),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=settings.running.step_timeout_seconds),
        output_data_config=OutputDataConfig(s3_output_path=context.run_uri(name), kms_key_id=settings.kms_key),
        environment={"AWS_DEFAULT_REGION": settings.region, "CODE_SHA256": context.bundle.sha256},
        tags=[Tag(key=tag["Key"], value=tag["Value"]) for tag in context.tags()],
    ).with_metric_definitions([MetricDefinition(name=key, regex=regex) for key, regex in sorted(metrics.items())])
    step_args = trainer.train(
        input_data_config=[
            Channel(
                channel_name=channel,
                content_type="application/x-parquet" if channel in channels else None,
                data_source=DataSource(
                    s3_data_source=S3DataSource(
                        s3_data_type="S3Prefix", s3_uri=uri, s3_data_distribution_type="FullyReplicated"
                    )
                ),
            )
            for channel, uri in {_CODE: f"{context.code_uri}/", **context.wheels, **channels}.items()
        ],
        wait=False,
        logs=False,
    )
    train = step_args.func
    specification = {"ContainerEntrypoint": _entrypoint(CHANNEL_ROOT, script), "ContainerArguments": _words(arguments)}

    # The trainer takes an entry point only as SourceCode, which uploads drivers to a path with the time in it.
    def train_by_script(*positional: Any, **named: Any) -> None:
        train(*positional, **named)
        context.session.context.args["AlgorithmSpecification"].update(specification)

    step_args.func = train_by_script
    return TrainingStep(
        name=name,
        description=description,
        step_args=step_args,
        cache_config=context.cache,
        retry_policies=context.job_retries(),
    )


def transform_step(
    context: StepContext, name: JobStep, *, description: str, model_name: Value, data: Value
) -> TransformStep:
    """Create a step with a batch transform of one headerless CSV, a line a row: the only object under ``data``."""
    settings = context.settings
    timeout = min(settings.running.step_timeout_seconds, _MAX_TRANSFORM_TIMEOUT_SECONDS)
    instances = settings.instances.of(name)
    transformer = Transformer(
        model_name=model_name,
        instance_count=instances.count,
        instance_type=instances.type or context.transform_instance_type,
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        max_payload=6,
        max_concurrent_transforms=1,
        output_path=context.run_uri(name),
        output_kms_key=settings.kms_key,
        volume_kms_key=settings.kms_key,
        # Without this the container's own server gives up after 60 seconds.
        env={"SAGEMAKER_MODEL_SERVER_TIMEOUT": str(timeout)},
        tags=context.tags(),
        base_transform_job_name=name,
        sagemaker_session=context.session,
    )
    step_args = transformer.transform(
        data=data,
        data_type="S3Prefix",
        content_type="text/csv",
        split_type="Line",
        job_name=name,
        model_client_config={"InvocationsTimeoutInSeconds": timeout, "InvocationsMaxRetries": 1},
        wait=False,
        logs=False,
    )
    return TransformStep(name=name, description=description, step_args=step_args, retry_policies=context.job_retries())
