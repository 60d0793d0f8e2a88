"""Job environments: keys, tables of images, requirements; builds with an empty lock so that they are quick."""

import fcntl
import json
import re
import shutil
import subprocess
import threading
import time
import tomllib
from dataclasses import replace

import pytest

from localmaker.images import environments
from localmaker.images.environments import EnvironmentBuildError, derived_environment, image_environment
from localmaker.images.patience import Patience, StoppedWaitingError, TimeExceededError
from localmaker.images.table import (
    DEFAULT_IMAGE,
    ImageMapping,
    ImageTableError,
    UnknownImageError,
    find_image,
    read_table,
)
from localmaker.services.sagemaker.jobs.running.following import StopSignal

WHEEL = "tomli-w==1.2.0"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "localmaker" / "environments"


@pytest.fixture
def empty_image(tmp_path):
    lock = tmp_path / "empty-1.lock"
    lock.write_text("# nothing\n")
    return ImageMapping("*", lock, "3.12", {"A": "b"})


def test_environment_is_built_once_also_by_several_at_a_time(cache, empty_image):
    lines = []
    threads = [threading.Thread(target=image_environment, args=(empty_image, lines.append)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines) == 2, lines
    environment = image_environment(empty_image, lines.append)
    assert len(lines) == 2
    assert environment.variables == {"A": "b"}
    assert environment.prefix.parent == cache
    assert subprocess.check_output([environment.python, "-c", "print(1)"]) == b"1\n"


def test_other_content_is_another_environment(cache, empty_image):
    first = image_environment(empty_image).prefix
    empty_image.lock.write_text("# something\n")
    assert image_environment(empty_image).prefix != first


def test_an_images_own_modules_are_in_its_environment(cache, empty_image, tmp_path):
    module = tmp_path / "modules" / "of_the_image" / "__init__.py"
    module.parent.mkdir(parents=True)
    module.write_text("ANSWER = 1\n")
    image = replace(empty_image, modules=tmp_path / "modules")
    first = image_environment(image)
    module.write_text("ANSWER = 2\n")
    second = image_environment(image)
    program = "import of_the_image; print(of_the_image.ANSWER)"
    found = [subprocess.check_output([one.python, "-c", program]) for one in (first, second)]
    assert found == [b"1\n", b"2\n"]


def test_incomplete_environment_is_built_again(cache, empty_image):
    prefix = image_environment(empty_image).prefix
    prefix.with_name(f"{prefix.name}.complete").unlink()
    (prefix / "stale").touch()
    assert image_environment(empty_image).prefix == prefix
    assert not (prefix / "stale").exists()


def test_an_environment_that_was_deleted_is_built_again(cache, empty_image):
    prefix = image_environment(empty_image).prefix
    shutil.rmtree(prefix)
    assert image_environment(empty_image).python.is_file()


def test_waiting_for_another_builder_ends_with_a_stop_and_at_the_deadline(cache, empty_image):
    prefix = image_environment(empty_image).prefix
    prefix.with_name(f"{prefix.name}.complete").unlink()
    with prefix.with_name(f"{prefix.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TimeExceededError):
            image_environment(empty_image, patience=Patience(None, time.monotonic()))
        stop = StopSignal()
        stop.request()
        with pytest.raises(StoppedWaitingError):
            image_environment(empty_image, patience=Patience(stop))
        stop.close()


def test_failed_build_leaves_nothing_and_says_why(cache, empty_image):
    empty_image.lock.write_text("no-such-package-anywhere==1.0 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(EnvironmentBuildError, match="no-such-package-anywhere"):
        image_environment(empty_image)
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_missing_lock_file_is_named(empty_image):
    empty_image.lock.unlink()
    with pytest.raises(EnvironmentBuildError, match=r"empty-1\.lock"):
        image_environment(empty_image)


def test_derived_environment_adds_to_the_images(image):
    derived = derived_environment(image, f"{WHEEL}\nnumpy\n")
    code = "import numpy, tomli_w; print(numpy.__file__); print(tomli_w.__file__)"
    numpy, added = subprocess.check_output([derived.python, "-c", code], text=True).splitlines()
    assert numpy.startswith(str(image.site_packages))
    assert added.startswith(str(derived.site_packages))
    assert derived.prefixes == (derived.prefix, image.prefix)
    assert not (image.site_packages / "tomli_w").exists()


def test_pip_finds_the_requirements_satisfied(image):
    derived = derived_environment(image, f"{WHEEL}\nnumpy\n")
    command = [derived.prefix / "bin" / "pip", "install", "--no-index", WHEEL, "numpy", "pandas==2.2.3"]
    output = subprocess.check_output(command, text=True)
    assert output.count("already satisfied") >= 3


def test_default_image_has_an_environment():
    for uri in (DEFAULT_IMAGE, f"141502667606.dkr.ecr.eu-west-1.amazonaws.com/{DEFAULT_IMAGE}"):
        mapping = find_image(uri)
        assert mapping.lock.is_file()
        assert mapping.python == "3.12"


def test_default_image_has_the_containers_libraries(image):
    # Scripts written for the container import these besides scikit-learn.
    names = ("PIL", "certifi", "cryptography", "google.protobuf", "psutil", "requests")
    code = f"import yaml, setuptools, sagemaker_inference.decoder, {', '.join(names)}; print(requests.__version__)"
    command = [image.python, "-W", "ignore", "-c", code]
    assert subprocess.check_output(command, text=True, cwd=image.prefix).strip() == "2.33.0"


def test_own_table_comes_first(tmp_path, monkeypatch):
    table = tmp_path / "images.toml"
    table.write_text('[[image]]\npattern = "*/mine:*"\nlock = "mine.lock"\npython = "3.13"\n')
    monkeypatch.setenv("LOCALMAKER_IMAGES", str(table))
    assert find_image("registry/mine:1").lock == tmp_path / "mine.lock"
    assert find_image(DEFAULT_IMAGE).python == "3.12"
    with pytest.raises(UnknownImageError, match=r"pattern = '\*other:2\*'"):
        find_image("registry/other:2")
    table.unlink()
    with pytest.raises(ImageTableError, match=r"images\.toml"):
        find_image(DEFAULT_IMAGE)


@pytest.mark.parametrize("uri", ["registry/other:2", "registry/it's:2", "registry/o[th]er:2@sha256:0"])
def test_lines_to_add_make_the_image_known(tmp_path, uri):
    with pytest.raises(
        UnknownImageError, match=re.escape(f"Add these lines to {tmp_path / 'images.toml'} ")
    ) as unknown:
        find_image(uri, tmp_path)
    text = str(unknown.value)
    (tmp_path / "images.toml").write_text(text[text.index("[[image]]") :])
    found = find_image(uri, tmp_path)
    assert (found.lock, found.python) == (find_image(DEFAULT_IMAGE).lock, "3.12")


def test_lines_to_add_are_four_and_the_same_in_json(tmp_path):
    with pytest.raises(UnknownImageError) as unknown:
        find_image("registry/other:2", tmp_path)
    shown = json.dumps(str(unknown.value))
    lines = shown.strip('"').split("\\n")[1:]
    assert lines == list(unknown.value.lines)
    assert len(lines) == 4
    assert tomllib.loads("\n".join(lines))["image"][0]["pattern"] == "*other:2*"


COMPLETE = "[[image]]\npattern = 'x'\nlock = 'l'\npython = '3.12'\n"


@pytest.mark.parametrize(
    "content",
    [
        "[[image]]\npattern = 'x'\n",
        "= nonsense",
        f"{COMPLETE}train = 'beside.py'\n",
        f"{COMPLETE}metrics = '('\n",
        f"{COMPLETE}metrics = '(?P<metric>a)(?P<value>b)'\n",
    ],
)
def test_broken_table_is_named(tmp_path, content):
    table = tmp_path / "images.toml"
    table.write_text(content)
    with pytest.raises(ImageTableError, match=r"images\.toml"):
        read_table(table)


def test_a_cache_behind_a_link_is_named_by_where_it_is(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "link"))
    assert environments.cache_root() == tmp_path / "disk" / "localmaker" / "environments"
