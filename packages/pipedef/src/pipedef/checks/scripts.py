"""The step scripts' sources, read and never run: who fits, on what, and which AWS calls they make."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name

from pipedef.checks.registry import Problem, Severity, source_check
from pipedef.document.project import ScriptFolder, Sources

#: Beginnings of the names of scripts that may fit: the training has to, the evaluation may fit baselines. Any other
#: script handles rows and learns nothing from them.
_TRAINING, _EVALUATION = ("train", "tun", "fit"), ("evaluat",)
_FITTING_METHODS = frozenset(
    {
        "fit",
        "fit_transform",
        "partial_fit",
        "fit_predict",
        "fit_regularized",
        # Functions of scikit-learn that scale by what they are given.
        "maxabs_scale",
        "minmax_scale",
        "robust_scale",
        "power_transform",
        "quantile_transform",
        # What solves least squares in numpy and scipy.
        "lstsq",
        "qr",
        "polyfit",
        "curve_fit",
    }
)
#: What makes a generator of numpy from a seed. Rows are split by a permutation of their positions, too.
_GENERATORS = frozenset({"RandomState", "default_rng"})
_TEST_ROWS = ("test.csv", "test.parquet", "SM_CHANNEL_TEST", "/test/")
#: Services that scripts have clients of → prefix of their IAM actions.
_SERVICES = {"s3": "s3", "sagemaker": "sagemaker", "sagemaker-featurestore-runtime": "sagemaker"}
#: Operations whose actions have other names than they have ("Actions, resources, and condition keys for Amazon S3").
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "s3:CopyObject": ("s3:GetObject", "s3:PutObject"),
    "s3:HeadBucket": ("s3:ListBucket",),
    "s3:HeadObject": ("s3:GetObject",),
    "s3:ListObjectVersions": ("s3:ListBucketVersions",),
    "s3:ListObjects": ("s3:ListBucket",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
}


@source_check("scripts-parse", Severity.ERROR)
def scripts_are_python(folder: ScriptFolder) -> Iterator[Problem]:
    """Check that every step script is valid Python."""
    for file in sorted(folder.sources):
        _, reason = parsed(folder.sources[file], file)
        if reason:
            yield Problem(f"{file} is not valid Python: {reason}.", "Correct it; nothing in it is checked.", file=file)


@source_check("fit-in-training-only")
def only_training_fits(folder: ScriptFolder) -> Iterator[Problem]:
    """Check that only training scripts fit: preparation, serving and publishing learn nothing."""
    for script in entry_points(folder.sources):
        if script.startswith((*_TRAINING, *_EVALUATION)):
            continue
        for call in calls(script, folder.sources):
            if call.name in _FITTING_METHODS:
                training = folder.project.training_script or "the training script"
                yield Problem(
                    f"{script} calls {call.name}(): it learns from rows of which some are test rows or new.",
                    f"Move what is learned to {training} and store it in the model artefact.",
                    file=f"{call.file}:{call.line}",
                )


@source_check("split-before-fit")
def rows_are_split_before_the_fit(folder: ScriptFolder) -> Iterator[Problem]:
    """Check that where one function splits rows and fits, it splits first.

    Follow the order of the text, through the functions that a function calls.
    """
    for script in entry_points(folder.sources):
        functions = list(scopes(script, folder.sources))
        fits, splits = _reaching(_fits, functions), _reaching(_splits, functions)
        for _, made in functions:
            split = next((place for place, call in enumerate(made) if splits(call)), 0)
            for call in made[:split]:
                if fits(call):
                    yield Problem(
                        f"{script} calls {call.name}() and splits the rows after that: what it learns, it learns "
                        "from test rows, too.",
                        "Split first, and fit on the training rows.",
                        file=f"{call.file}:{call.line}",
                    )


def _fits(call: Call) -> bool:
    return call.name in _FITTING_METHODS


def _splits(call: Call) -> bool:
    """Return whether a call splits rows, or permutes what they are split by."""
    return call.name == "train_test_split" or (call.name == "permutation" and call.owner in {"random", *_GENERATORS})


def _can_be_repeated(split: Call) -> bool:
    """Return whether a split has a seed; what is unpacked into the call may have it."""
    if split.name == "permutation":
        return split.seed is not None
    keywords = split.keywords
    return keywords.get("random_state") is not None or keywords.get("shuffle") is False or None in keywords


def _reaching(does: Callable[[Call], bool], functions: list[tuple[str, list[Call]]]) -> Callable[[Call], bool]:
    """Return whether a call does something, directly or through the functions that it calls."""
    names: frozenset[str] = frozenset()
    while True:
        more = {name for name, made in functions if name and any(does(call) or call.name in names for call in made)}
        if more <= names:
            return lambda call: does(call) or call.name in names
        names |= more


@source_check("test-rows-unseen")
def training_reads_no_test_rows(folder: ScriptFolder) -> Iterator[Problem]:
    """Check that the training script names no test rows."""
    for script in entry_points(folder.sources):
        if not script.startswith(_TRAINING):
            continue
        tree, _ = parsed(folder.sources[script], script)
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                named = [mark for mark in _TEST_ROWS if mark in node.value]
                if named:
                    yield Problem(
                        f"{script} names {named[0]}: the model could learn from the rows that evaluate it.",
                        "Read the training channel only.",
                        file=f"{script}:{node.lineno}",
                    )


@source_check("split-repeatable")
def split_has_a_seed(folder: ScriptFolder) -> Iterator[Problem]:
    """Check that rows are split with a seed, and the preparation splits them."""
    for script in entry_points(folder.sources):
        splits = [call for call in calls(script, folder.sources) if _splits(call)]
        if script == folder.project.split_script and not splits and not parsed(folder.sources[script], script)[1]:
            yield Problem(
                f"{script} splits no rows.",
                "Call scikit-learn's train_test_split there, or numpy's RandomState(seed).permutation(count).",
                file=script,
            )
        for call in splits:
            if not _can_be_repeated(call):
                yield Problem(
                    "The split has no seed: the same file gives other test rows each time.",
                    "Pass random_state, or permute by a generator that is made from a seed.",
                    file=f"{call.file}:{call.line}",
                )


@source_check("script-permissions", Severity.ERROR)
def calls_are_in_the_table(folder: ScriptFolder) -> Iterator[Problem]:
    """Check that every AWS call that a script makes is in the table of what scripts need to be allowed."""
    for script in entry_points(folder.sources):
        known = {action for actions in folder.project.script_actions.get(script, {}).values() for action in actions}
        for call in calls(script, folder.sources):
            method = call.text if call.name in {"get_paginator", "get_waiter"} else call.name
            missing = [action for action in _actions().get(method, ()) if action not in known]
            if missing:
                yield Problem(
                    f"{script} calls {method}, and the table of script_actions does not list {', '.join(missing)}.",
                    "Add it to the project's script_actions, and to the role's policy.",
                    file=f"{call.file}:{call.line}",
                )


@cache
def _actions() -> Mapping[str, tuple[str, ...]]:
    """Map methods of boto3 clients to IAM actions, without one-word methods: other objects have them, too."""
    session = botocore.session.get_session()
    found: dict[str, tuple[str, ...]] = {}
    for service, prefix in _SERVICES.items():
        for operation in session.get_service_model(service).operation_names:
            name = f"{prefix}:{operation}"
            if "_" in xform_name(operation):
                found[xform_name(operation)] = _OTHER_NAMES.get(name, (name,))
    return found


#: Stands for the value of a keyword that is not a literal.
UNKNOWN = object()


@dataclass(frozen=True)
class Call:
    """A function call in a file.

    Attributes:
        file: path below the folder of the scripts.
        line: where it begins.
        name: of the function or method.
        keywords: name → literal value, or :data:`UNKNOWN`; under None what is unpacked.
        text: its first argument, where that is a literal text.
        owner: name of the module or object that it is a method of, or of what has made this object just before.
        seed: what the object was made from, a literal value or :data:`UNKNOWN`; None where it was from nothing.
    """

    file: str
    line: int
    name: str
    keywords: Mapping[str | None, Any]
    text: str
    owner: str
    seed: Any


def entry_points(sources: Sources) -> list[str]:
    """Return the files that can run as a step: those in no subfolder."""
    return sorted(name for name in sources if "/" not in name)


def trees(script: str, sources: Sources) -> Iterator[tuple[str, ast.Module]]:
    """Yield a script and the modules beside it that it imports, directly or not, at any depth of its functions."""
    waiting, seen = [script], {script}
    while waiting:
        file = waiting.pop()
        tree, _ = parsed(sources[file], file)
        yield file, tree
        for module in _imported(tree):
            for candidate in (f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"):
                if candidate in sources and candidate not in seen:
                    seen.add(candidate)
                    waiting.append(candidate)


@cache
def parsed(source: str, file: str) -> tuple[ast.Module, str]:
    """Return (tree, why it can't be parsed); the tree is empty where the source is not valid Python."""
    try:
        return ast.parse(source, file), ""
    except SyntaxError as error:
        return ast.Module([], []), f"line {error.lineno}: {error.msg}"
    except ValueError as error:
        return ast.Module([], []), str(error)
    except RecursionError:
        return ast.Module([], []), "it is nested too deeply"


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(script: str, sources: Sources) -> Iterator[Call]:
    """Yield every call in a script and in the modules beside it that it imports."""
    for file, tree in trees(script, sources):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield _call(node, file)


def scopes(script: str, sources: Sources) -> Iterator[tuple[str, list[Call]]]:
    """Yield (name of a function, the calls that it makes itself) in the order of the text; a module has no name."""
    for file, tree in trees(script, sources):
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
                found = sorted(_own_calls(node), key=lambda call: (call.end_lineno or 0, call.end_col_offset or 0))
                yield getattr(node, "name", ""), [_call(call, file) for call in found]


def _own_calls(scope: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls of a function, without those of the functions in it."""
    waiting: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def _call(node: ast.Call, file: str) -> Call:
    first = _literal(node.args[0]) if node.args else None
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    made_from: list[ast.expr] = []
    if isinstance(owner, ast.Call):
        made_from = [*owner.args, *(keyword.value for keyword in owner.keywords if keyword.arg in {None, "seed"})]
        owner = owner.func
    return Call(
        file=file,
        line=node.lineno,
        name=_name(node.func),
        keywords={keyword.arg: _literal(keyword.value) for keyword in node.keywords},
        text=first if isinstance(first, str) else "",
        owner=_name(owner),
        seed=_literal(made_from[0]) if made_from else None,
    )


def _name(node: ast.expr | None) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _literal(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else UNKNOWN
