"""Versions of a registry that is lost, in another one: the same in use, files and decisions theirs, once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from analysis.runtime.registry import in_use, metadata, put_in_use, who_decided
from pipeline.aws.clients import Aws
from pipeline.errors import RecoveryError
from pipeline.recovery import versions
from pipeline.recovery.backup import Backup
from pipeline.recovery.images import images_here
from pipeline.recovery.manifest import Manifest, StoredGroup
from pipeline.recovery.places import MANIFEST, Folder, check, place_of, read_manifest
from pipeline.recovery.restore import Outcome, Restoration, in_words
from pipeline.recovery.versions import ORIGINAL_NUMBER, restore_versions, rewritten
from pipeline.results.decisions import approve, roll_back
from pipeline.results.registry import packages_of
from tests.pipeline.recovery.conftest import IMAGE

KEY = "arn:aws:kms:eu-central-1:999988887777:key/0123abcd-0123-0123-0123-0123456789ab"


def backup(aws: Aws, folder: Path, **options: bool) -> Any:
    chosen = {"every_version": False, "features": False, **options}
    return Backup(aws, Folder(folder), lambda _: None).make(**chosen)


def restore(aws: Aws, folder: Path) -> dict[int, int]:
    place = Folder(folder)
    manifest = read_manifest(place)
    assert manifest is not None
    return restore_versions(aws, place, manifest, images_here(manifest, aws.settings)[0], lambda _: None)


def packages(aws: Aws) -> dict[int, Any]:
    found = packages_of(aws, aws.settings.model_package_group_name)
    return {
        one["ModelPackageVersion"]: {name: value for name, value in one.items() if name != "ResponseMetadata"}
        for one in found
    }


def test_the_version_in_use_and_the_one_before_come_back_as_they_were(aws, elsewhere, register, tmp_path, monkeypatch):
    group = aws.settings.model_package_group_name
    first, _, third, fourth = register(), register(), register(), register()
    for number, reason in ((first, "The first"), (third, "Better"), (fourth, "Best, it seemed")):
        approve(aws, group, number, reason)
    roll_back(aws, group, "It was not")
    done = backup(aws, tmp_path)
    assert ([one.number for one in done.manifest.versions], done.manifest.in_use, done.warnings) == ([1, 3], 3, [])
    assert restore(elsewhere, tmp_path) == {1: 1, 3: 2}
    before, after = packages(aws), packages(elsewhere)
    assert len(after) == 2
    for old, new in ((1, 1), (3, 2)):
        assert put_in_use(after[new])[0] == put_in_use(before[old])[0]
        assert who_decided(after[new]) == who_decided(before[old])
        assert after[new]["ApprovalDescription"] == before[old]["ApprovalDescription"]
        assert metadata(after[new])[ORIGINAL_NUMBER] == str(old)
        assert metadata(after[new])["restored-from"] == before[old]["ModelPackageArn"]
        (container,) = after[new]["InferenceSpecification"]["Containers"]
        assert container["Image"].startswith("141502667606.dkr.ecr.eu-west-1.")
        for uri in (container["ModelDataUrl"], after[new]["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]):
            assert uri.startswith(f"s3://{elsewhere.settings.artifacts_bucket}/models/restored/")
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            assert elsewhere.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert in_use(after.values()) is after[2]
    # Version 4, which was rolled back from, is not among them; that one goes further back still works.
    assert "rolled-back-from" not in metadata(after[2])
    # Once more changes nothing, and neither does it undo what somebody has decided since.
    assert restore(elsewhere, tmp_path) == {1: 1, 3: 2}
    assert packages(elsewhere) == after
    roll_back(elsewhere, group, "For now")
    decided = packages(elsewhere)
    assert restore(elsewhere, tmp_path) == {1: 1, 3: 2}
    assert packages(elsewhere) == decided
    # Where nothing was lost, nothing is registered.
    assert restore(aws, tmp_path) == {1: 1, 3: 3}
    assert packages(aws) == before


def test_the_version_that_is_in_use_is_said_and_not_the_one_that_was(aws, elsewhere, register, tmp_path) -> None:
    group = aws.settings.model_package_group_name
    for number in (register(), register()):
        approve(aws, group, number, "Agreed")
    manifest = backup(aws, tmp_path).manifest
    told: list[str] = []
    restoration = Restoration.__new__(Restoration)
    restoration._aws, restoration._images, restoration._report = elsewhere, {}, told.append
    for expected in (2, 1):
        restoration.outcome = Outcome("", "", [])
        restoration._versions(Folder(tmp_path), manifest)
        assert restoration.outcome.in_use == expected
        assert f"Version {expected} is in use" in in_words(restoration.outcome)
        if expected == 2:
            assert restoration.outcome.notes == []
            roll_back(elsewhere, group, "For now")
    assert restoration.outcome.notes == ["Version 2 was in use, and is not here: somebody has decided since"]
    assert told[-1] == restoration.outcome.notes[0]


def test_all_versions_and_a_restoration_that_is_cut_off_anywhere(aws, elsewhere, register, tmp_path, monkeypatch):
    register("Rejected", "No"), register(), register("Approved", "By another client"), register()
    backup(aws, tmp_path, every_version=True)
    made = elsewhere.sagemaker.create_model_package
    decided = elsewhere.sagemaker.update_model_package
    left = [0]

    def cut(call: Any) -> Any:
        def answer(**request: Any) -> Any:
            found = call(**request)
            left[0] -= 1
            if left[0] <= 0:
                raise KeyboardInterrupt
            return found

        return answer

    monkeypatch.setattr(elsewhere.sagemaker, "create_model_package", cut(made))
    monkeypatch.setattr(elsewhere.sagemaker, "update_model_package", cut(decided))
    cuts = 0
    for _ in range(10):
        left[0] = 1
        try:
            numbers = restore(elsewhere, tmp_path)
            break
        except KeyboardInterrupt:
            cuts += 1
    assert cuts == 6  # four registrations, two decisions
    assert numbers == {1: 1, 2: 2, 3: 3, 4: 4}
    before, after = packages(aws), packages(elsewhere)
    assert {n: one["ModelApprovalStatus"] for n, one in after.items()} == {
        n: one["ModelApprovalStatus"] for n, one in before.items()
    }
    assert in_use(after.values()) is after[3]
    assert put_in_use(after[3])[0] == put_in_use(before[3])[0].replace(
        microsecond=put_in_use(before[3])[0].microsecond // 1000 * 1000
    )


def test_another_version_in_use_is_not_displaced(aws, elsewhere, register, tmp_path) -> None:
    group = aws.settings.model_package_group_name
    approve(aws, group, register(), "Agreed")
    backup(aws, tmp_path)
    arn = elsewhere.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": "i", "ModelDataUrl": "s3://some-bucket/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    with pytest.raises(RecoveryError, match=r"Version 1 of .* is in use, and is none of the backup's"):
        restore(elsewhere, tmp_path)
    assert [one["ModelPackageArn"] for one in packages(elsewhere).values()] == [arn]


def test_a_backup_goes_on_where_it_was_and_notices_decisions(aws, register, tmp_path, monkeypatch) -> None:
    group = aws.settings.model_package_group_name
    approve(aws, group, register(), "Agreed")
    other = register()
    put, copied = Folder.put, []

    def killed(place: Folder, key: str, *rest: Any) -> None:
        put(place, key, *rest)
        copied.append(key)
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(Folder, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            backup(aws, tmp_path)
    assert read_manifest(Folder(tmp_path)) is None
    done = backup(aws, tmp_path)
    assert (done.copied, done.unchanged) == (1, False)  # the other one is there
    again = backup(aws, tmp_path)
    assert (again.copied, again.unchanged, again.manifest) == (0, True, done.manifest)
    # Somebody decides while files are copied.
    shutil.rmtree(tmp_path)
    decisions = iter([other])

    def decided(place: Folder, key: str, *rest: Any) -> None:
        put(place, key, *rest)
        for number in decisions:
            approve(aws, group, number, "Better")

    monkeypatch.setattr(Folder, "put", decided)
    assert backup(aws, tmp_path).manifest.in_use == other


def test_a_backup_without_features_keeps_those_that_are_there(aws, register, tmp_path, monkeypatch) -> None:
    approve(aws, aws.settings.model_package_group_name, register(), "Agreed")
    stored = StoredGroup(kind="inputs", name="inputs", files=())
    with monkeypatch.context() as patch:
        patch.setattr(Backup, "_features", lambda *_: [stored])
        backup(aws, tmp_path, features=True)
    done = backup(aws, tmp_path)
    assert done.manifest.features == (stored,)
    assert done.unchanged
    assert "those of an earlier backup are kept" in done.warnings[0]


def test_what_is_gone_is_said(aws, elsewhere, register, tmp_path) -> None:
    group = aws.settings.model_package_group_name
    approve(aws, group, register(), "Agreed")
    statistics = packages(aws)[1]["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    bucket, _, key = statistics.removeprefix("s3://").partition("/")
    aws.s3.delete_object(Bucket=bucket, Key=key)
    assert backup(aws, tmp_path).warnings == [f"Version 1 names {statistics}, which is gone."]
    assert restore(elsewhere, tmp_path) == {1: 1}
    assert "ModelMetrics" not in packages(elsewhere)[1]
    aws.s3.delete_object(Bucket=bucket, Key=key.replace("evaluation.json", "model.tar.gz"))
    shutil.rmtree(tmp_path)
    backup(aws, tmp_path)
    manifest = read_manifest(Folder(tmp_path))
    assert manifest is not None
    assert versions.restorable(manifest) == []


def test_a_bucket_of_another_account(aws, register, tmp_path) -> None:
    approve(aws, aws.settings.model_package_group_name, register(), "Agreed")
    bucket = f"elsewhere-{aws.settings.prefix}"
    aws.s3.create_bucket(Bucket=bucket)
    place = place_of(f"s3://{bucket}/backups/prod/", aws, "123456789012", KEY)
    done = Backup(aws, place, lambda _: None).make(every_version=False, features=False)
    assert done.warnings == [f"{bucket} is of account 123456789012, too: it goes with the account."]
    for one in aws.s3.list_objects_v2(Bucket=bucket)["Contents"]:
        assert one["Key"].startswith("backups/prod/")
        assert aws.s3.head_object(Bucket=bucket, Key=one["Key"])["SSEKMSKeyId"] == KEY
    for file in done.manifest.files():
        check(place, file)
    own = KEY.replace("999988887777", "123456789012")
    place = place_of(f"s3://{bucket}/own", aws, None, own)
    warnings = Backup(aws, place, lambda _: None).make(every_version=False, features=False).warnings
    assert f"{own} encrypts the backup, and goes with the account: give --kms-key." in warnings
    for key in ("alias/backups", "0123abcd-0123-0123-0123-0123456789ab"):
        with pytest.raises(RecoveryError, match="is no ARN of a key"):
            place_of(f"s3://{bucket}/own", aws, None, key)
    # S3 refuses where the bucket is not that account's, be it that somebody else has made one of its name.
    wrong = place_of(f"s3://{bucket}/backups/prod", aws, "999988887777", KEY)
    with pytest.raises(RecoveryError, match=r"403|AccessDenied|Forbidden"):
        Backup(aws, wrong, lambda _: None)
    with pytest.raises(RecoveryError, match="belongs to the environment itself"):
        place_of(f"s3://{aws.settings.artifacts_bucket}/backups", aws)
    with pytest.raises(RecoveryError, match="is no S3 URI"):
        place_of(str(tmp_path), aws, "999988887777")


@pytest.mark.parametrize("damage", ["missing", "shorter", "changed"])
def test_a_damaged_file_is_refused_by_its_name(aws, register, tmp_path, damage) -> None:
    approve(aws, aws.settings.model_package_group_name, register(), "Agreed")
    file = next(backup(aws, tmp_path).manifest.files())
    path = tmp_path / file.key
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[:-1] if damage == "shorter" else bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(RecoveryError, match="is missing" if damage == "missing" else "is damaged"):
        check(Folder(tmp_path), file)


def test_the_place_of_another_environment_is_refused(aws, elsewhere, register, tmp_path) -> None:
    approve(aws, aws.settings.model_package_group_name, register(), "Agreed")
    backup(aws, tmp_path)
    with pytest.raises(RecoveryError, match=r"has the backup of .*us-east-1\)"):
        backup(elsewhere, tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(RecoveryError, match="is no manifest"):
        backup(aws, tmp_path)


def test_what_names_the_lost_account_is_rewritten_and_nothing_else() -> None:
    changes = {"s3://old/model.tar.gz": "s3://new/model.tar.gz", "s3://old/gone.json": None, IMAGE: "other:image"}
    assert rewritten(
        {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://old/model.tar.gz", "ModelDataETag": "x"}],
            "Metrics": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://old/gone.json"}},
            "SamplePayloadUrl": "s3://old/gone.json",
            "Words": "of s3://old/model.tar.gz",
            "Number": 3,
        },
        changes,
    ) == {
        "Containers": [{"Image": "other:image", "ModelDataUrl": "s3://new/model.tar.gz"}],
        "Words": "of s3://old/model.tar.gz",
        "Number": 3,
    }


def test_images_of_the_account_are_to_be_pushed(aws, register, tmp_path) -> None:
    approve(aws, aws.settings.model_package_group_name, register(), "Agreed")
    own = "111122223333.dkr.ecr.us-east-1.amazonaws.com/mine:3"
    text = json.dumps(backup(aws, tmp_path).manifest.model_dump(mode="json"))
    lost = Manifest.model_validate_json(text.replace(IMAGE, own).replace("123456789012", "111122223333"))
    there = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:3"
    assert images_here(lost, aws.settings) == ({own: there}, [f"Image: {there} has to be pushed; it was {own}"])
    assert images_here(None, aws.settings) == ({}, [])
