"""The step scripts' sources."""

import pytest

CHECKS = [
    "fit-in-training-only",
    "split-before-fit",
    "test-rows-unseen",
    "split-repeatable",
    "script-permissions",
    "scripts-parse",
]


@pytest.mark.parametrize("check", CHECKS)
def test_good_scripts_pass(problems, sources, check):
    assert problems(check, sources) == []


@pytest.mark.parametrize("script", ["inference.py", "publish.py", "preprocess.py"])
@pytest.mark.parametrize(
    "call", ["scaler.fit(rows)", "MinMaxScaler().fit_transform(rows)", "minmax_scale(rows)", "np.linalg.qr(rows)"]
)
def test_fitting_outside_of_the_training_is_found(problems, sources, script, call):
    spoiled = {**sources, script: f"{sources[script]}\n\ndef again(rows, scaler):\n    return {call}\n"}
    (found,) = problems("fit-in-training-only", spoiled)
    line = len(spoiled[script].splitlines())
    assert found.file == f"{script}:{line}"
    assert found.message.startswith(script)


def test_fitting_in_a_module_that_a_script_imports_is_found(problems, sources):
    spoiled = {
        **sources,
        "inference.py": f"from analysis.model.fitting import fit_linear_model\n{sources['inference.py']}",
    }
    spoiled["inference.py"] = spoiled["inference.py"].replace("from __future__ import annotations\n", "")
    found = problems("fit-in-training-only", spoiled)
    assert found
    assert all(problem.file.startswith("analysis/model/fitting.py:") for problem in found)


@pytest.mark.parametrize("script", ["preprocess_mine.py", "score.py", "clean.py"])
def test_a_script_of_somebodys_own_learns_nothing_either(problems, sources, script):
    added = {**sources, script: "def again(rows, scaler):\n    return scaler.fit(rows)\n"}
    (found,) = problems("fit-in-training-only", added)
    assert found.file == f"{script}:2"


@pytest.mark.parametrize("script", ["train_forest.py", "tune.py"])
def test_a_training_of_somebodys_own_may_fit(problems, sources, script):
    assert problems("fit-in-training-only", {**sources, script: "model.fit(rows)\n"}) == []


DIRECTLY = """
def main():
    rows = scaler.fit_transform(read())
    train, test = train_test_split(rows, random_state=1)
"""
INSIDE = """
def main():
    train, test = train_test_split(scaler.fit_transform(read()), random_state=1)
"""
THROUGH_FUNCTIONS = """
def scaled(rows):
    return scaler.fit_transform(rows)

def halves(rows):
    return train_test_split(rows, random_state=1)

def main():
    rows = scaled(read())
    return halves(rows)
"""


PERMUTED = """
def positions(count):
    return RandomState(1).permutation(count)

def main():
    rows = scaler.fit_transform(read())
    return rows[positions(len(rows))]
"""


@pytest.mark.parametrize(("source", "line"), [(DIRECTLY, 3), (INSIDE, 3), (THROUGH_FUNCTIONS, 9), (PERMUTED, 6)])
@pytest.mark.parametrize("script", ["train.py", "train_mine.py"])
def test_fitting_before_the_split_is_found(problems, sources, script, source, line):
    (found,) = problems("split-before-fit", {**sources, script: source})
    assert found.file == f"{script}:{line}"


@pytest.mark.parametrize(
    "source",
    [
        "train, test = train_test_split(rows, random_state=1)\nscaler.fit(train)\n",
        "def a():\n    scaler.fit(rows)\n\ndef b():\n    train_test_split(rows, random_state=1)\n",
        "scaler.fit(rows)\n",
    ],
)
def test_fitting_after_the_split_passes(problems, sources, source):
    assert problems("split-before-fit", {**sources, "train.py": source}) == []


@pytest.mark.parametrize("source", ["def main(:\n", "x = '\udce9'\n", "\0"])
def test_what_is_no_python_is_named_and_left_out(problems, sources, source):
    spoiled = {**sources, "preprocess.py": source}
    (found,) = problems("scripts-parse", spoiled)
    assert found.file == "preprocess.py"
    assert [name for name in CHECKS if name != "scripts-parse" and problems(name, spoiled)] == []


@pytest.mark.parametrize("seed", ["", ", random_state=None", ", shuffle=True"])
def test_a_split_without_a_seed_is_found_in_any_script(problems, sources, seed):
    source = f"train_test_split([1, 2, 3]{seed})\n"
    assert len(problems("split-repeatable", {**sources, "prepare.py": source})) == 1


@pytest.mark.parametrize("seed", [", random_state=seed", ", shuffle=False", ", **options"])
def test_a_split_that_can_be_repeated_passes(problems, sources, seed):
    source = f"train_test_split([1, 2, 3]{seed})\n"
    assert problems("split-repeatable", {**sources, "prepare.py": source}) == []


@pytest.mark.parametrize("seed", ["seed", "0", "seed=seed", "seed=0", "*options", "**options"])
@pytest.mark.parametrize("generator", ["RandomState", "np.random.RandomState", "numpy.random.default_rng"])
def test_a_permutation_by_a_seeded_generator_is_a_split_that_can_be_repeated(problems, sources, generator, seed):
    source = f"drawn = {generator}({seed}).permutation(count)\n"
    assert problems("split-repeatable", {**sources, "preprocess.py": source}) == []


@pytest.mark.parametrize(
    "generator", ["np.random", "RandomState()", "RandomState(None)", "np.random.default_rng(seed=None)"]
)
def test_a_permutation_without_a_seed_is_found(problems, sources, generator):
    source = f"rows = read()\ndrawn = {generator}.permutation(len(rows))\n"
    (found,) = problems("split-repeatable", {**sources, "preprocess.py": source})
    assert found.file == "preprocess.py:2"
    assert "no seed" in found.message


def test_a_training_that_reads_test_rows_is_found(problems, sources):
    spoiled = {**sources, "train.py": sources["train.py"].replace('"train.csv"', '"test.csv"')}
    (found,) = problems("test-rows-unseen", spoiled)
    assert found.file.startswith("train.py:")


def test_a_split_without_a_seed_is_found(problems, sources):
    source = "from sklearn.model_selection import train_test_split\n\ntrain, test = train_test_split([1, 2, 3])\n"
    (found,) = problems("split-repeatable", {**sources, "preprocess.py": source})
    assert found.file == "preprocess.py:3"


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
    assert found.file.startswith("publish.py:")
