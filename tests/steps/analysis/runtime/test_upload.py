from __future__ import annotations

import hashlib

import pytest

from analysis.runtime.upload import upload_report
from pipeline.demo.sample import write_sample

DATA = b"a,b\n1,2\n"
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("etag", "same"),
    [(MD5, True), (f'"{MD5}"', True), ("0" * 32, False), ("", None), (f"{MD5}-3", None), ("not an etag", None)],
)
def test_only_a_plain_md5_tells(etag: str, same: bool | None) -> None:
    assert upload_report(DATA, etag)["same"] is same


def test_a_replaced_file_is_warned_of_and_fails_nothing(call_script, tmp_path, monkeypatch) -> None:
    write_sample(tmp_path / "raw" / "days.csv", days=90)
    monkeypatch.setenv("INPUT_ETAG", "0" * 32)
    done = call_script(
        "preprocess.py", "--input-dir", tmp_path / "raw", "--input-key", "days.csv", "--output-dir", tmp_path / "out"
    )
    assert done.code == 0
    assert "replaced since, or is encrypted with KMS" in done.err
    assert '"same": false' in (tmp_path / "out" / "quality" / "quality.json").read_text()
