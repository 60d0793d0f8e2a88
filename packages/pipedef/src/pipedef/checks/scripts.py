"""The step scripts' sources, read and never run: who fits, on what, and whether the split can be repeated."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pipedef.checks.registry import Problem, source_check
from pipedef.document.source_code import Call, Sources, calls, parsed, scopes, scripts

TRAINING_SCRIPT, SPLIT_SCRIPT = "train.py", "preprocess.py"
#: Beginnings of the names of scripts that may fit: the training has to, the evaluation may fit baselines. Any other
#: script handles rows and learns nothing from them.
_TRAINING, _EVALUATION = ("train", "tun", "fit"), ("evaluat",)
_FITTING_METHODS = frozenset(
    {
        *("fit", "fit_transform", "partial_fit", "fit_predict", "fit_regularized"),
        # Functions of scikit-learn that scale by what they are given.
        *("maxabs_scale", "minmax_scale", "robust_scale", "power_transform", "quantile_transform"),
    }
)
_SPLITTING = frozenset({"train_test_split"})
_TEST_ROWS = ("test.csv", "SM_CHANNEL_TEST", "/test/")


@source_check("scripts-parse", "every step script is Python that can be read")
def scripts_are_python(sources: Sources) -> Iterator[Problem]:
    for file in sorted(sources):
        _, reason = parsed(sources[file], file)
        if reason:
            yield Problem(
                f"{file} is no Python: {reason}.", "Correct it; nothing in it is checked.", file=f"steps/{file}"
            )


@source_check("fit-in-training-only", "no script fits anything but the training's: preparation, serving, publishing")
def only_training_fits(sources: Sources) -> Iterator[Problem]:
    for script in scripts(sources):
        if script.startswith((*_TRAINING, *_EVALUATION)):
            continue
        for call in calls(script, sources):
            if call.name in _FITTING_METHODS:
                yield Problem(
                    f"{script} calls {call.name}(): it learns from rows of which some are test rows or new.",
                    f"Move what is learned to {TRAINING_SCRIPT} and let it travel in the model artefact.",
                    file=f"steps/{call.file}:{call.line}",
                )


@source_check("split-before-fit", "where one function splits rows and fits, it splits first")
def rows_are_split_before_the_fit(sources: Sources) -> Iterator[Problem]:
    """By the order of the text, through the functions that a function calls."""
    for script in scripts(sources):
        functions = list(scopes(script, sources))
        fitting = _reaching(_FITTING_METHODS, functions)
        splitting = _reaching(_SPLITTING, functions)
        for _, made in functions:
            split = next((place for place, call in enumerate(made) if call.name in splitting), 0)
            for call in made[:split]:
                if call.name in fitting:
                    yield Problem(
                        f"{script} calls {call.name}() and splits the rows after that: what it learns, it learns "
                        "from test rows, too.",
                        "Split first, and fit on the training rows.",
                        file=f"steps/{call.file}:{call.line}",
                    )


def _reaching(names: frozenset[str], functions: list[tuple[str, list[Call]]]) -> frozenset[str]:
    """The names, and those of the functions that call one of them, directly or through others."""
    while True:
        more = {name for name, made in functions if name and any(call.name in names for call in made)}
        if more <= names:
            return names
        names |= more


@source_check("test-rows-unseen", "the training script names no test rows")
def training_reads_no_test_rows(sources: Sources) -> Iterator[Problem]:
    for script in scripts(sources):
        if not script.startswith(_TRAINING):
            continue
        tree, _ = parsed(sources[script], script)
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                named = [mark for mark in _TEST_ROWS if mark in node.value]
                if named:
                    yield Problem(
                        f"{script} names {named[0]}: the model could learn from the rows that judge it.",
                        "Read the training channel only.",
                        file=f"steps/{script}:{node.lineno}",
                    )


@source_check("split-repeatable", "rows are split with a seed, and the preparation splits them")
def split_has_a_seed(sources: Sources) -> Iterator[Problem]:
    for script in scripts(sources):
        splits = [call for call in calls(script, sources) if call.name in _SPLITTING]
        if script == SPLIT_SCRIPT and not splits and not parsed(sources[script], script)[1]:
            yield Problem(
                f"{SPLIT_SCRIPT} splits no rows.",
                "Call scikit-learn's train_test_split there.",
                file=f"steps/{SPLIT_SCRIPT}",
            )
        for call in splits:
            seeded = call.keywords.get("random_state") is not None or call.keywords.get("shuffle") is False
            if not seeded and None not in call.keywords:
                yield Problem(
                    "The split has no seed: the same file gives other test rows each time.",
                    "Pass random_state.",
                    file=f"steps/{call.file}:{call.line}",
                )
