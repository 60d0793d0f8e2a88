"""The step scripts' sources, read and never run: who fits, on what, and whether the split can be repeated."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pipeline.validate.registry import Problem, Sources, source_check
from pipeline.validate.source_code import calls

TRAINING_SCRIPT, SPLIT_SCRIPT = "train.py", "preprocess.py"
#: Scripts that handle rows and learn nothing from them. The evaluation may fit baselines, the training has to fit.
FITTING_NOTHING = ("inference.py", "preprocess.py", "publish.py", "ingest_features.py", "select_model.py", "claim.py")
_FITTING_METHODS = frozenset({"fit", "fit_transform", "partial_fit", "fit_predict", "fit_regularized"})
_TEST_ROWS = ("test.csv", "SM_CHANNEL_TEST", "/test/")


@source_check("fit-in-training-only", "no script fits anything but the training's: preparation, serving, publishing")
def only_training_fits(sources: Sources) -> Iterator[Problem]:
    for script in FITTING_NOTHING:
        if script not in sources:
            continue
        for call in calls(script, sources):
            if call.name in _FITTING_METHODS:
                yield Problem(
                    f"{script} calls .{call.name}(): it learns from rows of which some are test rows or new.",
                    f"Move what is learned to {TRAINING_SCRIPT} and let it travel in the model artefact.",
                    file=f"steps/{call.file}:{call.line}",
                )


@source_check("test-rows-unseen", "the training script names no test rows")
def training_reads_no_test_rows(sources: Sources) -> Iterator[Problem]:
    if TRAINING_SCRIPT not in sources:
        return
    tree = ast.parse(sources[TRAINING_SCRIPT], TRAINING_SCRIPT)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            named = [mark for mark in _TEST_ROWS if mark in node.value]
            if named:
                yield Problem(
                    f"{TRAINING_SCRIPT} names {named[0]}: the model could learn from the rows that judge it.",
                    "Read the training channel only.",
                    file=f"steps/{TRAINING_SCRIPT}:{node.lineno}",
                )


@source_check("split-repeatable", "rows are split in one place, with a seed")
def split_has_a_seed(sources: Sources) -> Iterator[Problem]:
    if SPLIT_SCRIPT not in sources:
        return
    splits = [call for call in calls(SPLIT_SCRIPT, sources) if call.name == "train_test_split"]
    if not splits:
        yield Problem(
            f"{SPLIT_SCRIPT} splits no rows.",
            "Call scikit-learn's train_test_split there.",
            file=f"steps/{SPLIT_SCRIPT}",
        )
    for call in splits:
        if "random_state" not in call.keywords:
            yield Problem(
                "The split has no seed: the same file gives other test rows each time.",
                "Pass random_state.",
                file=f"steps/{call.file}:{call.line}",
            )
