"""A session works where its settings say, and starts the local endpoint only where it is meant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import ExecutionError, InputFileError
from pipeline.exploration.session import ensure, open_session, upload
from pipeline.settings.environment import VARIABLES

ROOT = Path(__file__).resolve().parents[3]
ON_AWS = """
import sys
sys.modules["localmaker"] = None
from pipeline.exploration.session import open_session
print(open_session("dev").settings.prefix)
"""


@pytest.fixture
def session(moto_account, monkeypatch):
    monkeypatch.setenv(f"{VARIABLES}DATASET", "bike_sharing")  # restored afterwards
    return open_session("local", "red_wine")


def test_it_says_where_it_works(moto_account, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(f"{VARIABLES}DATASET", "bike_sharing")
    data = tmp_path / "some.csv"
    data.write_text("a\n")
    open_session("local", "red_wine", str(data))
    assert capsys.readouterr().out.splitlines() == [
        f"Environment  local, {moto_account}",
        "Data set     Red wine quality (red_wine)",
        f"Raw file     {data}",
    ]


def test_without_a_file_the_sample_is_taken(session):
    assert session.data.name == "generated-sample.csv"
    assert len(session.data.read_text().splitlines()) == 731
    assert session.dataset.name == "redwine"


def test_a_file_that_is_not_there(moto_account, monkeypatch, tmp_path):
    monkeypatch.delenv(f"{VARIABLES}DATASET", raising=False)
    with pytest.raises(InputFileError, match=r"none\.csv is not a file"):
        open_session("local", data=str(tmp_path / "none.csv"))


def test_another_environment_needs_no_endpoint_of_ours(moto_account, monkeypatch):
    monkeypatch.setenv(f"{VARIABLES}ACCOUNT_ID", "123456789012")
    done = subprocess.run([sys.executable, "-c", ON_AWS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "bikeshare-dev"


def test_only_what_is_missing_is_created(session, capsys):
    assert ensure(session, "bucket") == 3
    capsys.readouterr()
    raw = session.settings.raw_bucket
    session.aws.s3.put_bucket_versioning(Bucket=raw, VersioningConfiguration={"Status": "Suspended"})
    assert ensure(session, "bucket") == 0
    assert capsys.readouterr().out == "Nothing to create: each bucket is there.\n"
    assert session.aws.s3.get_bucket_versioning(Bucket=raw)["Status"] == "Suspended"


def test_an_upload_into_no_bucket(session):
    with pytest.raises(ExecutionError, match="NoSuchBucket"):
        upload(session)
