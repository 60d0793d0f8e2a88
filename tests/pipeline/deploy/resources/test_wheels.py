"""Wheels in the artifacts bucket: got once, checked by their hash, completed, and named where they can't be had."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from pipeline.definition.bundle import REQUIREMENTS_FILE
from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan
from pipeline.deploy.engine.resource import Action
from pipeline.deploy.resources.wheels import Wheels, fetched, pin_of
from pipeline.errors import DeploymentError
from pipeline.step_code import Lock

pytestmark = pytest.mark.xdist_group("deploy")


@pytest.fixture
def offline(monkeypatch):
    """Pip reaches nothing."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


@pytest.fixture
def index(offline, monkeypatch, tmp_path):
    """Return a folder that is the only place where pip finds wheels, with one in it; and its hash."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    wheel = tmp_path / "index" / "some_thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some_thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: some-thing\nVersion: 1.0\n")
        archive.writestr("some_thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("some_thing-1.0.dist-info/RECORD", "")
    return wheel, hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_a_lock_is_read_whole():
    text = "# by make lock\none==1.0 \\\n    --hash=sha256:" + "0" * 64 + " \\\n    --hash=sha256:" + "1" * 64 + "\n"
    lock = Lock.of(f"{text}two-b==2.0 --hash=sha256:{'2' * 64}\n")
    assert lock.pins == {"one==1.0": {"0" * 64, "1" * 64}, "two-b==2.0": {"2" * 64}}
    assert lock.prefix == f"wheels/{lock.sha256}"


def test_the_shipped_lock_is_empty_because_the_image_has_what_the_steps_need():
    assert Lock.of(REQUIREMENTS_FILE.read_text(encoding="utf-8")).pins == {}


@pytest.mark.parametrize(
    ("key", "pin"),
    [
        ("wheels/ab/interface_meta-2.0.1-py3-none-any.whl", "interface-meta==2.0.1"),
        ("Typing.Extensions-4.16.0-1-py3-none-any.whl", "typing-extensions==4.16.0"),
        ("wheels/ab/marker", "marker=="),
    ],
)
def test_a_wheel_says_which_pin_it_is_of(key, pin):
    assert pin_of(key) == pin


def test_a_wheel_is_fetched_for_the_image_once(index):
    wheel, digest = index
    (first,) = fetched({"some-thing==1.0": frozenset({digest})})
    assert first.read_bytes() == wheel.read_bytes()
    shutil.rmtree(wheel.parent)
    assert fetched({"some-thing==1.0": frozenset({digest})}) == [first]


def test_a_cached_file_that_was_changed_is_fetched_again(index):
    _, digest = index
    pins = {"some-thing==1.0": frozenset({digest})}
    (cached,) = fetched(pins)
    cached.write_bytes(b"evil")
    assert hashlib.sha256(fetched(pins)[0].read_bytes()).hexdigest() == digest


def test_a_file_with_another_hash_than_the_locks_is_refused(index):
    with pytest.raises(DeploymentError, match=r"wheels of some-thing==1\.0 .*DO NOT MATCH THE HASHES") as caught:
        fetched({"some-thing==1.0": frozenset({"0" * 64})})
    assert "repeat bikeshare deploy" in str(caught.value.hint)


def test_a_wheel_that_is_nowhere_is_named(index):
    _, digest = index
    with pytest.raises(DeploymentError, match=r"No matching distribution found for absent==2\.0"):
        fetched({"absent==2.0": frozenset({digest})})


def test_deployment_reaches_for_no_index_where_nothing_is_missing(aws, small_lock, offline, cache):
    aws.s3.create_bucket(Bucket="things-wheels")
    wheels = Wheels(small_lock.prefix, "things-wheels", small_lock)
    apply_plan(make_plan([wheels], aws), aws)
    kept = {path: path.read_bytes() for path in (cache / "bikeshare" / "wheels").glob("*.whl")}
    for path in kept:
        path.unlink()
    assert make_plan([wheels], aws).is_empty
    apply_plan(make_plan([wheels], aws), aws)
    # What is in the bucket is not fetched again for what is missing beside it.
    aws.s3.delete_object(Bucket="things-wheels", Key=f"{wheels.name}/tiny-1.0-py3-none-any.whl")
    plan = make_plan([wheels], aws)
    assert [item.field for change in plan.changes for item in change.differences] == ["tiny==1.0"]
    with pytest.raises(DeploymentError, match=r"The wheels of tiny==1\.0 for the image's platform"):
        apply_plan(plan, aws)
    for path, content in kept.items():
        Path(path).write_bytes(content)
    apply_plan(plan, aws)
    assert make_plan([wheels], aws).is_empty
    destroy([wheels], aws, keep_data=True)
    assert make_plan([wheels], aws).is_empty
    destroy([wheels], aws, keep_data=False)
    assert [change.action for change in make_plan([wheels], aws).changes] == [Action.CREATE]
