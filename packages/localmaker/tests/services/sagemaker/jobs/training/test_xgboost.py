"""AWS's XGBoost algorithm: trained, tuned by hyperparameters, refused, and served, in the nearest environment."""

import io
import pickle
import random
import tarfile

import pytest

from localmaker.images.environments import image_environment
from localmaker.images.table import find_image
from localmaker.sandbox.sandbox import Isolation, detect_isolation
from localmaker.services.sagemaker.jobs.kinds import JobKind

pytestmark = pytest.mark.slow

TRAINING, TRANSFORM, PROCESSING = JobKind.TRAINING, JobKind.TRANSFORM, JobKind.PROCESSING
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
ROUNDS = {"num_round": "3", "objective": "reg:squarederror", "nthread": "1"}


@pytest.fixture(scope="module", autouse=True)
def environment():
    """Build the environment before a job's own time runs."""
    return image_environment(find_image(IMAGE))


@pytest.fixture(scope="module")
def data(remote):
    """Put tables of y = 10 a (0 or 1) into S3, as CSV and as libsvm; the values are their URIs."""
    made = random.Random(1)
    rows = [(made.choice((0, 1)), round(made.random(), 3)) for _ in range(200)]
    tables = {
        "train.csv": "".join(f"{10 * a},{a},{b}\n" for a, b in rows[:150]),
        "validation.csv": "".join(f"{10 * a},{a},{b}\n" for a, b in rows[150:]),
        "train.libsvm": "".join(f"{10 * a} 0:{a} 1:{b}\n" for a, b in rows[:150]),
        "classes.csv": "".join(f"{a},{a},{b}\n" for a, b in rows),
        "classes.libsvm": "".join(f"{a}:2 0:{a} 1:{b}\n" for a, b in rows),
    }
    return {name: remote.put(f"{remote.name()}/{name}", body) for name, body in tables.items()}


def request(remote, channels, hyperparameters, content_type="text/csv", image=IMAGE, **fields):
    """Return a request for a job without a program: what runs is the image's own."""
    made = remote.training_request(channels=channels, hyperparameters=hyperparameters, **fields)
    made["AlgorithmSpecification"]["TrainingImage"] = image
    for channel in made["InputDataConfig"]:
        if content_type is not None:
            channel["ContentType"] = content_type
    return made


def train(remote, channels, hyperparameters, content_type="text/csv", **fields):
    return remote.run(TRAINING, request(remote, channels, hyperparameters, content_type, **fields))


def completed(description):
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
    return description


def artefact(remote, description):
    uri = description["ModelArtifacts"]["S3ModelArtifacts"]
    with tarfile.open(fileobj=io.BytesIO(remote.read(uri.split("/", 3)[3]))) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


@pytest.fixture(scope="module")
def trained(remote, data):
    return completed(train(remote, {"train": data["train.csv"], "validation": data["validation.csv"]}, ROUNDS))


def test_rounds_are_in_the_log_and_become_metrics(remote, trained):
    log = remote.log(TRAINING, trained["TrainingJobName"]).splitlines()
    rounds = [line for line in log if line.startswith("[") and "#011" in line]
    assert [line.split("#011")[0] for line in rounds] == ["[0]", "[1]", "[2]"]
    assert [part.split(":")[0] for part in rounds[-1].split("#011")[1:]] == ["train-rmse", "validation-rmse"]
    assert any(line.endswith("INFO] Train matrix has 150 rows and 2 columns") for line in log)
    assert any(line.endswith("INFO] Validation matrix has 50 rows") for line in log)
    final = {metric["MetricName"]: metric["Value"] for metric in trained["FinalMetricDataList"]}
    said = dict(part.split(":") for part in rounds[-1].split("#011")[1:])
    assert final == {
        "train:rmse": pytest.approx(float(said["train-rmse"]), rel=1e-6),
        "validation:rmse": pytest.approx(float(said["validation-rmse"]), rel=1e-6),
    }


def test_the_artefact_is_the_model_alone(remote, trained):
    assert list(artefact(remote, trained)) == ["xgboost-model"]


def test_libsvm_is_the_default_and_gives_the_model_that_csv_gives(remote, data, trained):
    plain = completed(train(remote, {"train": data["train.libsvm"]}, ROUNDS, content_type=None))
    final = {metric["MetricName"]: metric["Value"] for metric in plain["FinalMetricDataList"]}
    same = {metric["MetricName"]: metric["Value"] for metric in trained["FinalMetricDataList"]}
    assert final == {"train:rmse": same["train:rmse"]}


def test_metrics_of_the_container_and_the_tuned_one_are_printed_and_stop_early(remote, data):
    channels = {"train": data["classes.csv"], "validation": data["classes.csv"]}
    hyperparameters = {
        "num_round": "30",
        "objective": "binary:logistic",
        "eval_metric": "auc,error@0.7",
        "_tuning_objective_metric": "validation:f1",
        "early_stopping_rounds": "2",
    }
    description = completed(train(remote, channels, hyperparameters))
    names = {metric["MetricName"] for metric in description["FinalMetricDataList"]}
    assert names == {
        f"{channel}:{metric}" for channel in ("train", "validation") for metric in ("auc", "error@0.7", "f1")
    }
    rounds = [line for line in remote.log(TRAINING, description["TrainingJobName"]).splitlines() if "#011" in line]
    assert len(rounds) == 3


def test_weights_are_taken(remote, data):
    completed(train(remote, {"train": data["classes.libsvm"]}, ROUNDS, content_type="text/x-libsvm"))
    weighted = remote.put(f"{remote.name()}/weighted.csv", "1,0.5,2,3\n0,1,3,4\n" * 5)
    description = completed(train(remote, {"train": weighted}, {**ROUNDS, "csv_weights": "1"}))
    assert "Train matrix has 10 rows and 2 columns" in remote.log(TRAINING, description["TrainingJobName"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_round": None}, "Missing required hyperparameter: num_round"),
        ({"objective": "reg:wrong"}, "Hyperparameter objective: reg:wrong is not in ['aft_loss_distribution', "),
        ({"silent": "0"}, "Extraneous hyperparameter found: silent"),
        ({"eta": "2"}, "Hyperparameter eta: 2.0 is not in [0, 1]"),
        ({"max_depth": "deep"}, "Hyperparameter max_depth: could not parse value (caused by ValueError)"),
        ({"objective": "multi:softmax"}, "Require input for parameter 'num_class' for multi-classification"),
        ({"objective": "binary:logistic"}, "base_score must be in (0,1)"),
        ({"_kfold": "3"}, "Neither cross validation (_kfold) nor use_dask_gpu_training is available here."),
        ({"use_dask_gpu_training": "true"}, "Neither cross validation (_kfold) nor use_dask_gpu_training is available"),
    ],
)
def test_wrong_hyperparameters_fail_the_job_in_the_containers_words(remote, data, changes, reason):
    hyperparameters = {name: value for name, value in {**ROUNDS, **changes}.items() if value is not None}
    description = train(remote, {"train": data["train.csv"]}, hyperparameters)
    assert description["TrainingJobStatus"] == "Failed"
    said = description["FailureReason"]
    assert said.startswith("AlgorithmError: framework error: \nsagemaker_algorithm_toolkit.exceptions.UserError: ")
    assert reason in said
    assert said.endswith(", exit code: 1")
    assert remote.keys(f"models/{description['TrainingJobName']}/") == []


@pytest.mark.parametrize(
    ("channels", "content_type", "reason"),
    [
        ({"validation": "train.csv"}, "text/csv", "Missing required channel: train"),
        ({"train": "train.csv", "test": "train.csv"}, "text/csv", "Extraneous channel found: test"),
        ({"train": "train.csv"}, None, "is not 'LIBSVM' format"),
        (
            {"train": "train.csv"},
            "application/json",
            "application/json is not an accepted ContentType: csv, text/csv, ",
        ),
    ],
)
def test_wrong_channels_fail_the_job(remote, data, channels, content_type, reason):
    uris = {name: data[table] for name, table in channels.items()}
    description = train(remote, uris, ROUNDS, content_type=content_type)
    assert reason in description["FailureReason"]


def test_a_job_goes_on_from_its_checkpoint(remote, data):
    place = {"CheckpointConfig": {"S3Uri": f"s3://artifacts/{remote.name()}"}}
    prefix = place["CheckpointConfig"]["S3Uri"].split("/", 3)[3] + "/"
    completed(train(remote, {"train": data["train.csv"]}, ROUNDS, **place))
    assert sorted(remote.keys(prefix)) == ["xgboost-checkpoint.0", "xgboost-checkpoint.1", "xgboost-checkpoint.2"]
    longer = completed(train(remote, {"train": data["train.csv"]}, {**ROUNDS, "num_round": "7"}, **place))
    rounds = [line for line in remote.log(TRAINING, longer["TrainingJobName"]).splitlines() if "#011" in line]
    assert len(rounds) == 4
    assert sorted(remote.keys(prefix))[-1] == "xgboost-checkpoint.6"


def test_instances_train_one_model_together(remote, data):
    """Each has half of the rows; the model and its metrics are those of all rows."""
    prefix = remote.name()
    rows = remote.read(data["train.csv"].split("/", 3)[3]).decode().splitlines(keepends=True)
    for number in range(2):
        remote.put(f"{prefix}/{number}.csv", "".join(rows[number::2]))
    made = request(remote, {"train": f"s3://artifacts/{prefix}"}, ROUNDS)
    made["ResourceConfig"]["InstanceCount"] = 2
    made["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    description = completed(remote.run(TRAINING, made))
    log = remote.log(TRAINING, description["TrainingJobName"])
    assert "Distributed node training with 2 hosts: ['algo-1', 'algo-2']" in log
    assert log.count("Train matrix has 75 rows and 2 columns") == 2
    assert len([line for line in log.splitlines() if "#011" in line]) == 3
    alone = completed(train(remote, {"train": data["train.csv"]}, ROUNDS))
    final = [metric["Value"] for metric in description["FinalMetricDataList"]]
    assert final == pytest.approx([metric["Value"] for metric in alone["FinalMetricDataList"]], rel=1e-4)
    assert list(artefact(remote, description)) == ["xgboost-model"]


def test_a_program_of_the_users_runs_in_the_images_environment(remote):
    program = """
import json, os, pickle, numpy, xgboost
model = xgboost.train({}, xgboost.DMatrix(numpy.array([[0.0], [1.0]]), label=[0, 1]), 2)
pickle.dump(model, open(os.environ["SM_MODEL_DIR"] + "/xgboost-model", "wb"))
json.dump(os.environ["SM_FRAMEWORK_MODULE"], open(os.environ["SM_MODEL_DIR"] + "/module.json", "w"))
"""
    made = remote.training_request({"train.py": program}, hyperparameters={"depth": "3"})
    made["AlgorithmSpecification"]["TrainingImage"] = IMAGE
    files = artefact(remote, completed(remote.run(TRAINING, made)))
    assert files["module.json"] == b'"sagemaker_xgboost_container.training:main"'
    assert "xgboost-model" in files


def test_a_program_of_the_users_has_the_containers_helpers(remote, data):
    """As AWS's abalone sample in script mode uses them, with a body of a request as its inference does."""
    program = """
import json, os
from sagemaker_xgboost_container import distributed, encoder
from sagemaker_xgboost_container.data_utils import get_dmatrix
import xgboost
rows, body = get_dmatrix(os.environ["SM_CHANNEL_TRAIN"], "text/csv"), encoder.libsvm_to_dmatrix(b"0:1 1:0.5")
assert get_dmatrix("/opt/ml/input/data/nothing", "libsvm") is None
def train(depth, is_master):
    model = xgboost.train({"max_depth": depth}, rows, 2)
    if is_master:
        json.dump([rows.num_row(), body.num_row()], open(os.environ["SM_MODEL_DIR"] + "/found.json", "w"))
hosts, host = json.loads(os.environ["SM_HOSTS"]), os.environ["SM_CURRENT_HOST"]
distributed.rabit_run(train, {"depth": 3}, rows is not None, hosts, host, update_rabit_args=True)
"""
    made = remote.training_request({"train.py": program}, channels={"train": data["train.csv"]})
    made["AlgorithmSpecification"]["TrainingImage"] = IMAGE
    made["ResourceConfig"]["InstanceCount"] = 2
    assert artefact(remote, completed(remote.run(TRAINING, made)))["found.json"] == b"[150, 1]"


def model_of(remote, description, **fields):
    """Create a model from a job's artefact."""
    name = remote.name()
    container = {"Image": IMAGE, "ModelDataUrl": description["ModelArtifacts"]["S3ModelArtifacts"], **fields}
    remote.sagemaker.create_model(
        ModelName=name, ExecutionRoleArn="arn:aws:iam::123456789012:role/jobs", PrimaryContainer=container
    )
    return name


def transform(remote, model, body, content_type="text/csv", **fields):
    """Return the description and the one output of a transform job."""
    made = remote.transform_request(model, remote.put(f"{remote.name()}/data", body), **fields)
    if content_type is None:
        del made["TransformInput"]["ContentType"]
    else:
        made["TransformInput"]["ContentType"] = content_type
    description = remote.run(TRANSFORM, made)
    return description, remote.outputs(description).get("data.out")


def test_a_transform_job_predicts_with_the_trained_model(remote, trained):
    model = model_of(remote, trained)
    description, lines = transform(remote, model, "1,0.5\n0,0.5\n1,\n", assemble="None")
    assert description["TransformJobStatus"] == "Completed", description.get("FailureReason")
    high, low, without = (float(line) for line in lines.splitlines())
    assert high == without > low
    _, sparse = transform(remote, model, "0:1 1:0.5\n0:0 1:0.5\n", content_type=None, assemble="None")
    assert [float(line) for line in sparse.splitlines()] == [high, low]


@pytest.mark.parametrize(
    ("body", "content_type", "status"), [("1,a\n2,b\n", "text/csv", 415), ("{}", "application/json", 415)]
)
def test_the_server_refuses_what_the_containers_refuses(remote, trained, body, content_type, status):
    description, output = transform(remote, model_of(remote, trained), body, content_type)
    assert f"Bad HTTP status received from algorithm: {status}" in description["FailureReason"]
    assert output is None


def test_a_serving_program_of_the_users_gets_matrices(remote, trained):
    program = """
import xgboost
def model_fn(folder):
    model = xgboost.Booster()
    model.load_model(folder + "/xgboost-model")
    return model
"""
    files = artefact(remote, trained) | {"code/inference.py": program}
    name = remote.create_model(files, Environment={"SAGEMAKER_PROGRAM": "inference.py"})
    container = remote.sagemaker.describe_model(ModelName=name)["PrimaryContainer"] | {"Image": IMAGE}
    remote.sagemaker.create_model(
        ModelName=f"{name}-x", ExecutionRoleArn="arn:aws:iam::123456789012:role/jobs", PrimaryContainer=container
    )
    description, lines = transform(remote, f"{name}-x", "1,0.5\n0,0.5\n", assemble="None")
    assert description["TransformJobStatus"] == "Completed", description.get("FailureReason")
    assert len(lines.splitlines()) == 2


@pytest.mark.skipif(detect_isolation() is Isolation.NONE, reason="without a sandbox / is the machine's")
def test_a_processing_job_evaluates_the_model_as_samples_do(remote, data, trained):
    script = """
import json, pathlib, tarfile, numpy, xgboost
with tarfile.open("/opt/ml/processing/input/model/model.tar.gz") as tar:
    tar.extractall(path="..", filter="fully_trusted")
model = xgboost.Booster()
model.load_model("xgboost-model")
rows = numpy.loadtxt("/opt/ml/processing/input/test/validation.csv", delimiter=",")
error = numpy.mean((model.predict(xgboost.DMatrix(rows[:, 1:])) - rows[:, 0]) ** 2)
pathlib.Path("/opt/ml/processing/output/out/evaluation.json").write_text(json.dumps({"mse": float(error)}))
"""
    code = remote.put(f"{remote.name()}/evaluation.py", script)
    inputs = {"model": trained["ModelArtifacts"]["S3ModelArtifacts"], "test": data["validation.csv"], "code": code}
    made = remote.processing_request("python3 /opt/ml/processing/input/code/evaluation.py", inputs=inputs)
    made["AppSpecification"]["ImageUri"] = IMAGE
    description = remote.run(PROCESSING, made)
    assert description["ProcessingJobStatus"] == "Completed", description.get("FailureReason")
    assert remote.keys(f"{description['ProcessingJobName']}/out/") == ["evaluation.json"]


@pytest.mark.parametrize(
    ("isolation", "program", "more"),
    [
        (None, "training_with_pickle.py", {}),
        (Isolation.NONE, "training_with_pickle.py", {}),
        (None, "training_before_1_2.py", {"silent": "0"}),
    ],
)
def test_an_algorithm_of_the_users_own_is_an_entry_of_the_table(make_jobs, isolation, program, more):
    """The documented way; with these programs the model is a pickle, as in the containers before 1.3."""
    jobs, image = make_jobs(isolation=isolation), find_image(IMAGE)
    add_entry(jobs, image.train.with_name(program))
    table = jobs.put(f"{jobs.name()}/train.csv", "1,2,3\n0,1,3\n" * 5)
    made = request(jobs, {"train": table}, {**ROUNDS, **more}, image="registry/mine:7")
    model = artefact(jobs, completed(jobs.run(TRAINING, made)))["xgboost-model"]
    assert model.startswith(pickle.PROTO + b"\x04")
    assert b"xgboost" in model


def test_an_entry_without_its_program_fails_the_job(make_jobs, tmp_path):
    jobs = make_jobs()
    table = jobs.put(f"{jobs.name()}/train.csv", "1,2,3\n")
    (tmp_path / "folder").mkdir()
    for program in (tmp_path / "folder" / "train.py", tmp_path / "missing" / "train.py"):
        add_entry(jobs, program)
        reason = jobs.run(TRAINING, request(jobs, {"train": table}, ROUNDS, image="registry/mine:7"))["FailureReason"]
        assert reason.startswith("ClientError: the")
        assert str(program) in reason


def add_entry(jobs, program):
    image = find_image(IMAGE)
    (jobs.state_dir / "images.toml").write_text(
        f"[[image]]\npattern = '*/mine:7'\nlock = '{image.lock}'\npython = '{image.python}'\ntrain = '{program}'\n"
        f"modules = '{image.modules}'\n"
    )
