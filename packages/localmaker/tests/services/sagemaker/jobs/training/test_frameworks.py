"""Scripts in the environments that stand in for AWS's TensorFlow and PyTorch images, and how their models are served.

PyTorch's environment takes 5 GB, since its wheels hold the libraries for accelerators. Its tests run where it exists.
"""

from __future__ import annotations

import json

import pytest

from localmaker.images.environments import cache_root, image_environment
from localmaker.images.table import find_image
from localmaker.services.sagemaker.jobs.kinds import JobKind

pytestmark = pytest.mark.slow

REGISTRY = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
TENSORFLOW = f"{REGISTRY}/tensorflow-%s:2.11.0-cpu%s"
PYTORCH = f"{REGISTRY}/pytorch-%s:1.12-cpu-py38"
#: y is the sum of its two numbers.
KERAS = """
import os, tensorflow as tf
numbers = tf.keras.Input(shape=(2,))
total = tf.keras.layers.Dense(1, kernel_initializer="ones")(numbers)
tf.keras.Model(numbers, total).save(os.environ["SM_MODEL_DIR"] + "/1")
"""
TORCH = """
import os, torch
class Total(torch.nn.Module):
    def forward(self, rows):
        return rows.sum(dim=-1)
torch.jit.script(Total()).save(os.environ["SM_MODEL_DIR"] + "/model.pth")
"""


def train(remote, program, image):
    request = remote.training_request({"train.py": program})
    request["AlgorithmSpecification"]["TrainingImage"] = image
    found = remote.run(JobKind.TRAINING, request)
    assert found["TrainingJobStatus"] == "Completed", found.get("FailureReason")
    return found


def transform(remote, model_data, image, body="1,2\n3,4\n", **container):
    """Return the description of a transform job, and its output."""
    name = remote.name()
    remote.sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn="arn:aws:iam::123456789012:role/jobs",
        PrimaryContainer={"Image": image, "ModelDataUrl": model_data, **container},
    )
    uri = remote.put(f"{name}/data", body)
    found = remote.run(JobKind.TRANSFORM, remote.transform_request(name, uri, assemble="None"))
    return found, remote.outputs(found).get("data.out")


@pytest.fixture(scope="module")
def keras(remote):
    """Return the job that has trained a SavedModel."""
    image = TENSORFLOW % ("training", "-py39")
    image_environment(find_image(image))  # before a job's own time runs
    return train(remote, KERAS, image)


def test_the_log_says_what_differs_from_the_image(remote, keras):
    log = remote.log(JobKind.TRAINING, keras["TrainingJobName"])
    assert "tensorflow-training:2.11.0-cpu-py39: not the image's versions, but the nearest" in log
    assert "(3.9 in the image)" in log
    assert "(2.11.0 in the image)" in log


def test_a_saved_model_answers_as_tensorflow_serving_does(remote, keras):
    data = keras["ModelArtifacts"]["S3ModelArtifacts"]
    found, output = transform(remote, data, TENSORFLOW % ("inference", ""))
    assert found["TransformJobStatus"] == "Completed", found.get("FailureReason")
    assert json.loads(output) == {"predictions": [[3.0], [7.0]]}


def test_rows_that_do_not_fit_the_model_are_refused(remote, keras):
    data = keras["ModelArtifacts"]["S3ModelArtifacts"]
    found, output = transform(remote, data, TENSORFLOW % ("inference", ""), "1,2,3\n")
    assert "Bad HTTP status received from algorithm: 400" in found["FailureReason"]
    assert output is None


def test_a_program_for_tensorflows_server_is_refused_by_name(remote, keras):
    name = remote.create_model({"1/saved_model.pb": "", "code/inference.py": "def handler(data, context): ..."})
    data = remote.sagemaker.describe_model(ModelName=name)["PrimaryContainer"]["ModelDataUrl"]
    found, _ = transform(remote, data, TENSORFLOW % ("inference", ""))
    assert found["TransformJobStatus"] == "Failed"
    assert "serves SavedModels without one" in remote.log(JobKind.TRANSFORM, found["TransformJobName"])


@pytest.mark.skipif(not any(cache_root().glob("pytorch-2.0-*.complete")), reason="PyTorch's environment is not built")
def test_a_torchscript_model_is_trained_and_served(remote):
    found = train(remote, TORCH, PYTORCH % "training")
    assert "torch 2.0.1 (1.12 in the image)" in remote.log(JobKind.TRAINING, found["TrainingJobName"])
    data = found["ModelArtifacts"]["S3ModelArtifacts"]
    found, output = transform(remote, data, PYTORCH % "inference")
    assert found["TransformJobStatus"] == "Completed", found.get("FailureReason")
    assert output.decode().split() == ["3.0", "7.0"]
