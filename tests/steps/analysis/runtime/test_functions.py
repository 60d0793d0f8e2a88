"""The contract with Lambda: events as options, texts as answers."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from analysis.runtime.functions import FunctionArguments, as_function, options, outputs_of
from pipeline.settings.contract import Function

STEPS = Path(__file__).parents[4] / "steps"


class Context:
    """As Lambda's."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return self.seconds * 1000


def test_members_of_the_event_are_options() -> None:
    event = {"key": "--x=y z", "number": 3, "pipeline": ["a", "b"]}
    assert options(event) == ["--key=--x=y z", "--number=3", "--pipeline=a", "--pipeline=b"]


@pytest.mark.parametrize(("left", "expected"), [(600, 590), (60, 50), (5, 1)])
def test_aws_is_asked_again_until_shortly_before_the_end(left: int, expected: int, capsys) -> None:
    def step(arguments):
        parser = FunctionArguments("A step")
        parser.add_argument("--execution-arn")
        return {"seconds": str(parser.parse_args(arguments).retry_seconds)}

    assert as_function(step)({"execution-arn": "arn:x"}, Context(left)) == {"seconds": str(expected)}
    assert capsys.readouterr().out == "for arn:x\n"


def test_an_answer_has_no_empty_text_and_no_long_one() -> None:
    assert outputs_of("x" * 2000, one="1", other=None) == {"reason": "x" * 512, "one": "1", "other": "none"}


def _imports(path: Path) -> set[str]:
    """Modules that a file imports, also inside its functions, but for those of type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unchecked = [
        node for node in tree.body if not (isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")
    ]
    found = [node for top in unchecked for node in ast.walk(top)]
    names = {alias.name for node in found if isinstance(node, ast.Import) for alias in node.names}
    for node in found:
        if isinstance(node, ast.ImportFrom) and node.module:
            # What is imported from a package is a module of it.
            package = (STEPS / node.module.replace(".", "/")).is_dir()
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if package else {node.module}
    return names


@pytest.mark.parametrize("function", list(Function))
def test_a_function_imports_boto3_and_the_standard_library_alone(function: Function) -> None:
    waiting, seen, outside = [STEPS / function.script], set(), set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        for name in _imports(path):
            own = STEPS / f"{name.replace('.', '/')}.py"
            if name.startswith("analysis."):
                waiting += [own] if own not in seen else []
            elif name.partition(".")[0] not in sys.stdlib_module_names:
                outside.add(name.partition(".")[0])
    # files.py reads tables for the steps that run in containers; functions read none.
    assert outside - {"pandas"} == {"boto3", "botocore"}
