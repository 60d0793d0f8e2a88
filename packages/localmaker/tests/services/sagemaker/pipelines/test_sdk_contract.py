"""A definition that the SageMaker SDK itself writes is accepted and runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

# In a process of its own: the SDK takes seconds to import, warns, and makes sessions of its own.
COMPILE = """
import boto3, json
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output
from sagemaker.core.workflow.conditions import (
    ConditionEquals, ConditionGreaterThanOrEqualTo, ConditionIn, ConditionNot, ConditionOr,
)
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import (
    ParameterBoolean, ParameterFloat, ParameterInteger, ParameterString,
)
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.retry import StepExceptionTypeEnum, StepRetryPolicy
from sagemaker.mlops.workflow.step_dependency import StepDependency, TriggerCondition
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep
from sagemaker.serve.model_builder import ModelBuilder

session = PipelineSession(
    boto_session=boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1"),
    default_bucket="bucket",
)
bucket = ParameterString("Bucket")
mode = ParameterString("Mode", default_value="fast", enum_values=["fast", "slow"])
count = ParameterInteger("Count", default_value=2)
minimum = ParameterFloat("Minimum", default_value=0.8)
approval = ParameterString("Approval", default_value="Approved")
enabled = ParameterBoolean("Enabled", default_value=True)
role = "arn:aws:iam::123456789012:role/pipeline"

def processing(name, arguments, depends_on=None, files=None):
    processor = Processor(
        role=role, image_uri="image", instance_count=count, instance_type="ml.m5.large",
        entrypoint=["python3", "x.py"], sagemaker_session=session,
    )
    args = processor.run(
        arguments=arguments, job_name=name, wait=False, logs=False,
        outputs=[ProcessingOutput(output_name="out", s3_output=ProcessingS3Output(
            s3_uri=Join(on="/", values=["s3:/", bucket, ExecutionVariables.PIPELINE_EXECUTION_ID, name]),
            local_path="/opt/ml/processing/output", s3_upload_mode="EndOfJob"))],
    )
    return ProcessingStep(
        name=name, step_args=args, depends_on=depends_on, property_files=files or [],
        cache_config=CacheConfig(enable_caching=True, expire_after="p30d"), display_name="shown " + name,
        retry_policies=[StepRetryPolicy(exception_types=[StepExceptionTypeEnum.THROTTLING], max_attempts=3)],
    )

report = PropertyFile(name="Report", output_name="out", path="report.json")
evaluate = processing("Evaluate", ["--mode", mode, "--count", count.to_string()], files=[report])
r2 = JsonGet(step_name="Evaluate", property_file=report, json_path="metrics.r2.value")
uri = evaluate.properties.ProcessingOutputConfig.Outputs["out"].S3Output.S3Uri
publish = processing("Publish", ["--from", uri, "--r2", Join(on="", values=[r2])])
def builder():
    return ModelBuilder(
        image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/i:1", role_arn=role, sagemaker_session=session,
        s3_model_data_url=Join(on="/", values=[uri, "model.tar.gz"]), dependencies={},
    )

model = ModelStep(name="CreateModel", step_args=builder().build())
register = ModelStep(name="Register", step_args=builder().register(
    model_package_group_name="sdk-group", content_types=["text/csv"], response_types=["text/csv"],
    approval_status=approval, customer_metadata_properties={"r2": Join(on="", values=[r2])},
))
after_failure = processing("AfterFailure", ["x"], depends_on=[StepDependency(evaluate, TriggerCondition.FAILED)])
gate = ConditionStep(
    name="Gate",
    conditions=[
        ConditionGreaterThanOrEqualTo(left=r2, right=minimum),
        ConditionNot(ConditionEquals(left=enabled, right=False)),
        ConditionOr([ConditionIn(value=mode, in_values=["slow"]), ConditionEquals(left=count, right=2)]),
    ],
    if_steps=[publish, register, model],
    else_steps=[FailStep(name="TooLow", error_message=Join(on=" ", values=["r2 is", r2, "below", minimum]))],
)
print(Pipeline(
    name="sdk", parameters=[bucket, mode, count, minimum, enabled, approval], steps=[evaluate, gate, after_failure],
    sagemaker_session=session,
).definition())
"""


@pytest.fixture(scope="module")
def definition():
    environment = {
        **os.environ,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAGEMAKER_VALIDATE_ROLE": "false",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILE], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.slow
def test_what_the_sdk_writes_runs(definition, run, jobs, *, client, bucket):
    def write_report(value):
        def work(request):
            uri = request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
            key = uri.removeprefix(f"s3://{bucket}/")
            body = json.dumps({"metrics": {"r2": {"value": value}}})
            client("s3").put_object(Bucket=bucket, Key=f"{key}/report.json", Body=body)

        return work

    jobs.work["Evaluate"] = write_report(0.84)
    done = run(definition, {"Bucket": bucket})
    assert done.status == "Succeeded", done.steps
    assert set(done.steps) == {"Evaluate", "Gate", "Publish", "Register", "CreateModel"}
    assert done.steps["Evaluate"]["StepDisplayName"] == "shown Evaluate"
    execution_id = done.arn.rsplit("/", maxsplit=1)[-1]
    evaluate, publish = jobs.requests["Evaluate"][0], jobs.requests["Publish"][0]
    assert evaluate["AppSpecification"]["ContainerArguments"] == ["--mode", "fast", "--count", "2"]
    assert evaluate["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
    assert publish["AppSpecification"]["ContainerArguments"] == [
        "--from",
        f"s3://{bucket}/{execution_id}/Evaluate",
        "--r2",
        "0.84",
    ]
    model = client("sagemaker").describe_model(
        ModelName=done.steps["CreateModel"]["Metadata"]["Model"]["Arn"].rsplit("/", maxsplit=1)[-1]
    )
    assert model["PrimaryContainer"]["ModelDataUrl"] == f"s3://{bucket}/{execution_id}/Evaluate/model.tar.gz"

    package = client("sagemaker").describe_model_package(
        ModelPackageName=done.steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["CustomerMetadataProperties"] == {"r2": "0.84"}

    jobs.work["Evaluate"] = write_report(0.5)
    done = run(definition, {"Bucket": bucket, "Mode": "slow"})
    assert done.status == "Failed"
    assert done.steps["TooLow"]["FailureReason"] == "r2 is 0.5 below 0.8"

    jobs.plan("Evaluate", ("Failed", "AlgorithmError: no"))
    done = run(definition, {"Bucket": bucket, "Count": "3"})
    assert done.status == "CompletedWithFailures"
    assert set(done.steps) == {"Evaluate", "AfterFailure"}
