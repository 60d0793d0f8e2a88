"""Processing jobs as they run: the container's files, S3 both ways, exits, stops, time-outs."""

import gzip
import json
import os
import threading
import tomllib

import psutil
import pytest

from localmaker.images.environments import image_environment
from localmaker.images.table import find_image
from localmaker.sandbox.sandbox import Isolation
from localmaker.services.sagemaker.jobs.kinds import JobKind

OUT = "/opt/ml/processing/output/out"
BUCKET = "artifacts"
KIND = JobKind.PROCESSING


def output(jobs, description, name):
    return jobs.read(f"{description['ProcessingJobName']}/out/{name}").decode()


def leftovers(marker):
    """Return the processes of the machine whose command line contains the marker."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and any(marker in word for word in command):
            found.append(process)
    return found


def test_arguments_inputs_and_outputs_reach_their_places(jobs):
    uri = jobs.put("data/a/one.csv", "1,2\n").rsplit("/", 1)[0] + "/"
    jobs.put("data/a/deep/two.csv", "3,4\n")
    description = jobs.process(
        f'printf "%s|" "$@" > {OUT}/arguments; cp -r /opt/ml/processing/input/data {OUT}/copy',
        arguments=("--flag", "two words", "$HOME", "*"),
        inputs={"data": uri},
    )
    assert description["ProcessingJobStatus"] == "Completed"
    assert "ExitMessage" not in description
    assert "FailureReason" not in description
    assert output(jobs, description, "arguments") == "--flag|two words|$HOME|*|"
    assert output(jobs, description, "copy/one.csv") == "1,2\n"
    assert output(jobs, description, "copy/deep/two.csv") == "3,4\n"


def test_configuration_files_describe_the_job(jobs):
    description = jobs.process(f"cp /opt/ml/config/*.json {OUT}", environment={"A": "b"})
    configuration = json.loads(output(jobs, description, "processingjobconfig.json"))
    assert configuration["ProcessingJobArn"] == description["ProcessingJobArn"]
    assert configuration["Environment"] == {"A": "b"}
    assert configuration["ProcessingOutputConfig"] == description["ProcessingOutputConfig"]
    hosts = json.loads(output(jobs, description, "resourceconfig.json"))
    assert hosts["current_host"] == "algo-1"
    assert hosts["hosts"] == ["algo-1"]


def test_environment_holds_the_jobs_variables_the_images_and_the_endpoint_only(jobs, monkeypatch):
    monkeypatch.setenv("LEAKED_SECRET", "1")
    description = jobs.process(f"env -0 > {OUT}/env", environment={"MINE": "a=b\nc", "LANG": "de_DE.UTF-8"})
    entries = output(jobs, description, "env").split("\0")
    variables = dict(entry.split("=", 1) for entry in entries if entry)
    assert variables["MINE"] == "a=b\nc"
    assert variables["LANG"] == "de_DE.UTF-8"
    assert variables["PYTHONUNBUFFERED"] == "1"
    assert variables["AWS_ENDPOINT_URL"] == jobs.url
    assert "LEAKED_SECRET" not in variables


def test_threads_that_wait_leave_the_cores_to_other_jobs_unless_the_job_says_otherwise(jobs):
    show = f'printf %s "$OMP_WAIT_POLICY" > {OUT}/policy'
    assert output(jobs, jobs.process(show), "policy") == "PASSIVE"
    assert output(jobs, jobs.process(show, environment={"OMP_WAIT_POLICY": "ACTIVE"}), "policy") == "ACTIVE"


def test_python_is_the_images(jobs, image):
    description = jobs.process(
        f"cd {OUT}; python3 -c 'import sys, pandas; print(sys.prefix, pandas.__version__)' > python; which pip >>python"
    )
    assert output(jobs, description, "python").splitlines() == ["/opt/env 2.2.3", "/opt/env/bin/pip"]


def test_message_becomes_the_exit_message(jobs):
    description = jobs.process("echo all well > /opt/ml/output/message")
    assert description["ExitMessage"] == "all well"


def test_failure_has_exit_code_and_message_and_uploads_nothing(jobs):
    description = jobs.process(
        f"echo half > {OUT}/half; echo row 3 has no date > /opt/ml/output/message; exit 3",
    )
    assert description["ProcessingJobStatus"] == "Failed"
    assert description["ExitMessage"] == "row 3 has no date"
    assert description["FailureReason"] == "AlgorithmError: row 3 has no date, exit code: 3"
    assert jobs.keys(f"{description['ProcessingJobName']}/") == []


def test_failure_without_a_message_points_to_the_log(jobs):
    description = jobs.process("exit 1")
    assert description["FailureReason"] == "AlgorithmError: See job logs for more information, exit code: 1"


def test_long_message_is_cut_to_a_kilobyte(jobs):
    description = jobs.process("head -c 5000 /dev/zero | tr '\\0' x > /opt/ml/output/message; exit 1")
    assert len(description["ExitMessage"]) == 1024
    assert len(description["FailureReason"]) == 1024
    assert description["FailureReason"].endswith(", exit code: 1")


def test_job_ended_by_a_signal_reports_128_plus_its_number(jobs):
    assert jobs.process("kill -KILL $$")["FailureReason"].endswith(", exit code: 137")


def test_missing_entry_point_fails_with_its_name(jobs):
    request = jobs.processing_request("")
    request["AppSpecification"]["ContainerEntrypoint"] = ["/no/such/program"]
    description = jobs.run(KIND, request)
    assert description["FailureReason"].startswith("ClientError: the container could not be started")
    assert "/no/such/program" in description["FailureReason"]


def test_image_without_entry_point_fails(jobs):
    request = jobs.processing_request("")
    del request["AppSpecification"]["ContainerEntrypoint"]
    assert "no ContainerEntrypoint" in jobs.run(KIND, request)["FailureReason"]


def test_an_image_is_known_once_the_lines_that_its_job_failed_with_are_added(make_jobs):
    jobs = make_jobs()
    request = jobs.processing_request("echo ran")
    request["AppSpecification"]["ImageUri"] = "registry/mine:7"
    failed = jobs.run(KIND, request)
    table = jobs.state_dir / "images.toml"
    assert str(table) in failed["FailureReason"]
    lines = jobs.log(KIND, failed["ProcessingJobName"]).splitlines()
    assert "\n".join(lines) == failed["FailureReason"]
    table.write_text("\n".join(lines[-4:]))
    assert jobs.run(KIND, request | {"ProcessingJobName": jobs.name()})["ProcessingJobStatus"] == "Completed"


def test_unknown_image_fails_with_the_lines_to_add(jobs):
    request = jobs.processing_request("true")
    request["AppSpecification"]["ImageUri"] = "123.dkr.ecr.us-east-1.amazonaws.com/tensorflow:9"
    reason = jobs.run(KIND, request)["FailureReason"]
    assert reason.startswith("ClientError: ")
    assert tomllib.loads(reason[reason.index("[[image]]") :])["image"][0]["pattern"] == "*tensorflow:9*"


@pytest.mark.slow
def test_an_older_image_gets_the_nearest_environment_and_its_log_says_so(jobs):
    uri = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
    image_environment(find_image(uri))
    request = jobs.processing_request("python3 -c 'import pandas, scipy, sklearn; print(sklearn.__version__)'")
    request["AppSpecification"]["ImageUri"] = uri
    description = jobs.run(KIND, request)
    assert description["ProcessingJobStatus"] == "Completed", description.get("FailureReason")
    said, version = jobs.log(KIND, description["ProcessingJobName"]).splitlines()
    assert said.startswith("sagemaker-scikit-learn:1.2-1-cpu-py3: not the image's versions, but the nearest")
    assert "(3.9 in the image)" in said
    assert version.split(".") >= ["1", "2", "1"]


def test_prefix_is_a_prefix_of_names(jobs):
    uri = jobs.put("prefix/raw/a.csv", "1")
    jobs.put("prefix/raw/a.csv.bak", "2")
    jobs.put("prefix/raw/b.csv", "3")
    description = jobs.process(f"ls /opt/ml/processing/input/data > {OUT}/names", inputs={"data": uri})
    assert output(jobs, description, "names").split() == ["a.csv", "a.csv.bak"]


@pytest.mark.parametrize(
    "key", ["with space.csv", "a+b.csv", "100%.csv", "Zürich/日本.csv", "q?x=1#y.csv", "'quoted'.csv"]
)
def test_odd_keys_work_both_ways(jobs, key):
    jobs.put(f"odd/{key}/x/{key}", "1")
    description = jobs.process(
        f"cp -r /opt/ml/processing/input/data/. {OUT}", inputs={"data": f"s3://{BUCKET}/odd/{key}/x/"}
    )
    assert description["ProcessingJobStatus"] == "Completed", description["FailureReason"]
    assert output(jobs, description, key) == "1"


def test_prefix_that_matches_nothing_fails_as_in_aws(jobs):
    uri = f"s3://{BUCKET}/nothing/here/"
    reason = jobs.process("true", inputs={"data": uri})["FailureReason"]
    assert reason.startswith(f'ClientError: Failed to download data. No S3 objects found under S3 URL "{uri}"')
    assert "NoSuchBucket" in jobs.process("true", inputs={"data": "s3://no-such-bucket/x"})["FailureReason"]


@pytest.mark.parametrize("tail", ["../../../../../etc/evil", "a/../../evil", ".."])
def test_key_that_leads_out_of_its_folder_fails_the_job(jobs, tail):
    folder = f"hostile/{abs(hash(tail))}/"
    jobs.put(folder + tail, "evil")
    description = jobs.process("true", inputs={"data": f"s3://{BUCKET}/{folder}"})
    assert description["ProcessingJobStatus"] == "Failed"
    assert description["FailureReason"].startswith("ClientError: Failed to download data.")
    assert not list(jobs.state_dir.rglob("evil"))


def test_key_that_is_file_and_folder_fails_the_job(jobs):
    jobs.put("both/x", "1")
    jobs.put("both/x/y", "1")
    reason = jobs.process("true", inputs={"data": f"s3://{BUCKET}/both/"})["FailureReason"]
    assert "both a folder as well as a file" in reason


def test_links_in_outputs_are_not_followed(jobs):
    description = jobs.process(f"ln -s /etc/passwd {OUT}/a; ln -s /etc {OUT}/b; mkfifo {OUT}/c; echo 1 > {OUT}/d")
    assert jobs.keys(f"{description['ProcessingJobName']}/out/") == ["d"]


def test_output_folder_replaced_by_a_link_fails_the_job(jobs):
    description = jobs.process(f"rmdir {OUT}; ln -s /etc {OUT}")
    assert "symbolic link" in description["FailureReason"]
    assert jobs.keys(f"{description['ProcessingJobName']}/") == []


def test_message_that_is_a_link_is_not_read(jobs):
    assert "ExitMessage" not in jobs.process("ln -s /etc/passwd /opt/ml/output/message")


def test_gzip_inputs_are_unpacked(jobs):
    jobs.put("packed/x.csv.gz", gzip.compress(b"1,2"))
    request = jobs.processing_request(
        f"cp /opt/ml/processing/input/data/* {OUT}", inputs={"data": f"s3://{BUCKET}/packed/"}
    )
    request["ProcessingInputs"][0]["S3Input"]["S3CompressionType"] = "Gzip"
    assert output(jobs, jobs.run(KIND, request), "x.csv") == "1,2"


def test_time_limit_stops_the_whole_tree(jobs):
    marker = f"60.{os.getpid()}1"
    description = jobs.process(
        f"trap '' TERM; (setsid sleep {marker} &) ; sleep {marker} & sleep {marker}; sleep {marker}",
        StoppingCondition={"MaxRuntimeInSeconds": 1},
    )
    assert description["ProcessingJobStatus"] == "Stopped"
    assert "maximum runtime of 1 seconds" in description["FailureReason"]
    assert leftovers(marker) == []


def test_stop_ends_the_whole_tree(jobs):
    marker = f"60.{os.getpid()}2"
    request = jobs.processing_request(
        f"echo up; (setsid nohup sleep {marker} &); trap '' TERM; while :; do sleep {marker}; done"
    )
    name = request["ProcessingJobName"]
    jobs.service.create(KIND, request)
    while not jobs.service.log_path(KIND, name).exists() or "up" not in jobs.log(KIND, name):
        threading.Event().wait(0.01)
    jobs.service.stop(KIND, name)
    jobs.service.stop(KIND, name)
    assert jobs.service.describe(KIND, name)["ProcessingJobStatus"] in ("Stopping", "Stopped")
    assert jobs.service.wait(KIND, name)["ProcessingJobStatus"] == "Stopped"
    assert leftovers(marker) == []


def test_what_a_job_leaves_running_ends_with_it(jobs):
    marker = f"60.{os.getpid()}3"
    assert jobs.process(f"(setsid sleep {marker} &); true")["ProcessingJobStatus"] == "Completed"
    assert leftovers(marker) == []


def test_log_goes_to_cloudwatch_line_by_line(jobs):
    description = jobs.process("echo one; echo two >&2; echo; printf 'no end'")
    name = description["ProcessingJobName"]
    group = "/aws/sagemaker/ProcessingJobs"
    (stream,) = jobs.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    events = jobs.logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
    assert [event["message"] for event in events["events"]] == ["one", "two", " ", "no end"]
    assert stream["logStreamName"].startswith(f"{name}/algo-1-")
    assert jobs.log(KIND, name) == "one\ntwo\n\nno end"


def test_large_output_arrives_whole(jobs):
    description = jobs.process("seq 1 20000; head -c 600000 /dev/zero | tr '\\0' y")
    log = jobs.log(KIND, description["ProcessingJobName"])
    assert log.startswith("1\n2\n")
    assert log.endswith("y" * 600000)
    assert log.count("\n") == 20000


def test_status_changes_are_told(jobs):
    name = jobs.process("true")["ProcessingJobName"]
    told = [entry["ProcessingJobStatus"] for _, entry in jobs.changes if entry.get("ProcessingJobName") == name]
    assert told == ["InProgress", "Completed"]


def test_network_isolation_leaves_a_loopback_only(jobs):
    if jobs.service.isolation is Isolation.NONE:
        pytest.skip("without namespaces a job shares the machine's network")
    description = jobs.process(
        "python3 -c \"import urllib.request; urllib.request.urlopen('$AWS_ENDPOINT_URL')\"",
        NetworkConfig={"EnableNetworkIsolation": True},
    )
    assert description["ProcessingJobStatus"] == "Failed"
    assert "refused" in jobs.log(KIND, description["ProcessingJobName"])


def test_the_jobs_directory_is_removed(jobs):
    name = jobs.process("mkdir -p /opt/ml/x/y; touch /opt/ml/x/y/z; chmod 0 /opt/ml/x/y /opt/ml/x")["ProcessingJobName"]
    assert {path.name for path in jobs.service.log_path(KIND, name).parent.iterdir()} == {"record.json", "log"}
