from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.runtime.errors import SettingsError
from analysis.runtime.upload import Claim, identity_of, prediction_name, read_claim, upload_report, write_claim
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


IDENTITY = "0123456789abcdef" * 4
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=60)


@pytest.mark.parametrize(
    ("key", "stem"),
    [
        ("raw/training/day.csv", "day"),
        ("raw/training/2024/a b+c%20d.csv", "a-b-c-20d"),
        ("raw/training/Größe_été.csv", "Gro-e_ete"),
        ("raw/training/日本.csv", "file"),
        ("raw/training/.hidden.csv", "hidden"),
        ("raw/training/_x_.csv", "x"),
        ("raw/training/../../etc/passwd", "passwd"),
        ("raw/training/=cmd|' C calc'!A0.csv", "cmd-C-calc-A0"),
        ("raw/training/" + "n" * 300 + ".csv", "n" * 80),
        ("", "file"),
    ],
)
def test_names_of_outputs(key: str, stem: str) -> None:
    assert prediction_name(key, IDENTITY) == f"{stem}-0123456789ab"


@given(TEXT)
def test_any_key_gives_a_name_that_is_safe_everywhere(key: str) -> None:
    name = prediction_name(key, IDENTITY)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}-0123456789ab", name)


VERSION = st.tuples(TEXT, TEXT, TEXT)


@given(VERSION, VERSION)
def test_only_the_same_object_version_has_the_same_identity(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (identity_of(*one) == identity_of(*other)) == (one == other)


CLAIM = Claim(
    "process", "first", "b", "raw/ü +%.csv", "e", IDENTITY, "u-0123", "2026-01-02", "2026-01-02T03:04:05Z", "s3://a/i/"
)


def test_a_claim_is_read_as_it_was_written(tmp_path) -> None:
    write_claim(CLAIM, tmp_path)
    assert read_claim(tmp_path) == CLAIM


def test_a_file_of_another_kind_is_refused(tmp_path) -> None:
    with pytest.raises(SettingsError, match="can't be read"):
        read_claim(tmp_path)
    path = write_claim(replace(CLAIM, dt=""), tmp_path)
    path.write_text('{"decision": "process"}')
    with pytest.raises(SettingsError, match=r"lacks reason, bucket"):
        read_claim(tmp_path)
    path.write_text("[]")
    with pytest.raises(SettingsError, match="not a JSON object"):
        read_claim(tmp_path)
