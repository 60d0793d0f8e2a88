"""The job service: refusals in AWS's words, lists, restarts, closing, many jobs at once."""

import json
import threading
from types import SimpleNamespace

import pytest

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, find_handler
from localmaker.services.sagemaker import tags
from localmaker.services.sagemaker.jobs import handlers  # noqa: F401 - registers the operations
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.service import JobService

PROCESSING = JobKind.PROCESSING


def refused(jobs, kind, request):
    with pytest.raises(AwsError) as caught:
        jobs.service.create(kind, request)
    return caught.value


def test_name_can_be_used_once(jobs):
    request = jobs.processing_request("true")
    arn = jobs.service.create(PROCESSING, request)
    assert arn == f"arn:aws:sagemaker:us-east-1:123456789012:processing-job/{request['ProcessingJobName']}"
    error = refused(jobs, PROCESSING, request)
    assert error.code == "ResourceInUse"
    assert arn in error.message
    jobs.service.wait(PROCESSING, request["ProcessingJobName"])


@pytest.mark.parametrize("kind", list(JobKind))
def test_unknown_job(jobs, kind):
    for ask in (jobs.service.describe, jobs.service.stop, jobs.service.wait):
        with pytest.raises(AwsError) as caught:
            ask(kind, "absent")
        assert caught.value.code == "ValidationException"
        expected = "Requested resource not found." if kind is JobKind.TRAINING else "Could not find requested job"
        assert caught.value.message.startswith(expected)


def test_ended_job_cannot_be_stopped(jobs):
    name = jobs.process("true")["ProcessingJobName"]
    with pytest.raises(AwsError, match="is in status Completed"):
        jobs.service.stop(PROCESSING, name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ProcessingJobName": "../../etc"}, "regular expression pattern"),
        ({"ProcessingJobName": "a" * 64}, ""),
        ({"RoleArn": None}, "RoleArn"),
        ({"Unknown": 1}, "Unknown"),
        (
            {
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceCount": 101, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
                }
            },
            "InstanceCount",
        ),
    ],
)
def test_processing_requests_that_are_refused(jobs, change, message):
    error = refused(jobs, PROCESSING, {**jobs.processing_request("true"), **change})
    assert error.code == "ValidationException"
    assert message in error.message


@pytest.mark.parametrize(
    "path", ["/etc", "/opt/ml/processing/../../../etc", "/opt/ml/model", "processing", "/opt/ml/processingx"]
)
def test_local_paths_outside_processing_are_refused(jobs, path):
    request = jobs.processing_request("true", inputs={"data": "s3://artifacts/x"})
    request["ProcessingInputs"][0]["S3Input"]["LocalPath"] = path
    assert "under /opt/ml/processing/" in refused(jobs, PROCESSING, request).message
    request = jobs.processing_request("true")
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["LocalPath"] = path
    assert "under /opt/ml/processing/" in refused(jobs, PROCESSING, request).message


def test_same_tag_key_twice_is_refused(jobs):
    tags = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert "Duplicate tag key: a" in refused(jobs, PROCESSING, jobs.processing_request("true", Tags=tags)).message


def test_same_input_name_twice_is_refused(jobs):
    request = jobs.processing_request("true", inputs={"data": "s3://artifacts/x"})
    request["ProcessingInputs"] *= 2
    assert "Duplicate input name: data" in refused(jobs, PROCESSING, request).message


def preferences(*counts, **fields):
    types = ["ml.m5.large", "ml.c5.large", "ml.m5.large"]
    entries = [
        {"InstanceType": kind} | ({"InstanceCount": count} if count else {})
        for kind, count in zip(types, counts, strict=False)
    ]
    return {"ProcessingResources": {"ClusterConfig": {"VolumeSizeInGB": 1, "InstancePreferences": entries, **fields}}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (preferences(1, InstanceType="ml.m5.large"), "mutually exclusive"),
        (preferences(1, 1, 1), "Duplicate InstanceType of InstancePreferences"),
        (preferences(1, 0), "given either once"),
        (preferences(1, InstanceCount=1), "given either once"),
        (preferences(0), "given either once"),
    ],
)
def test_instance_preferences_that_are_refused(jobs, change, message):
    assert message in refused(jobs, PROCESSING, {**jobs.processing_request("true"), **change}).message


@pytest.mark.parametrize("change", [preferences(2, 1), preferences(0, 0, InstanceCount=2)])
def test_first_instance_preference_is_selected(jobs, change):
    request = {**jobs.processing_request("hostname"), **change}
    cluster = jobs.run(PROCESSING, request)["ProcessingResources"]["ClusterConfig"]
    assert (cluster["SelectedInstanceType"], cluster["SelectedInstanceCount"]) == ("ml.m5.large", 2)
    assert jobs.service.log_path(PROCESSING, request["ProcessingJobName"], 2).read_text() == "algo-2\n"


@pytest.mark.parametrize("path", ["/opt/ml/processing/same", "/opt/ml/processing//same/"])
def test_inputs_need_local_paths_of_their_own(jobs, path):
    request = jobs.processing_request("true", inputs={"a": "s3://artifacts/x", "b": "s3://artifacts/y"})
    for entry, where in zip(request["ProcessingInputs"], ("/opt/ml/processing/same", path), strict=True):
        entry["S3Input"]["LocalPath"] = where
    assert "Duplicate LocalPath of an input: /opt/ml/processing/same" in refused(jobs, PROCESSING, request).message


def test_input_that_sagemaker_manages_needs_a_local_path(jobs):
    request = jobs.processing_request("true", inputs={"a": "s3://artifacts/x"})
    del request["ProcessingInputs"][0]["S3Input"]["LocalPath"]
    message = refused(jobs, PROCESSING, request).message
    assert message.startswith("Input a missing one or more required fields for SageMaker-managed S3Input")


def test_output_that_sagemaker_manages_goes_to_s3(jobs):
    request = jobs.processing_request("true")
    request["ProcessingOutputConfig"]["Outputs"] = [
        {"OutputName": "a", "FeatureStoreOutput": {"FeatureGroupName": "group"}}
    ]
    assert "without AppManaged an output needs S3Output" in refused(jobs, PROCESSING, request).message


def algorithm(**fields):
    return {"AlgorithmSpecification": {"TrainingImage": "x", "TrainingInputMode": "File", **fields}}


def channel(**fields):
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://a/b"}}
    return {"InputDataConfig": [{"ChannelName": "a", "DataSource": data, **fields}]}


def augmented(data_type="AugmentedManifestFile", **fields):
    changed = channel(**fields)
    changed["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataType"] = data_type
    return changed


def manifest(**fields):
    return augmented("ManifestFile", **fields)


def spot(**condition):
    return {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxRuntimeInSeconds": 10, **condition}}


def warm(seconds):
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    return {"ResourceConfig": {**resources, "KeepAlivePeriodInSeconds": seconds}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"AlgorithmSpecification": {"TrainingInputMode": "File"}}, "TrainingImage"),
        (algorithm(MetricDefinitions=[{"Name": "a", "Regex": "("}]), "Regex"),
        (algorithm(MetricDefinitions=[{"Name": "a", "Regex": "a"}]), "no group"),
        (channel(ChannelName=".."), "channel name"),
        (manifest(InputMode="FastFile"), "FastFile needs S3DataType S3Prefix"),
        (augmented(InputMode="FastFile"), "S3Prefix"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 28 * 86_400 + 1}}, "28 days"),
        ({"EnableManagedSpotTraining": True}, "Invalid MaxWaitTimeInSeconds"),
        (spot(MaxWaitTimeInSeconds=9), "Invalid MaxWaitTimeInSeconds"),
        (spot(MaxWaitTimeInSeconds=10) | warm(60), "KeepAlivePeriodInSeconds"),
        (algorithm(TrainingImageConfig={"TrainingRepositoryAccessMode": "Vpc"}), "VpcConfig"),
        ({"CheckpointConfig": {"S3Uri": "s3://a/b", "LocalPath": "/etc"}}, "below /opt/ml"),
        ({"TensorBoardOutputConfig": {"S3OutputPath": "s3://a/b", "LocalPath": "/opt/ml/../x"}}, "below /opt/ml"),
        (channel(RecordWrapperType="RecordIO"), "InputMode Pipe"),
        (augmented(), "InputMode Pipe and AttributeNames"),
        (augmented(InputMode="Pipe"), "InputMode Pipe and AttributeNames"),
    ],
)
def test_training_requests_that_are_refused(jobs, change, message):
    assert message in refused(jobs, JobKind.TRAINING, {**jobs.training_request(), **change}).message


def formats(content_type, accept):
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://artifacts/x"}}
    return {
        "TransformInput": {"DataSource": data, "ContentType": content_type},
        "TransformOutput": {"S3OutputPath": "s3://artifacts/y", "Accept": accept},
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "100 MB"),
        ({"DataProcessing": {"InputFilter": "$..x"}}, "unknown operator"),
        ({"DataProcessing": {"InputFilter": "$[1:]"}}, "TransformInput.ContentType"),
        ({"DataProcessing": {"JoinSource": "Input"}, **formats("text/csv", "application/json")}, "of one format"),
        ({"DataProcessing": {"JoinSource": "Input"}, **formats("text/csv", "text/csv")}, "SplitType Line"),
    ],
)
def test_transform_requests_that_are_refused(jobs, change, message):
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://artifacts/x"}}
    request = {
        "TransformJobName": jobs.name(),
        "ModelName": "m",
        "TransformInput": {"DataSource": data},
        "TransformOutput": {"S3OutputPath": "s3://artifacts/y"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **change,
    }
    assert message in refused(jobs, JobKind.TRANSFORM, request).message


def test_lists_filter_sort_and_page(make_jobs):
    jobs = make_jobs()
    names = [jobs.process("exit 1" if number == 1 else "true", outputs=())["ProcessingJobName"] for number in range(3)]

    def listed(**request):
        response = jobs.service.list(PROCESSING, request)
        return [entry["ProcessingJobName"] for entry in response["ProcessingJobSummaries"]], response.get("NextToken")

    assert listed() == (names[::-1], None)
    assert listed(SortOrder="Ascending", SortBy="Name")[0] == sorted(names)
    assert listed(StatusEquals="Failed")[0] == [names[1]]
    assert listed(NameContains=names[2][-3:])[0] == [names[2]]
    created = jobs.service.describe(PROCESSING, names[1])["CreationTime"]
    assert listed(CreationTimeAfter=created)[0] == [names[2], names[1]]
    first, token = listed(MaxResults=2)
    assert first == [names[2], names[1]]
    assert listed(MaxResults=2, NextToken=token) == ([names[0]], None)
    with pytest.raises(AwsError, match="NextToken"):
        listed(NextToken="???")
    assert jobs.service.list(JobKind.TRAINING) == {"TrainingJobSummaries": []}


def test_pages_go_on_where_they_ended_although_jobs_come_and_go(make_jobs):
    jobs = make_jobs()
    names = [jobs.process("true", outputs=())["ProcessingJobName"] for _ in range(4)]

    def listed(**request):
        response = jobs.service.list(PROCESSING, {"MaxResults": 2, **request})
        return [entry["ProcessingJobName"] for entry in response["ProcessingJobSummaries"]], response.get("NextToken")

    for order in ({}, {"SortBy": "Name"}, {"SortBy": "Status"}):
        first, token = listed(**order)
        assert first == [names[3], names[2]]
        assert listed(**order, NextToken=token) == ([names[1], names[0]], None)
    first, token = listed()
    jobs.service.delete(PROCESSING, names[2])
    names.append(jobs.process("true", outputs=())["ProcessingJobName"])
    assert listed(NextToken=token) == ([names[1], names[0]], None)


def test_restart_keeps_what_ended_and_fails_what_was_running(make_jobs):
    jobs = make_jobs()
    ended = jobs.train({"train.py": "print('loss=1;')"})
    description = jobs.process("true", Tags=[{"Key": "a", "Value": "b"}])
    folder = jobs.service.log_path(PROCESSING, description["ProcessingJobName"]).parent
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**record, "status": "InProgress", "ended": None}))
    (folder / "work" / "ml").mkdir(parents=True)

    again = jobs.new_service()
    assert again.describe(JobKind.TRAINING, ended["TrainingJobName"]) == ended
    interrupted = again.describe(PROCESSING, description["ProcessingJobName"])
    assert interrupted["ProcessingJobStatus"] == "Failed"
    assert "endpoint stopped while this job was running" in interrupted["FailureReason"]
    assert not (folder / "work").exists()
    assert again.record(PROCESSING, description["ProcessingJobName"]).tags == ({"Key": "a", "Value": "b"},)
    again.close()


def test_close_ends_running_jobs_at_once(make_jobs):
    jobs = make_jobs(stop_grace_seconds=60)
    request = jobs.processing_request("trap '' TERM; echo up; while :; do sleep 9; done")
    name = request["ProcessingJobName"]
    jobs.service.create(PROCESSING, request)
    while not jobs.service.log_path(PROCESSING, name).exists() or "up" not in jobs.log(PROCESSING, name):
        threading.Event().wait(0.01)
    jobs.service.close()
    description = jobs.service.describe(PROCESSING, name)
    assert description["ProcessingJobStatus"] == "Failed"
    assert "endpoint stopped while this job was running" in description["FailureReason"]
    assert refused(jobs, PROCESSING, jobs.processing_request("true")).code == "InternalFailure"


def test_job_stopped_while_it_waits_for_its_turn_never_starts(make_jobs):
    jobs = make_jobs(slots=threading.BoundedSemaphore(1))
    first, second = jobs.processing_request("sleep 1"), jobs.processing_request("true")
    for request in (first, second):
        jobs.service.create(PROCESSING, request)
    jobs.service.stop(PROCESSING, second["ProcessingJobName"])
    description = jobs.service.wait(PROCESSING, second["ProcessingJobName"])
    assert description["ProcessingJobStatus"] == "Stopped"
    assert "ProcessingStartTime" not in description
    assert jobs.service.wait(PROCESSING, first["ProcessingJobName"])["ProcessingJobStatus"] == "Completed"


def test_failing_callback_does_not_change_the_job(make_jobs, caplog):
    jobs = make_jobs()
    jobs.changes = None
    assert jobs.process("true")["ProcessingJobStatus"] == "Completed"
    assert "could not be reported" in caplog.text


def context_of(jobs):
    """Return the context of a request to the service under test, without pipelines."""
    endpoint = SimpleNamespace(service=lambda kind, _region: {JobService: jobs.service}[kind])
    return RequestContext("123456789012", "us-east-1", endpoint)


def test_handlers_answer_for_every_kind(jobs):
    context = context_of(jobs)

    def ask(operation, request):
        return find_handler("sagemaker", operation)(request, context)

    request = jobs.processing_request("true")
    name = {"ProcessingJobName": request["ProcessingJobName"]}
    arn = ask("CreateProcessingJob", request)["ProcessingJobArn"]
    jobs.service.wait(PROCESSING, request["ProcessingJobName"])
    assert ask("DescribeProcessingJob", name)["ProcessingJobArn"] == arn
    assert ask("ListProcessingJobs", {"NameContains": request["ProcessingJobName"]})["ProcessingJobSummaries"]
    with pytest.raises(AwsError):
        ask("StopProcessingJob", name)
    for kind in JobKind:
        for operation in (f"Create{kind}Job", f"Describe{kind}Job", f"List{kind}Jobs", f"Stop{kind}Job"):
            assert find_handler("sagemaker", operation) is not None


def test_tags_of_a_job(jobs):
    description = jobs.process("true", Tags=[{"Key": "a", "Value": "1"}])
    arn = description["ProcessingJobArn"]
    assert jobs.service.change_tags(arn, {"a": "2", "b": "3"}) == {"a": "2", "b": "3"}
    assert jobs.service.change_tags(arn, {}, ["a"]) == {"b": "3"}
    assert jobs.service.change_tags(arn, {}) == {"b": "3"}
    with pytest.raises(AwsError, match="Could not find requested job"):
        jobs.service.change_tags(f"{arn}-gone", {})
    with pytest.raises(AwsError, match="is not a job"):
        jobs.service.change_tags("arn:aws:sagemaker:us-east-1:123456789012:model/x", {})
    with pytest.raises(AwsError, match="Too many tags"):
        jobs.service.change_tags(arn, {str(number): "" for number in range(51)})


def test_tags_of_a_job_through_the_operations(jobs):
    arn = jobs.process("true")["ProcessingJobArn"]
    context = context_of(jobs)
    tag = {"Key": "a", "Value": "1"}
    assert tags.add_tags({"ResourceArn": arn, "Tags": [tag]}, context) == {"Tags": [tag]}
    assert tags.list_tags({"ResourceArn": arn}, context) == {"Tags": [tag]}
    assert tags.delete_tags({"ResourceArn": arn, "TagKeys": ["a"]}, context) == {}
    assert tags.list_tags({"ResourceArn": arn}, context) == {"Tags": []}
