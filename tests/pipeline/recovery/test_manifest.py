"""The manifest of a backup: what is read is what was written, and nothing else is taken for one."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecoveryError
from pipeline.recovery.manifest import Manifest, _checksum, manifest_of, text_of

WHERE = "somewhere/backup.json"
FILE = {"sha256": "0" * 64, "size": 3, "source": "s3://some-bucket/models/model.tar.gz", "etag": '"x"'}
ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/group/3"
VERSION: dict[str, Any] = {
    "arn": ARN, "number": 3, "created": "2026-12-01T03:00:00Z", "registration": {"Task": "REGRESSION"},
    "properties": {"profile": "forecast"}, "approval": "Approved", "in_use_since": "2026-12-01T03:00:00.000Z",
    "decided_by": "Ada", "reason": "Agreed", "files": [FILE], "absent": [],
}  # fmt: skip
CONTENT: dict[str, Any] = {
    "format": 1,
    "created": "2026-12-01T04:00:00Z",
    "origin": {
        "system": "bikeshare", "environment": "prod", "account_id": "123456789012", "region": "us-east-1",
        "artifacts_bucket": "some-bucket", "model_package_group": "group",
    },
    "settings": {"environment": "prod"},
    "declaration_sha256": "1" * 64,
    "git_commit": "2" * 40,
    "versions": [VERSION],
    "in_use": 3,
    "features": [{"kind": "inputs", "name": "inputs", "files": [FILE]}],
    "connection": None,
}  # fmt: skip


def signed(content: Any) -> bytes:
    return json.dumps({"sha256": _checksum(content), "manifest": content}).encode()


@given(st.text(), st.dictionaries(st.text(), st.text()), st.datetimes(timezones=st.just(UTC)))
def test_what_is_read_is_what_was_written(reason: str, properties: dict[str, str], created: datetime) -> None:
    version = {**VERSION, "reason": reason, "properties": properties}
    manifest = Manifest.model_validate({**CONTENT, "versions": [version], "created": created})
    read = manifest_of(text_of(manifest), WHERE)
    assert read == manifest
    assert read.same_as(manifest.model_copy(update={"created": datetime.now(UTC)}))
    assert [file.key for file in read.files()] == [f"objects/{'0' * 64}"]


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_byte_that_changed_is_noticed(position: int, change: int) -> None:
    text = bytearray(signed(CONTENT))
    text[position % len(text)] ^= change
    with suppress(RecoveryError):
        # White space, or the letter of an escape.
        assert manifest_of(bytes(text), WHERE) == Manifest.model_validate_json(json.dumps(CONTENT))


def test_one_that_is_cut_off_is_none() -> None:
    text = signed(CONTENT)
    for length in range(0, len(text), 97):
        with pytest.raises(RecoveryError, match="is no manifest of a backup, or is damaged"):
            manifest_of(text[:length], WHERE)


def test_a_newer_format_is_refused_by_its_number() -> None:
    with pytest.raises(RecoveryError, match=r"has format 2, and this version of the project reads 1 at most"):
        manifest_of(signed({**CONTENT, "format": 2, "news": True}), WHERE)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("file", {"sha256": "../../etc/passwd"}),
        ("file", {"sha256": "/" + "0" * 63}),
        ("file", {"source": "/etc/passwd"}),
        ("file", {"source": "file:///etc/passwd"}),
        ("file", {"size": -1}),
        ("version", {"arn": "arn:aws:iam::123456789012:role/admin"}),
        ("version", {"approval": "Whatever"}),
        ("version", {"number": 0}),
        ("version", {"registration": {"ModelPackageName": "another"}}),
        ("version", {"registration": {"InferenceSpecification": {"Containers": "all"}}}),
        ("version", {"registration": {"InferenceSpecification": {"Containers": [{"ModelDataUrl": 1}]}}}),
        ("version", {"registration": {"ModelCard": {"ModelCardContent": "no JSON"}}}),
        ("version", {"registration": {"ModelCard": {"ModelCardContent": "[]"}}}),
        ("manifest", {"format": "1"}),
        ("manifest", {"more": "unknown"}),
        ("manifest", {"connection": {"url": "https://github.com/acme/bikes", "branch": 7}}),
        ("manifest", {"connection": {"branch": "main"}}),
        ("manifest", {"features": [{"kind": "others", "name": "x", "files": []}]}),
        ("manifest", {"features": [{"kind": "inputs", "name": "../x", "files": []}]}),
        ("origin", {"account_id": "me"}),
        ("origin", {"artifacts_bucket": "../bucket"}),
    ],
)
def test_what_no_backup_has_is_refused(part: str, change: dict[str, Any]) -> None:
    content = json.loads(json.dumps(CONTENT))
    place = {
        "file": content["versions"][0]["files"][0],
        "version": content["versions"][0],
        "manifest": content,
        "origin": content["origin"],
    }[part]
    place.update(change)
    with pytest.raises(RecoveryError, match="is no manifest of a backup"):
        manifest_of(signed(content), WHERE)
