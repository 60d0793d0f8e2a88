"""Transform jobs over RecordIO and TFRecord files: the requests to the model, and its answers."""

import pytest
from botocore.exceptions import ClientError
from tests.services.sagemaker.jobs.transform.test_splitting import FRAMES

from localmaker.services.sagemaker.jobs.kinds import JobKind

# Answers with what it was sent, in brackets.
ECHO = """
import os, sys

def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    sys.stdout.write(f"request of {len(body)} {content_type} {os.environ.get('SAGEMAKER_BATCH_STRATEGY')}\\n")
    return b"<" + body + b">", accept
"""
RECORDS = [b"one", b"\0\n\xff four", b""]


@pytest.fixture(scope="module")
def echo(remote):
    return remote.create_model({"code/inference.py": ECHO})


def request(remote, model, uri, split, strategy, **fields):
    found = remote.transform_request(model, uri, split=split, assemble="None", BatchStrategy=strategy, **fields)
    found["TransformInput"]["ContentType"] = found["TransformOutput"]["Accept"] = "application/x-record"
    return found


@pytest.mark.parametrize("split", FRAMES)
def test_single_records_arrive_without_their_frames(remote, echo, split):
    uri = remote.put(f"formats/single/{split}/data", b"".join(map(FRAMES[split], RECORDS)))
    description = remote.run(JobKind.TRANSFORM, request(remote, echo, uri, split, "SingleRecord"))
    assert description["TransformJobStatus"] == "Completed", description
    assert remote.outputs(description) == {"data.out": b"".join(b"<" + record + b">" for record in RECORDS)}


@pytest.mark.parametrize("split", FRAMES)
def test_many_records_arrive_in_their_frames_within_the_payload(remote, echo, split):
    frame = FRAMES[split](b"x" * 400_000)
    uri = remote.put(f"formats/many/{split}/data", frame * 5)
    wanted = request(remote, echo, uri, split, "MultiRecord", MaxPayloadInMB=1, MaxConcurrentTransforms=2)
    description = remote.run(JobKind.TRANSFORM, wanted)
    two, one = b"<" + frame * 2 + b">", b"<" + frame + b">"
    assert remote.outputs(description) == {"data.out": two + two + one}, description.get("FailureReason")
    assert f"request of {2 * len(frame)} application/x-record MULTI_RECORD" in remote.log(
        JobKind.TRANSFORM, description["TransformJobName"]
    )


def test_lines_between_answers_if_asked_for(remote, echo):
    uri = remote.put("formats/lines/data", b"".join(map(FRAMES["TFRecord"], RECORDS[:1] * 2)))
    wanted = request(remote, echo, uri, "TFRecord", "SingleRecord")
    wanted["TransformOutput"]["AssembleWith"] = "Line"
    assert remote.outputs(remote.run(JobKind.TRANSFORM, wanted)) == {"data.out": b"<one>\n<one>\n"}


def test_object_of_another_format_fails_and_the_others_do_not(remote, echo):
    uri = remote.put("formats/mixed/a", FRAMES["RecordIO"](b"one")).removesuffix("a")
    remote.put("formats/mixed/b", FRAMES["TFRecord"](b"two"))
    description = remote.run(JobKind.TRANSFORM, request(remote, echo, uri, "RecordIO", "SingleRecord"))
    assert description["TransformJobStatus"] == "Failed"
    assert "record 1 of the object is not RecordIO" in description["FailureReason"]
    assert remote.outputs(description) == {"a.out": b"<one>"}


def test_filters_need_records_that_they_can_read(remote, echo):
    wanted = request(remote, echo, "s3://artifacts/formats/", "TFRecord", "SingleRecord")
    wanted["DataProcessing"] = {"JoinSource": "Input"}
    wanted["TransformInput"]["ContentType"] = wanted["TransformOutput"]["Accept"] = "application/json"
    with pytest.raises(ClientError, match=r"ValidationException.*SplitType TFRecord"):
        remote.start(JobKind.TRANSFORM, wanted)
