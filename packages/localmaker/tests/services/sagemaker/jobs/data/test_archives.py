"""Archives that are small, and large when unpacked."""

import gzip

import pytest
from tests.services.sagemaker.jobs.conftest import archive

from localmaker.services.sagemaker.jobs.data import archives
from localmaker.services.sagemaker.jobs.failures import JobFailure
from localmaker.services.sagemaker.jobs.kinds import JobKind

ZEROS = bytes(600_000)


def test_members_are_added_up_before_they_are_written(tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(archive({"a": ZEROS, "b": ZEROS}))
    archives.unpack(tmp_path / "model.tar.gz", tmp_path / "whole", 1_200_000)
    with pytest.raises(JobFailure, match=r'ClientError: "model.tar.gz" is larger than the job.s disk limit of 0.00112'):
        archives.unpack(tmp_path / "model.tar.gz", tmp_path / "some", 1_199_999)
    assert [path.name for path in (tmp_path / "some").iterdir()] == ["a"]


def test_compressed_inputs_are_added_up(tmp_path):
    for name in ("a.gz", "b.gz"):
        (tmp_path / name).write_bytes(gzip.compress(ZEROS))
    with pytest.raises(JobFailure, match=r'ClientError: "b.gz" is larger than'):
        archives.gunzip_folder(tmp_path, 1_199_999)


def test_requirements_are_not_read_without_bound(jobs):
    description = jobs.train({"train.py": "", "requirements.txt": b"#" * 3_000_000})
    assert description["FailureReason"] == "ClientError: requirements.txt is larger than 1 MiB."
    request = jobs.processing_request(
        "true", inputs={"code": jobs.put("big/sourcedir.tar.gz", archive({"requirements.txt": b"#" * 3_000_000}))}
    )
    description = jobs.run(JobKind.PROCESSING, request)
    assert description["FailureReason"] == "ClientError: requirements.txt is larger than 1 MiB."


def test_archives_are_below_the_disk_limit_of_the_job(make_jobs, monkeypatch):
    monkeypatch.setenv("LOCALMAKER_JOB_DISK_GIB", "0.001")
    description = make_jobs().train({"train.py": "", "large": bytes(2_000_000)})
    assert description["FailureReason"].startswith('ClientError: "sourcedir.tar.gz" is larger than the job')
