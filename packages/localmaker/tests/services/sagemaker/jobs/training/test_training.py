"""Training jobs as they run: script mode and explicit entry points, model and output, reasons and metrics."""

import io
import json
import os
import tarfile
from datetime import timedelta
from itertools import pairwise

import pytest

from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.training import script_mode

KIND = JobKind.TRAINING
DUMP = "import json, os, sys\nopen('/opt/ml/model/seen.json', 'w').write(json.dumps({body}))\n"


def members(jobs, uri):
    with tarfile.open(fileobj=io.BytesIO(jobs.read(uri.split("/", 3)[3]))) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def model(jobs, description):
    return members(jobs, description["ModelArtifacts"]["S3ModelArtifacts"])


def name_of(description):
    return description["TrainingJobName"]


def seen(jobs, description):
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
    return json.loads(model(jobs, description)["seen.json"])


def test_script_mode_runs_the_program_with_its_hyperparameters(jobs):
    description = jobs.train(
        {"train.py": DUMP.format(body="[sys.argv, os.getcwd()]")},
        hyperparameters={"zeta": '"two words"', "a": "3", "learning-rate": "0.1", "flag": "true", "raw": "as it is"},
    )
    assert seen(jobs, description) == [
        ["train.py", "-a", "3", "--flag", "True", "--learning-rate", "0.1", "--raw", "as it is", "--zeta", "two words"],
        "/opt/ml/code",
    ]


def test_variables_and_configuration_files(jobs):
    uri = jobs.put("train-data/x.csv", "1")
    body = """{
        "variables": {k: v for k, v in os.environ.items() if k.startswith(("SM_", "TRAINING_"))},
        "files": {n: json.load(open(f"/opt/ml/input/config/{n}.json"))
                  for n in ("hyperparameters", "inputdataconfig", "resourceconfig")},
        "data": open(os.environ["SM_CHANNEL_TRAIN"] + "/x.csv").read()}"""
    description = jobs.train(
        {"train.py": DUMP.replace("{body}", body)},
        channels={"train": uri},
        hyperparameters={"depth": "3", "sagemaker_mpi_enabled": "false", "sagemaker_job_name": '"x"'},
        Environment={"SM_MINE": "1"},
    )
    found = seen(jobs, description)
    assert found["data"] == "1"
    variables = found["variables"]
    assert variables["SM_MODEL_DIR"] == "/opt/ml/model"
    assert variables["SM_OUTPUT_DATA_DIR"] == "/opt/ml/output/data"
    assert variables["SM_CHANNEL_TRAIN"] == "/opt/ml/input/data/train"
    assert json.loads(variables["SM_CHANNELS"]) == ["train"]
    assert json.loads(variables["SM_HPS"]) == {"depth": 3}
    assert variables["SM_HP_DEPTH"] == "3"
    assert variables["SM_MINE"] == "1"
    environment = json.loads(variables["SM_TRAINING_ENV"])
    assert environment["channel_input_dirs"] == {"train": "/opt/ml/input/data/train"}
    assert environment["hyperparameters"] == {"depth": 3}
    assert environment["is_master"] is True
    assert variables["SM_USER_ARGS"] == '["--depth","3"]'
    assert variables["SM_CURRENT_INSTANCE_GROUP"] == "homogeneousCluster"
    assert json.loads(variables["SM_FRAMEWORK_PARAMS"]) == {"sagemaker_mpi_enabled": False}
    assert variables["TRAINING_JOB_NAME"] == description["TrainingJobName"]
    assert found["files"]["hyperparameters"]["depth"] == "3"
    assert found["files"]["hyperparameters"]["sagemaker_program"] == '"train.py"'
    assert found["files"]["inputdataconfig"]["train"]["TrainingInputMode"] == "File"
    assert found["files"]["resourceconfig"]["hosts"] == ["algo-1"]


def test_model_and_output_archives_hold_files_at_their_root(jobs):
    program = """
import os, pathlib
m, o = pathlib.Path(os.environ["SM_MODEL_DIR"]), pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"])
(m / "code").mkdir(); (m / "model.json").write_text("{}"); (m / "code" / "inference.py").write_text("1")
(m / "link").symlink_to("/etc/passwd"); (o / "report.txt").write_text("fine")
"""
    description = jobs.train({"train.py": program})
    uri = description["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://artifacts/models/{description['TrainingJobName']}/output/model.tar.gz"
    assert model(jobs, description) == {"code/inference.py": b"1", "model.json": b"{}"}
    assert members(jobs, uri.replace("model.tar.gz", "output.tar.gz")) == {"report.txt": b"fine"}


def test_uncompressed_output(jobs):
    description = jobs.train(
        {"train.py": "open('/opt/ml/model/m', 'w').write('1')"},
        OutputDataConfig={"S3OutputPath": "s3://artifacts/plain/", "CompressionType": "NONE"},
    )
    name = description["TrainingJobName"]
    assert description["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://artifacts/plain/{name}/output/model/"
    assert jobs.keys(f"plain/{name}/output/") == ["model/m"]


def test_secondary_status_passes_through_its_stations(jobs):
    description = jobs.train({"train.py": ""})
    transitions = description["SecondaryStatusTransitions"]
    assert [entry["Status"] for entry in transitions] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    for before, after in pairwise(transitions):
        assert before["EndTime"] == after["StartTime"]
    assert description["SecondaryStatus"] == "Completed"
    assert description["TrainingTimeInSeconds"] >= 1


def test_failure_file_is_the_reason_and_the_exit_code_is_the_toolkits(jobs):
    program = "import sys; open('/opt/ml/output/failure', 'w').write('no column cnt' + 'x' * 3000); sys.exit(7)"
    description = jobs.train({"train.py": program})
    reason = description["FailureReason"]
    assert description["TrainingJobStatus"] == description["SecondaryStatus"] == "Failed"
    assert reason.startswith("AlgorithmError: no column cnt")
    assert reason.endswith(", exit code: 1")
    assert len(reason) == 1024
    assert jobs.keys(f"models/{description['TrainingJobName']}/") == []


def test_failure_without_a_file_names_the_command(jobs):
    reason = jobs.train({"train.py": "raise ValueError"}, hyperparameters={"depth": "3"})["FailureReason"]
    assert reason.startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode 1")
    assert 'Command "python3 train.py --depth 3", exit code: 1' in reason
    reason = jobs.train({"train.py": "raise ValueError"})["FailureReason"]
    assert 'Command "python3 train.py", exit code: 1' in reason


def test_a_shell_script_need_not_be_executable(jobs):
    request = jobs.training_request({"run.sh": "#!/bin/sh\necho $PWD: $@"}, hyperparameters={"depth": "3"})
    request["HyperParameters"]["sagemaker_program"] = "run.sh"
    description = jobs.run(KIND, request)
    assert description["TrainingJobStatus"] == "Completed"
    assert jobs.log(KIND, description["TrainingJobName"]).splitlines()[-1] == "/opt/ml/code: --depth 3"


def test_sources_with_a_setup_are_installed_and_run_as_a_module(jobs):
    setup = (
        "import setuptools\nsetuptools.setup(name='mine', version='1.5', packages=['tools'], py_modules=['train'])\n"
    )
    program = "import importlib.metadata, sys, tools; print(importlib.metadata.version('mine'), sys.argv[1:])"
    # The image's own setuptools: nothing is fetched.
    description = jobs.train(
        {"setup.py": setup, "train.py": program, "tools/__init__.py": ""},
        hyperparameters={"depth": "3"},
        Environment={"PIP_NO_BUILD_ISOLATION": "0"},
    )
    assert description["TrainingJobStatus"] == "Completed"
    assert jobs.log(KIND, description["TrainingJobName"]).splitlines()[-1] == "1.5 ['--depth', '3']"


def test_explicit_entry_point_gets_its_arguments_and_keeps_its_exit_code(jobs):
    """Of the variables SM_* it gets those of the image alone: the others are the toolkit's."""
    request = jobs.training_request(hyperparameters={"quote": "it's"})
    request["AlgorithmSpecification"] |= {
        "ContainerEntrypoint": ["/bin/bash"],
        "ContainerArguments": ["-c", "pwd; env | grep -c ^SM_; cat /opt/ml/input/config/hyperparameters.json; exit 9"],
    }
    description = jobs.run(KIND, request)
    assert description["FailureReason"] == "AlgorithmError: See job logs for more information, exit code: 9"
    log = jobs.log(KIND, description["TrainingJobName"]).splitlines()
    assert log[1] == "5"
    assert json.loads(log[2]) == {"quote": "it's"}


def test_metrics_are_the_last_values_printed(jobs):
    program = "print('loss=0.5;'); print('x loss=0.25; r2=-1e-3 y'); print('loss=what;')"
    request = jobs.training_request({"train.py": program})
    request["AlgorithmSpecification"]["MetricDefinitions"] = [
        {"Name": "loss", "Regex": r"loss=(\S+);"},
        {"Name": "r2", "Regex": r"r2=([-0-9.e]+)"},
        {"Name": "absent", "Regex": "absent=(.*)"},
    ]
    description = jobs.run(KIND, request)
    values = {metric["MetricName"]: metric["Value"] for metric in description["FinalMetricDataList"]}
    assert values == {"loss": 0.25, "r2": -0.001}


def test_cloudwatch_has_every_value_of_a_metric(remote):
    request = remote.training_request({"train.py": "for value in (4, 2, 1): print(f'loss={value};')"})
    request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "train:loss", "Regex": r"loss=(\S+);"}]
    description = remote.run(KIND, request)
    (point,) = remote.client("cloudwatch").get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs",
        MetricName="train:loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": name_of(description)}],
        StartTime=description["TrainingStartTime"] - timedelta(hours=1),
        EndTime=description["TrainingEndTime"] + timedelta(hours=1),
        Period=86_400,
        Statistics=["Average", "SampleCount", "Minimum"],
    )["Datapoints"]
    assert (point["SampleCount"], point["Minimum"]) == (3, 1)
    assert point["Average"] == pytest.approx(7 / 3)


def test_time_limit_keeps_what_the_model_has_by_then(jobs):
    program = "import time; open('/opt/ml/model/partial', 'w').write('1'); time.sleep(60)"
    description = jobs.train({"train.py": program}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert description["TrainingJobStatus"] == "Stopped"
    assert description["SecondaryStatus"] == "MaxRuntimeExceeded"
    stations = [entry["Status"] for entry in description["SecondaryStatusTransitions"]]
    assert stations == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "MaxRuntimeExceeded"]
    told = [
        entry["TrainingJobStatus"] for _, entry in jobs.changes if entry.get("TrainingJobName") == name_of(description)
    ]
    assert told[-3:] == ["Stopping", "Stopping", "Stopped"]
    assert model(jobs, description) == {"partial": b"1"}


def test_requirements_of_the_sources_are_installed_first(jobs):
    description = jobs.train(
        {
            "train.py": "import tomli_w; open('/opt/ml/model/v', 'w').write(tomli_w.__name__)",
            "requirements.txt": "tomli-w==1.2.0\n",
        }
    )
    assert model(jobs, description) == {"v": b"tomli_w"}


def test_requirements_that_do_not_exist_fail_the_job_with_pips_words_in_the_log(jobs):
    description = jobs.train({"train.py": "", "requirements.txt": "six==999.0\n"})
    assert description["TrainingJobStatus"] == "Failed"
    assert "No matching distribution found for six==999.0" in jobs.log(KIND, description["TrainingJobName"])


def test_program_installed_by_a_job_is_gone_for_the_next(jobs, image):
    request = jobs.training_request()
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = [
        "/bin/sh",
        "-c",
        "cd $(python3 -c 'import site; print(site.getsitepackages()[0])'); ls intruder.py && exit 1; touch intruder.py",
    ]
    for _ in range(2):
        request = {**request, "TrainingJobName": jobs.name()}
        assert jobs.run(KIND, request)["TrainingJobStatus"] == "Completed"
    assert not (image.site_packages / "intruder.py").exists()


@pytest.mark.parametrize("member", ["../evil", "/evil", "a/../../evil"])
def test_archive_member_outside_its_folder_fails_the_job(jobs, member):
    description = jobs.train({"train.py": "", member: "evil"})
    assert description["FailureReason"].startswith('ClientError: "sourcedir.tar.gz" cannot be unpacked')


def test_archive_link_to_the_outside_fails_the_job(jobs):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        link = tarfile.TarInfo("train.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    uri = jobs.put("hostile/link.tar.gz", packed.getvalue())
    description = jobs.train(None, hyperparameters={"sagemaker_program": "train.py", "sagemaker_submit_directory": uri})
    assert "cannot be unpacked" in description["FailureReason"]


def test_missing_program_archive_or_entry_point_say_so(jobs):
    assert 'does not contain the program "train.py"' in jobs.train({"other.py": ""})["FailureReason"]
    parameters = {"sagemaker_program": "x.py", "sagemaker_submit_directory": "s3://artifacts/none.tar.gz"}
    assert "none.tar.gz" in jobs.train(None, hyperparameters=parameters)["FailureReason"]
    assert "nothing to run" in jobs.train(None)["FailureReason"]


def test_an_isolated_job_takes_its_code_from_a_channel(jobs):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        content = DUMP.format(body="os.getcwd()").encode()
        program = tarfile.TarInfo("train.py")
        program.size = len(content)
        tar.addfile(program, io.BytesIO(content))
    uri = jobs.put("isolated/code/sourcedir.tar.gz", packed.getvalue())
    parameters = {"sagemaker_program": "train.py"}
    parameters["sagemaker_submit_directory"] = "/opt/ml/input/data/code/sourcedir.tar.gz"
    options = {"hyperparameters": parameters, "EnableNetworkIsolation": True}
    assert seen(jobs, jobs.train(None, channels={"code": uri}, **options)) == "/opt/ml/code"
    elsewhere = jobs.train(None, channels={"other": uri}, **options)
    assert "neither an S3 URI nor a file in a channel" in elsewhere["FailureReason"]


def test_sources_in_a_channel_may_be_a_folder_or_a_program(jobs):
    body = DUMP.format(body="[sys.argv[0], os.path.exists('helper.py')]")
    jobs.put("plain-sources/deep/train.py", body)
    jobs.put("plain-sources/helper.py", "")
    channels = {"code": "s3://artifacts/plain-sources/"}
    for directory, program, expected in (
        ("/opt/ml/input/data/code", "deep/train.py", ["deep/train.py", True]),
        ("/opt/ml/input/data/code/deep/train.py", "train.py", ["train.py", False]),
    ):
        parameters = {"sagemaker_program": "nothing.py", "sagemaker_submit_directory": directory}
        variables = {"SAGEMAKER_PROGRAM": program}
        description = jobs.train(None, channels=channels, hyperparameters=parameters, Environment=variables)
        assert seen(jobs, description) == expected


def test_checkpoints_are_restored_and_stored(jobs):
    jobs.put("checkpoints/epoch-1", "1")
    program = "import os; n = len(os.listdir('/opt/ml/checkpoints')); open(f'/opt/ml/checkpoints/epoch-{n + 1}', 'w')"
    jobs.train({"train.py": program}, CheckpointConfig={"S3Uri": "s3://artifacts/checkpoints"})
    assert jobs.keys("checkpoints/") == ["epoch-1", "epoch-2"]


def test_empty_checkpoints_are_no_error(jobs):
    description = jobs.train({"train.py": ""}, CheckpointConfig={"S3Uri": f"s3://artifacts/new-{os.getpid()}"})
    assert description["TrainingJobStatus"] == "Completed"


def test_arguments_from_nested_values():
    values = {"b": {"y": 2, "x": 1}, "list": [1, "two"], "none": None}
    assert script_mode.to_arguments(values) == ["-b", "x=1,y=2", "--list", "[1, 'two']", "--none", ""]
