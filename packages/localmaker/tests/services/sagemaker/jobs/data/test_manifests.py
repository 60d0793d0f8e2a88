"""ManifestFile and AugmentedManifestFile inputs, and channels in Pipe mode."""

import json
import struct

import pytest

from localmaker.services.sagemaker.jobs.data.inputs import read_manifest
from localmaker.services.sagemaker.jobs.data.pipes import as_record, shuffled
from localmaker.services.sagemaker.jobs.failures import JobFailure
from localmaker.services.sagemaker.jobs.kinds import JobKind

OUT = "/opt/ml/processing/output/out"


def test_manifest_names_the_objects_of_a_processing_input(jobs):
    for key in ("a.csv", "deep/b.csv", "c.csv"):
        jobs.put(f"manifest/data/{key}", key)
    uri = jobs.put(
        "manifest/list", json.dumps([{"prefix": "s3://artifacts/manifest/"}, "data/a.csv", "data/deep/b.csv"])
    )
    request = jobs.processing_request(
        f"cd /opt/ml/processing/input/data; find . -type f | sort > {OUT}/names", inputs={"data": uri}
    )
    request["ProcessingInputs"][0]["S3Input"]["S3DataType"] = "ManifestFile"
    description = jobs.run(JobKind.PROCESSING, request)
    names = jobs.read(f"{description['ProcessingJobName']}/out/names").decode().split()
    assert names == ["./data/a.csv", "./data/deep/b.csv"]


@pytest.mark.parametrize(
    "content", [b"x", b"{}", b"[]", b'[{"prefix": 1}, "a"]', b'[{"prefix": "s3://a/"}, 1]', b"[1]"]
)
def test_what_is_no_manifest_is_named(content):
    with pytest.raises(JobFailure, match="s3://a/list"):
        read_manifest("s3://a/list", content)


def test_manifest_without_objects_fails():
    with pytest.raises(JobFailure, match="names no objects"):
        read_manifest("s3://a/list", b'[{"prefix": "s3://a/"}]')


def train_through_pipe(jobs, source, program, **fields):
    request = jobs.training_request({"train.py": program})
    request["InputDataConfig"] = [
        {"ChannelName": "train", "DataSource": {"S3DataSource": source}, "InputMode": "Pipe", **fields}
    ]
    description = jobs.run(JobKind.TRAINING, request)
    name = description["TrainingJobName"]
    assert description["TrainingJobStatus"] == "Completed", jobs.log(JobKind.TRAINING, name)
    return jobs.log(JobKind.TRAINING, name)


def test_pipe_gives_all_objects_once_an_epoch(jobs):
    jobs.put("pipe/a", "1\n")
    jobs.put("pipe/b", "2\n" * 200_000)
    program = (
        "for epoch in range(2):\n"
        "    data = open(f'/opt/ml/input/data/train_{epoch}').read()\n"
        "    print(epoch, len(data), data[:4].split())\n"
    )
    log = train_through_pipe(jobs, {"S3DataType": "S3Prefix", "S3Uri": "s3://artifacts/pipe/"}, program)
    assert "0 400002 ['1', '2']\n1 400002 ['1', '2']\n" in log


def test_pipe_that_nobody_reads_does_not_hold_the_job(jobs):
    train_through_pipe(jobs, {"S3DataType": "S3Prefix", "S3Uri": jobs.put("pipe2/a", "1")}, "print('done')")


def test_augmented_manifest_streams_the_named_attributes(jobs):
    image = jobs.put("augmented/image", "<image>")
    lines = [{"image-ref": image, "label": 1, "other": 0}, {"other": 1, "label": {"a": "b"}, "image-ref": image}]
    uri = jobs.put("augmented/list.json", "\n".join(map(json.dumps, lines)))
    source = {"S3DataType": "AugmentedManifestFile", "S3Uri": uri, "AttributeNames": ["image-ref", "label"]}
    program = "print(open('/opt/ml/input/data/train_0', 'rb').read())"
    assert """b'<image>1<image>{"a": "b"}'""" in train_through_pipe(jobs, source, program)
    records = as_record(b"<image>") + as_record(b"1") + as_record(b"<image>") + as_record(b'{"a": "b"}')
    assert repr(records) in train_through_pipe(jobs, source, program, RecordWrapperType="RecordIO")


def test_augmented_manifest_without_an_attribute_fails_with_the_line(jobs):
    uri = jobs.put("augmented/short.json", '{"a": 1}\n{"b": 1}\n')
    source = {"S3DataType": "AugmentedManifestFile", "S3Uri": uri, "AttributeNames": ["a"]}
    request = jobs.training_request({"train.py": ""})
    request["InputDataConfig"] = [{"ChannelName": "t", "DataSource": {"S3DataSource": source}, "InputMode": "Pipe"}]
    assert "Line 2 of the augmented manifest" in jobs.run(JobKind.TRAINING, request)["FailureReason"]


def test_record_is_filled_to_four_bytes():
    assert as_record(b"abcde") == struct.pack("<II", 0xCED7230A, 5) + b"abcde\0\0\0"


def test_shuffling_keeps_everything_and_differs_between_epochs():
    items = list(range(50))
    first, second = (list(shuffled(items, 7, epoch)) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == items
    assert first != second
    assert list(shuffled(items, None, 1)) == items
