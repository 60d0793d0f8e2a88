"""Running transform jobs: the serving contract, splitting and joining, failures and their results."""

import gzip
import threading

import pytest
from tests.services.sagemaker.jobs.conftest import ROLE, archive

from localmaker.errors import AwsError
from localmaker.services.sagemaker.jobs.kinds import JobKind

KIND = JobKind.TRANSFORM
INFERENCE = """
import json, os

def model_fn(model_dir):
    with open(f"{model_dir}/model.json") as file:
        return json.load(file)

def input_fn(body, content_type):
    assert content_type == "text/csv", content_type
    return [float(line) for line in body.splitlines()]

def predict_fn(rows, model):
    print("batch of", len(rows), os.environ.get("SAGEMAKER_BATCH_STRATEGY"), flush=True)
    return [model["factor"] * row for row in rows]

def output_fn(rows, accept):
    return "\\n".join(map(repr, rows)), accept
"""


FILES = {"model.json": '{"factor": 2}', "code/inference.py": INFERENCE}


@pytest.fixture(scope="module")
def doubling(jobs):
    variables = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    return jobs.create_model(FILES, Environment=variables)


@pytest.fixture
def create_model(jobs):
    """Register a model with an archive of the files; returns its name."""
    return lambda files, environment=None: jobs.create_model(files, Environment=environment or {})


@pytest.fixture
def transform(jobs):
    """Run a transform job over a prefix; returns its description."""

    def run(model, uri, **options):
        return jobs.run(KIND, jobs.transform_request(model, uri, **options))

    run.request = jobs.transform_request
    return run


def outputs(jobs, description):
    return {key: content.decode() for key, content in jobs.outputs(description).items()}


def test_every_object_gives_one_out_object_with_its_relative_key(jobs, doubling, transform):
    jobs.put("t1/in/a.csv", "1\n2\n")
    jobs.put("t1/in/deep/b c.csv", "3")
    description = transform(doubling, "s3://artifacts/t1/in/")
    assert description["TransformJobStatus"] == "Completed", description.get("FailureReason")
    assert outputs(jobs, description) == {"a.csv.out": "2.0\n4.0\n", "deep/b c.csv.out": "6.0\n"}


def test_exact_key_gives_its_name(jobs, doubling, transform):
    uri = jobs.put("t2/in/features.csv", "1\n")
    assert outputs(jobs, transform(doubling, uri)) == {"features.csv.out": "2.0\n"}


@pytest.mark.parametrize(("strategy", "batches"), [("MultiRecord", 1), ("SingleRecord", 3)])
def test_strategies(jobs, doubling, transform, strategy, batches):
    uri = jobs.put("t3/x.csv", "1\n2\n3\n")
    description = transform(doubling, uri, BatchStrategy=strategy)
    assert outputs(jobs, description) == {"x.csv.out": "2.0\n4.0\n6.0\n"}
    log = jobs.log(KIND, description["TransformJobName"])
    assert log.count("batch of") == batches
    assert {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}[strategy] in log


@pytest.mark.parametrize("concurrent", [1, 4])
def test_answers_stay_in_order(jobs, doubling, transform, concurrent):
    rows = range(200_000)
    uri = jobs.put("t4/x.csv", "".join(f"{row:011d}\n" for row in rows))
    description = transform(doubling, uri, MaxPayloadInMB=1, MaxConcurrentTransforms=concurrent)
    assert outputs(jobs, description) == {"x.csv.out": "".join(f"{2.0 * row!r}\n" for row in rows)}
    assert jobs.log(KIND, description["TransformJobName"]).count("batch of") == 3


def test_without_split_and_assembly_the_object_is_one_request(jobs, doubling, transform):
    uri = jobs.put("t5/x.csv", "1\n2\n")
    assert outputs(jobs, transform(doubling, uri, split="None", assemble="None")) == {"x.csv.out": "2.0\n4.0"}


def test_gzip_input(jobs, doubling, transform):
    uri = jobs.put("t6/x.csv.gz", gzip.compress(b"1\n"))
    request = transform.request(doubling, uri)
    request["TransformInput"]["CompressionType"] = "Gzip"
    assert outputs(jobs, jobs.run(KIND, request)) == {"x.csv.gz.out": "2.0\n"}


def test_failing_object_fails_the_job_but_not_the_others(jobs, doubling, transform):
    jobs.put("t7/a.csv", "1\n" * 300_000 + "x\n")
    jobs.put("t7/b.csv", "1\n")
    description = transform(doubling, "s3://artifacts/t7/", MaxPayloadInMB=1)
    assert description["TransformJobStatus"] == "Failed"
    assert "s3://artifacts/t7/a.csv: Bad HTTP status received from algorithm: 500" in description["FailureReason"]
    assert outputs(jobs, description) == {"b.csv.out": "2.0\n"}
    assert "ValueError: could not convert string to float" in jobs.log(KIND, description["TransformJobName"])


def test_record_over_the_payload_limit_fails(jobs, doubling, transform):
    uri = jobs.put("t8/x.csv", "1" * (1024 * 1024 + 1))
    description = transform(doubling, uri, MaxPayloadInMB=1)
    assert description["FailureReason"].startswith("ClientError: a record is larger than MaxPayloadInMB (1 MB)")


def test_default_handlers_read_and_write_csv(jobs, transform, create_model):
    program = "class Sum:\n    def predict(self, rows): return rows.sum(axis=1)\ndef model_fn(_): return Sum()"
    model = create_model({"code/inference.py": program})
    uri = jobs.put("t9/x.csv", "1,2\n3,4\n")
    description = transform(model, uri)
    assert outputs(jobs, description) == {"x.csv.out": "3.0\n7.0\n\n"}


def test_program_and_sources_are_named_by_the_models_variables(jobs, transform, create_model):
    sources = jobs.put("t10/sourcedir.tar.gz", archive({"serve/entry.py": INFERENCE}))
    model = create_model(
        {"model.json": '{"factor": 5}'},
        {"SAGEMAKER_PROGRAM": "serve/entry.py", "SAGEMAKER_SUBMIT_DIRECTORY": sources},
    )
    uri = jobs.put("t10/x.csv", "1\n")
    assert outputs(jobs, transform(model, uri)) == {"x.csv.out": "5.0\n"}


def test_requirements_beside_the_program_are_installed(jobs, transform, create_model):
    program = (
        "import tomli_w\ndef model_fn(_): pass\ndef transform_fn(m, body, c, a): return tomli_w.dumps({'a': 1}).strip()"
    )
    model = create_model({"code/inference.py": program, "code/requirements.txt": "tomli-w==1.2.0\n"})
    uri = jobs.put("t11/x.csv", "1\n")
    assert outputs(jobs, transform(model, uri)) == {"x.csv.out": "a = 1\n"}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"code/inference.py": "raise RuntimeError('broken')"}, "the model server ended while it loaded the model"),
        ({"code/inference.py": "x = 1"}, "the model server ended while it loaded the model"),
        ({"code/other.py": ""}, 'The model has no program "inference.py"'),
        ({"../evil": "x"}, "cannot be unpacked"),
        (
            {"code/inference.py": "import os\ndef model_fn(_): pass\ndef transform_fn(*a): os._exit(3)"},
            "Unable to get response from algorithm",
        ),
    ],
)
def test_broken_models_fail_the_job(jobs, transform, create_model, files, reason):
    uri = jobs.put("t12/x.csv", "1\n")
    description = transform(create_model(files), uri)
    assert description["TransformJobStatus"] == "Failed"
    assert reason in description["FailureReason"]


def test_missing_input_fails(doubling, transform):
    reason = transform(doubling, "s3://artifacts/none/")["FailureReason"]
    assert "No S3 objects found" in reason
    assert f'the role "{ROLE}" has' in reason


def test_unknown_model_is_refused(jobs, transform):
    request = transform.request("no-such-model", "s3://artifacts/t1/")
    with pytest.raises(AwsError, match="Could not find model") as caught:
        jobs.service.create(KIND, request)
    assert caught.value.code == "ValidationException"


def test_model_package(jobs, transform):
    name = jobs.name()
    uri = jobs.put(f"{name}/model.tar.gz", archive({"model.json": '{"factor": 3}', "code/inference.py": INFERENCE}))
    request = jobs.processing_request("")
    image, role = request["AppSpecification"]["ImageUri"], request["RoleArn"]
    jobs.sagemaker.create_model_package_group(ModelPackageGroupName=name, ModelPackageGroupDescription="test")
    arn = jobs.sagemaker.create_model_package(
        ModelPackageGroupName=name,
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": uri}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    jobs.sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"ModelPackageName": arn})
    data = jobs.put("t13/x.csv", "1\n")
    assert outputs(jobs, transform(name, data)) == {"x.csv.out": "3.0\n"}


def test_stop_ends_a_running_transform(jobs, transform, create_model):
    program = "import time\ndef model_fn(_): pass\ndef transform_fn(*a): print('in', flush=True); time.sleep(60)"
    request = transform.request(create_model({"code/inference.py": program}), jobs.put("t14/x.csv", "1\n"))
    name = request["TransformJobName"]
    jobs.service.create(KIND, request)
    while not jobs.service.log_path(KIND, name).exists() or "in\n" not in jobs.log(KIND, name):
        threading.Event().wait(0.01)
    jobs.service.stop(KIND, name)
    description = jobs.service.wait(KIND, name)
    assert description["TransformJobStatus"] == "Stopped"
    assert outputs(jobs, description) == {}
