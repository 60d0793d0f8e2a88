import pytest

pytestmark = pytest.mark.xdist_group("validate")

CHECKS = ["fit-in-training-only", "test-rows-unseen", "split-repeatable", "script-permissions"]


@pytest.mark.parametrize("check", CHECKS)
def test_our_scripts_pass(problems, sources, check):
    assert problems(check, sources) == []


@pytest.mark.parametrize("script", ["inference.py", "publish.py", "preprocess.py"])
@pytest.mark.parametrize("call", ["scaler.fit(rows)", "MinMaxScaler().fit_transform(rows)"])
def test_fitting_outside_of_the_training_is_found(problems, sources, script, call):
    spoiled = {**sources, script: f"{sources[script]}\n\ndef again(rows, scaler):\n    return {call}\n"}
    (found,) = problems("fit-in-training-only", spoiled)
    line = len(spoiled[script].splitlines())
    assert found.file == f"steps/{script}:{line}"
    assert found.message.startswith(script)


def test_fitting_in_a_module_that_a_script_imports_is_found(problems, sources):
    spoiled = {**sources, "inference.py": f"from analysis.fitting import fit_linear_model\n{sources['inference.py']}"}
    spoiled["inference.py"] = spoiled["inference.py"].replace("from __future__ import annotations\n", "")
    found = problems("fit-in-training-only", spoiled)
    assert found
    assert all(problem.file.startswith("steps/analysis/fitting.py:") for problem in found)


def test_a_training_that_reads_test_rows_is_found(problems, sources):
    spoiled = {**sources, "train.py": sources["train.py"].replace('"train.csv"', '"test.csv"')}
    (found,) = problems("test-rows-unseen", spoiled)
    assert found.file.startswith("steps/train.py:")


def test_a_split_without_a_seed_is_found(problems, sources):
    source = "from sklearn.model_selection import train_test_split\n\ntrain, test = train_test_split([1, 2, 3])\n"
    (found,) = problems("split-repeatable", {**sources, "preprocess.py": source})
    assert found.file == "steps/preprocess.py:3"


def test_a_preparation_without_a_split_is_found(problems, sources):
    (found,) = problems("split-repeatable", {**sources, "preprocess.py": "rows = []\n"})
    assert "splits no rows" in found.message


@pytest.mark.parametrize(
    ("call", "action"),
    [
        ("client.delete_object(Bucket='b', Key='k')", "s3:DeleteObject"),
        ("client.get_paginator('list_objects_v2')", "s3:ListBucket"),
        ("client.delete_model(ModelName='m')", "sagemaker:DeleteModel"),
    ],
)
def test_an_aws_call_that_is_not_in_the_table_is_found(problems, sources, call, action):
    spoiled = {**sources, "publish.py": f"{sources['publish.py']}\n\ndef more(client):\n    return {call}\n"}
    (found,) = problems("script-permissions", spoiled)
    assert action in found.message
    assert found.file.startswith("steps/publish.py:")
