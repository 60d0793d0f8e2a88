"""Outputs that a hostile job leaves behind: too deep, too large, with names that are no keys."""

import pytest

from localmaker.services.sagemaker.jobs.kinds import JobKind

OUT = "/opt/ml/processing/output/out"
# Nested folders, with a file in the last one where there is a second argument.
DIG = "import os, sys\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')\nif sys.argv[1:]: open('file', 'w').close()\n"


def test_depth_changes_nothing(jobs):
    description = jobs.process(f'cd {OUT}; echo 1 > a; python3 -c "$DIG"', environment={"DIG": DIG})
    name = description["ProcessingJobName"]
    assert description["ProcessingJobStatus"] == "Completed", description
    assert jobs.keys(f"{name}/") == ["out/a"]
    assert not (jobs.service.log_path(JobKind.PROCESSING, name).parent / "work").exists()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            'mkdir deep; cd deep; python3 -c "$DIG" file',
            "ClientError: The output ending in '{}file' cannot be stored: keys have at most 1024 bytes.".format(
                "d/" * 48
            ),
        ),
        (
            "touch $'x\\ny'",
            (
                "ClientError: The output '{name}/out/x\\ny' cannot be stored: its name has control characters, "
                "or bytes that are not UTF-8."
            ),
        ),
        (
            "truncate -s 40M x; truncate -s 40M y",
            (
                "ClientError: The outputs are larger than the job's disk limit o"
                "f 0.05 GiB; sparse files count with their "
                "full size."
            ),
        ),
    ],
    ids=["deep", "newline", "sparse"],
)
def test_what_cannot_be_stored_fails_the_job_before_anything_is(make_jobs, monkeypatch, script, reason):
    monkeypatch.setenv("LOCALMAKER_JOB_DISK_GIB", "0.05")
    jobs = make_jobs()
    description = jobs.process(f"cd {OUT}; echo 1 > a; {script}", environment={"DIG": DIG})
    name = description["ProcessingJobName"]
    assert description["FailureReason"] == reason.replace("{name}", name)
    assert jobs.keys(f"{name}/") == []


def test_sparse_model_is_refused(make_jobs, monkeypatch):
    monkeypatch.setenv("LOCALMAKER_JOB_DISK_GIB", "0.05")
    jobs = make_jobs()
    program = "for name in 'ab':\n    open(f'/opt/ml/model/{name}', 'wb').truncate(40_000_000)\n"
    description = jobs.train({"train.py": program})
    assert description["FailureReason"].startswith("ClientError: The outputs are larger")
    assert jobs.keys(f"models/{description['TrainingJobName']}/") == []
