"""Images in pipelines, over HTTP: XGBoost trained and served by its own programs, and what an unknown image says."""

import json
import tomllib
import uuid

import pytest

from localmaker.images.environments import image_environment
from localmaker.images.table import find_image

ROLE = "arn:aws:iam::123456789012:role/pipeline"
XGBOOST = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"


@pytest.fixture
def bucket(endpoint, unique):
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_object(Bucket=unique, Key="train/a.csv", Body="".join(f"{n % 2},{n % 2},{n}\n" for n in range(40)))
    s3.put_object(Bucket=unique, Key="batch/b.csv", Body="1,4\n0,5\n")
    return unique


def training(bucket, image):
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/train", "S3DataDistributionType": "FullyReplicated"}
    channel = {"ChannelName": "train", "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}
    return {
        "Name": "Train",
        "Type": "Training",
        "Arguments": {
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
            "HyperParameters": {"num_round": "2", "objective": "binary:logistic", "nthread": "1"},
            "InputDataConfig": [channel],
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    }


def serving(bucket, image):
    artefact = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/batch/"}}
    return [
        {
            "Name": "Create",
            "Type": "Model",
            "Arguments": {
                "ExecutionRoleArn": ROLE,
                "PrimaryContainer": {"Image": image, "ModelDataUrl": artefact, "Environment": {}},
            },
        },
        {
            "Name": "Predict",
            "Type": "Transform",
            "Arguments": {
                "ModelName": {"Get": "Steps.Create.ModelName"},
                "TransformInput": {"DataSource": data, "ContentType": "text/csv", "SplitType": "Line"},
                "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out", "AssembleWith": "Line"},
                "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            },
        },
    ]


def run(endpoint, eventually, steps):
    """Return the status of an execution, and its steps by name."""
    sagemaker = endpoint.client("sagemaker")
    name = f"p-{uuid.uuid4().hex[:8]}"
    definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps}
    sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=ROLE, ClientRequestToken=uuid.uuid4().hex
    )
    arn = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]

    def ended():
        described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        return described["PipelineExecutionStatus"] not in ("Executing", "Stopping") and described

    status = eventually(ended, 240)["PipelineExecutionStatus"]
    listed = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return status, {step["StepName"]: step for step in listed}


@pytest.mark.slow
def test_a_pipeline_trains_and_serves_by_the_images_own_programs(endpoint, eventually, bucket):
    image_environment(find_image(XGBOOST))
    status, steps = run(endpoint, eventually, [training(bucket, XGBOOST), *serving(bucket, XGBOOST)])
    assert status == "Succeeded", steps
    body = endpoint.client("s3").get_object(Bucket=bucket, Key="out/b.csv.out")["Body"].read()
    high, low = (float(line) for line in body.split())
    assert high > 0.5 > low


def test_the_lines_for_an_unknown_image_reach_the_step_whole(endpoint, eventually, bucket):
    status, steps = run(endpoint, eventually, [training(bucket, "registry/own-image:7")])
    assert status == "Failed"
    reason = steps["Train"]["FailureReason"]
    entry = tomllib.loads(reason[reason.index("[[image]]") :])["image"]
    assert [image["pattern"] for image in entry] == ["*own-image:7*"]
    # As a shell or a browser shows the response: the lines are the same ones.
    shown = json.dumps(reason)
    assert shown[shown.index("[[image]]") : -1].split("\\n") == reason[reason.index("[[image]]") :].splitlines()
