"""The shipped table of images: every regional URI that the SDK makes, and what its entries name."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from localmaker.images.differences import differences
from localmaker.images.environments import Interpreter, JobEnvironment
from localmaker.images.table import (
    DEFAULT_TABLE,
    ImageMapping,
    ImageTableError,
    UnknownImageError,
    find_image,
    function_runtime,
    read_table,
)

# Read as a file: an import of the SDK takes seconds.
CONFIGURATIONS = Path(find_spec("sagemaker.core").origin).parent / "image_uri_config"
XGBOOST = {
    "3.2-0": ("xgboost-3.2-0", "training.py"),
    "3.0-5": ("xgboost-3.0-5", "training.py"),
    "1.7-1": ("xgboost-1.7-1", "training.py"),
    "1.5-1": ("xgboost-1.7-1", "training.py"),
    "1.3-1": ("xgboost-1.7-1", "training.py"),
    "1.2-2": ("xgboost-1.7-1", "training_with_pickle.py"),
    "1.2-1": ("xgboost-1.7-1", "training_with_pickle.py"),
    "1.0-1": ("xgboost-1.7-1", "training_before_1_2.py"),
    "0.90-2": ("xgboost-1.7-1", "training_before_1_2.py"),
    "0.90-1": ("xgboost-1.7-1", "training_before_1_2.py"),
    "1": ("xgboost-1.7-1", "training_before_1_2.py"),
}
SCIKIT_LEARN = {
    "1.9-0": ("scikit-learn-1.9-0", "3.12"),
    "1.4-2-py312": ("scikit-learn-1.4-2", "3.12"),
    "1.4-2": ("scikit-learn-1.4-2", "3.11"),
    "1.2-1": ("scikit-learn-1.2-1", "3.11"),
    "1.0-1": ("scikit-learn-1.2-1", "3.11"),
    "0.23-1": ("scikit-learn-1.2-1", "3.11"),
    "0.20.0": ("scikit-learn-1.2-1", "3.11"),
}


def uris(framework):
    """Yield (version, URI) for every version and region, with the tags that the SDK makes."""
    scopes = json.loads((CONFIGURATIONS / f"{framework}.json").read_text())
    for scope in scopes.values():
        for version, entry in scope["versions"].items():
            for region, account in entry["registries"].items():
                domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
                suffix = "-cpu-py3" if "processors" in entry else ""
                yield version, f"{account}.dkr.ecr.{region}.{domain}/{entry['repository']}:{version}{suffix}"


def framework_uris(framework):
    """Yield the URIs of a framework's training and inference images, in every region, from TensorFlow 2 on."""
    scopes = json.loads((CONFIGURATIONS / f"{framework}.json").read_text())
    for scope in ("training", "inference"):
        for version, entry in scopes[scope]["versions"].items():
            if entry.get("repository") != f"{framework}-{scope}" or (framework, version[0]) == ("tensorflow", "1"):
                continue
            for region, account in entry["registries"].items():
                ends = [f"-{python}" for python in entry.get("py_versions", [])] or [""]
                yield from (
                    f"{account}.dkr.ecr.{region}.amazonaws.com/{framework}-{scope}:{version}-cpu{end}" for end in ends
                )


def test_every_regional_xgboost_image_has_its_algorithm():
    found = {version for version, _ in uris("xgboost")}
    assert found == set(XGBOOST)
    for version, uri in uris("xgboost"):
        image, (lock, program) = find_image(uri), XGBOOST[version]
        assert (image.lock.stem, image.train.name, image.serve.name) == (lock, program, "serving.py"), uri
        assert image.environment["SAGEMAKER_TRAINING_MODULE"] == "sagemaker_xgboost_container.training:main"
    assert find_image("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:latest").train is not None


def test_every_regional_scikit_learn_image_has_an_environment():
    assert {version for version, _ in uris("sklearn")} == set(SCIKIT_LEARN)
    for version, uri in uris("sklearn"):
        image = find_image(uri)
        assert (image.lock.stem, image.python) == SCIKIT_LEARN[version], uri
        assert image.environment["SM_MODEL_DIR"] == "/opt/ml/model"
        assert image.train is None


@pytest.mark.parametrize(
    ("tag", "lock", "python", "original"),
    [
        ("pytorch-training:1.10.0-gpu-py38", "pytorch-2.0", "3.11", {"torch": "1.10.0", "python": "3.8"}),
        ("pytorch-inference:2.1-cpu-py310", "pytorch-2.0", "3.11", {"torch": "2.1", "python": "3.10"}),
        ("pytorch-training:2.10.0-cpu-py313", "pytorch-2.6", "3.12", {"torch": "2.10.0", "python": "3.13"}),
        ("tensorflow-training:2.4.1-cpu-py37", "tensorflow-2.15", "3.11", {"tensorflow": "2.4.1", "python": "3.7"}),
        ("tensorflow-inference:2.14.1-cpu", "tensorflow-2.15", "3.11", {"tensorflow": "2.14.1"}),
        ("tensorflow-training:2.16.2-gpu-py310", "tensorflow-2.19", "3.12", {"tensorflow": "2.16.2", "python": "3.10"}),
        (
            "tensorflow-inference:2.20.0-cpu-py312",
            "tensorflow-2.19",
            "3.12",
            {"tensorflow": "2.20.0", "python": "3.12"},
        ),
        ("autogluon-training:0.4-cpu-py38", "autogluon-1.4", "3.11", {"autogluon-tabular": "0.4", "python": "3.8"}),
    ],
)
def test_one_environment_stands_in_for_many_tags_which_name_the_originals_versions(tag, lock, python, original):
    image = find_image(f"763104351884.dkr.ecr.us-east-1.amazonaws.com/{tag}")
    assert (image.lock.stem, image.python, image.original) == (lock, python, original)


def test_every_regional_framework_image_since_tensorflow_2_has_an_environment():
    found = [uri for name in ("pytorch", "tensorflow", "autogluon") for uri in framework_uris(name)]
    assert len(found) > 3000
    for uri in found:
        assert find_image(uri).lock.stem.split("-")[0] in uri


def test_images_of_other_frameworks_and_versions_stay_unknown():
    for tag in (
        "tensorflow-training:1.15.5-cpu-py37",
        "huggingface-pytorch-training:1.13.1-transformers4.26.0-gpu-py39",
    ):
        with pytest.raises(UnknownImageError):
            find_image(f"763104351884.dkr.ecr.us-east-1.amazonaws.com/{tag}")


def test_a_common_field_is_replaced_by_an_entrys_own(tmp_path):
    table = tmp_path / "images.toml"
    table.write_text(
        '[common.mine]\nlock = "a.lock"\npython = "3.12"\n'
        '[[image]]\npattern = "a"\ncommon = "mine"\n[[image]]\npattern = "b"\ncommon = "mine"\nlock = "b.lock"\n'
    )
    assert [(image.lock.name, image.python) for image in read_table(table)] == [("a.lock", "3.12"), ("b.lock", "3.12")]
    table.write_text('[[image]]\npattern = "a"\ncommon = "yours"\n')
    with pytest.raises(ImageTableError, match=r"no table common\.yours"):
        read_table(table)


def test_what_entries_name_ships_with_the_package():
    for image in read_table(DEFAULT_TABLE):
        files = [image.lock, image.source, image.train, image.serve]
        assert not [file for file in files if file is not None and not file.is_file()], image.pattern
        assert image.modules is None or image.modules.is_dir()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "[0]#011train-rmse:9.85053#011validation-rmse:1e-05",
            [("train", "rmse", "9.85053"), ("validation", "rmse", "1e-05")],
        ),
        ("[12]#011train-error@0.7:0.5", [("train", "error@0.7", "0.5")]),
        ("[2026-12-01:08:53:26:INFO] Train matrix has 200 rows", []),
    ],
)
def test_metrics_are_found_in_the_lines_of_the_rounds(line, found):
    for uri in ("1/sagemaker-xgboost:3.2-0", "1/sagemaker-xgboost:1.2-1"):
        matches = find_image(uri).metrics.finditer(line)
        assert [(match["channel"], match["metric"], match["value"]) for match in matches] == found


def environment(tmp_path, *distributions):
    for name in distributions:
        (tmp_path / "lib" / "python3.12" / "site-packages" / f"{name}.dist-info").mkdir(parents=True)
    return JobEnvironment(tmp_path, Interpreter(Path("python3"), tmp_path, "3.12.1"))


def test_the_log_names_what_differs_from_the_image(tmp_path):
    made = environment(tmp_path, "scikit_learn-1.3.2", "numpy-1.24.1", "xgboost_cpu-2.1.4")
    original = {"python": "3.9", "scikit-learn": "1.2.1", "numpy": "1.24.1", "xgboost": "1.7.4", "scipy": "1.8.0"}
    image = ImageMapping("*", tmp_path, "3.11", original=original)
    assert differences(image, made) == (
        "not the image's versions, but the nearest that can be had here: python 3.12.1 (3.9 in the image), "
        "scikit-learn 1.3.2 (1.2.1 in the image), xgboost 2.1.4 (1.7.4 in the image), "
        "scipy is missing (1.8.0 in the image)"
    )


def test_nothing_is_said_of_an_environment_like_the_images(tmp_path):
    made = environment(tmp_path, "xgboost_cpu-3.2.0", "numpy-2.1.0")
    image = ImageMapping("*", tmp_path, "3.12", original={"python": "3.12", "xgboost": "3.2.0", "numpy": "2.1"})
    assert differences(image, made) is None


@pytest.mark.parametrize(("runtime", "python"), [("python3.13", "3.13"), ("python3.10", "3.10"), ("python3.8", "3.12")])
def test_a_runtime_too_old_for_the_sdk_has_the_default_python(runtime, python):
    assert function_runtime(runtime).python == python
