"""One function a kind of job: what runs, on what, with which inputs and outputs.

Both pipelines are put together from these and from :mod:`pipeline.definition.model_steps`. Importing this module
imports the SageMaker SDK (seconds); see :mod:`pipeline.definition.sdk`.
"""

from __future__ import annotations

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
from sagemaker.core.training.configs import Compute, Networking
from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep, TransformStep
from sagemaker.train.model_trainer import ModelTrainer

from pipeline.definition.bundle import ARCHIVE_NAME, LAUNCHER_NAME
from pipeline.definition.step_frame import Frame, Value

PROCESSING_ROOT = "/opt/ml/processing"
INPUT_ROOT = f"{PROCESSING_ROOT}/input"
OUTPUT_ROOT = f"{PROCESSING_ROOT}/output"
#: Where the channels of a training job are.
CHANNEL_ROOT = "/opt/ml/input/data"
_WHEELS, _CODE = "wheels", "code"


def processing_step(
    frame: Frame,
    name: str,
    script: str,
    *,
    description: str,
    arguments: Sequence[Value],
    inputs: Mapping[str, Value] | None = None,
    outputs: Sequence[str] = (),
    environment: Mapping[str, Value] | None = None,
    property_files: Sequence[PropertyFile] = (),
    cached: bool = False,
    depends_on: Sequence[Any] = (),
) -> ProcessingStep:
    """A processing job that runs one script of ``steps/``.

    Args:
        frame: shared settings.
        name: step name.
        script: file name in ``steps/``.
        description: shown in the console.
        arguments: of the script; at most 256 characters each (a limit of CreateProcessingJob).
        inputs: name → S3 URI; mounted at ``/opt/ml/processing/input/<name>``.
        outputs: names; ``/opt/ml/processing/output/<name>`` goes to ``runs/<execution>/<step>/<name>``.
        environment: further environment variables.
        property_files: outputs that conditions and later steps read values from.
        cached: whether an earlier execution with the same arguments may stand in; only for pure functions.
        depends_on: steps that must have ended, beyond those referred to.
    """
    settings = frame.settings
    network = settings.network
    instances = settings.instances.of(name)
    processor = Processor(
        role=frame.role,
        image_uri=frame.image_uri,
        instance_count=instances.count,
        instance_type=instances.type or frame.processing_instance_type,
        entrypoint=["/bin/bash", f"{INPUT_ROOT}/code/{LAUNCHER_NAME}", script],
        volume_size_in_gb=settings.instances.volume_of(name),
        volume_kms_key=settings.kms_key,
        output_kms_key=settings.kms_key,
        max_runtime_in_seconds=settings.running.step_timeout_seconds,
        sagemaker_session=frame.session,
        env={**frame.job_environment, **_offline_pip(frame, f"{INPUT_ROOT}/{_WHEELS}"), **(environment or {})},
        tags=frame.tags(),
        network_config=NetworkConfig(
            enable_network_isolation=frame.is_isolated(name) or None,
            security_group_ids=list(network.security_groups) or None,
            subnets=list(network.subnets) or None,
            encrypt_inter_container_traffic=network.encrypt_inter_container_traffic or None,
        ),
    )
    step_args = processor.run(
        inputs=[
            _processing_input(input_name, uri)
            for input_name, uri in {"code": f"{frame.code_uri}/", **_wheels(frame), **(inputs or {})}.items()
        ],
        outputs=[
            ProcessingOutput(
                output_name=output,
                s3_output=ProcessingS3Output(
                    s3_uri=frame.run_uri(name, output),
                    local_path=f"{OUTPUT_ROOT}/{output}",
                    s3_upload_mode="EndOfJob",
                ),
            )
            for output in outputs
        ],
        arguments=list(arguments),
        # Without a name the SDK makes one from the clock; a pipeline drops it again.
        job_name=name,
        wait=False,
        logs=False,
    )
    return ProcessingStep(
        name=name,
        description=description,
        step_args=step_args,
        property_files=list(property_files),
        cache_config=frame.cache if cached else None,
        depends_on=list(depends_on) or None,
        retry_policies=frame.job_retries(),
    )


def _wheels(frame: Frame) -> dict[str, str]:
    """Input or channel with wheels, where jobs are to install from them."""
    return {_WHEELS: frame.wheels_uri} if frame.wheels_uri else {}


def _offline_pip(frame: Frame, folder: str) -> dict[str, str]:
    """What makes pip take wheels from a folder; it reads its options from the environment too."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": folder} if frame.wheels_uri else {}


def _processing_input(name: str, uri: Value) -> ProcessingInput:
    return ProcessingInput(
        input_name=name,
        s3_input=ProcessingS3Input(
            s3_uri=uri, local_path=f"{INPUT_ROOT}/{name}", s3_data_type="S3Prefix", s3_input_mode="File"
        ),
    )


def output_uri(step: ProcessingStep, output: str) -> Value:
    """S3 URI of a processing step's output, right also where the step came from the cache."""
    return step.properties.ProcessingOutputConfig.Outputs[output].S3Output.S3Uri


def training_step(
    frame: Frame,
    name: str,
    script: str,
    *,
    description: str,
    instance_type: Value,
    hyperparameters: Mapping[str, Value],
    channels: Mapping[str, Value],
    metrics: Mapping[str, str],
    environment: Mapping[str, Value] | None = None,
) -> TrainingStep:
    """A training job in the image's script mode.

    Script mode (``sagemaker_program`` and ``sagemaker_submit_directory``) and not ``SourceCode``: the latter uploads
    drivers to a path with the time in it at every compile.

    Args:
        frame: shared settings.
        name: step name.
        script: file name in ``steps/``.
        description: shown in the console.
        instance_type: pipeline parameter or type name.
        hyperparameters: become ``--name value`` arguments.
        channels: channel name → S3 URI.
        metrics: metric name → regular expression with one group, looked for in the log.
        environment: further environment variables.
    """
    settings = frame.settings
    network = settings.network
    instances = settings.instances.of(name)
    isolated = frame.is_isolated(name)
    archive = f"{frame.code_uri}/{ARCHIVE_NAME}"
    # The toolkit fetches the code itself, which it can't without a network: then the code comes as a channel.
    code = {_CODE: archive} if isolated else {}
    trainer = ModelTrainer(
        role=frame.role,
        sagemaker_session=frame.session,
        base_job_name=name,
        training_image=frame.image_uri,
        compute=Compute(
            instance_type=instances.type or instance_type,
            instance_count=instances.count,
            volume_size_in_gb=settings.instances.volume_of(name),
            volume_kms_key_id=settings.kms_key,
            keep_alive_period_in_seconds=settings.instances.warm_pool_seconds or None,
        ),
        networking=Networking(
            subnets=list(network.subnets) or None,
            security_group_ids=list(network.security_groups) or None,
            enable_inter_container_traffic_encryption=network.encrypt_inter_container_traffic,
            enable_network_isolation=isolated or None,
        ),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=settings.running.step_timeout_seconds),
        output_data_config=OutputDataConfig(s3_output_path=frame.run_uri(name), kms_key_id=settings.kms_key),
        hyperparameters={
            "sagemaker_program": script,
            "sagemaker_submit_directory": f"{CHANNEL_ROOT}/{_CODE}/{ARCHIVE_NAME}" if isolated else archive,
            **hyperparameters,
        },
        environment={
            **frame.job_environment,
            **_offline_pip(frame, f"{CHANNEL_ROOT}/{_WHEELS}"),
            **(environment or {}),
        },
        tags=[Tag(key=tag["Key"], value=tag["Value"]) for tag in frame.tags()],
    ).with_metric_definitions([MetricDefinition(name=key, regex=regex) for key, regex in sorted(metrics.items())])
    step_args = trainer.train(
        input_data_config=[
            Channel(
                channel_name=channel,
                content_type="text/csv" if channel in channels else None,
                data_source=DataSource(
                    s3_data_source=S3DataSource(
                        s3_data_type="S3Prefix", s3_uri=uri, s3_data_distribution_type="FullyReplicated"
                    )
                ),
            )
            for channel, uri in {**code, **_wheels(frame), **channels}.items()
        ],
        wait=False,
        logs=False,
    )
    return TrainingStep(
        name=name,
        description=description,
        step_args=step_args,
        cache_config=frame.cache,
        retry_policies=frame.job_retries(),
    )


def transform_step(
    frame: Frame, name: str, *, description: str, model_name: Value, instance_type: Value, data: Value
) -> TransformStep:
    """Batch transform of one headerless CSV, a line a row.

    Args:
        frame: shared settings.
        name: step name.
        description: shown in the console.
        model_name: of the model to serve.
        instance_type: pipeline parameter or type name.
        data: S3 prefix that holds exactly the file to transform.
    """
    timeout = min(frame.settings.running.step_timeout_seconds, 3600)
    instances = frame.settings.instances.of(name)
    transformer = Transformer(
        model_name=model_name,
        instance_count=instances.count,
        instance_type=instances.type or instance_type,
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        max_payload=6,
        max_concurrent_transforms=1,
        output_path=frame.run_uri(name),
        output_kms_key=frame.settings.kms_key,
        volume_kms_key=frame.settings.kms_key,
        # The container's own server gives up after 60 seconds unless it is told otherwise.
        env={"SAGEMAKER_MODEL_SERVER_TIMEOUT": str(timeout)},
        tags=frame.tags(),
        base_transform_job_name=name,
        sagemaker_session=frame.session,
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
    return TransformStep(
        name=name,
        description=description,
        step_args=step_args,
        retry_policies=frame.job_retries(),
    )
