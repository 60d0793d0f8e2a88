"""Run moto's own test suites on the endpoint, and write what became of them into a table of docs/compatibility.md.

::

    pip download moto==5.2.5 --no-binary moto --no-deps && tar xzf moto-5.2.5.tar.gz
    python -m compatibility.moto_suites --sources moto-5.2.5           # in packages/localmaker
    python -m compatibility.moto_suites --table                        # only the table of the last run

moto's tests use moto's server where ``TEST_SERVER_MODE`` says so; here the server is an endpoint. ``moto_suites.toml``
names the suites, and classes each test that fails. Results are written after each suite, as JSON; suites that are not
asked for keep theirs. Exit code 1: a test failed that is not classed, or a class names one that did not fail.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict, Field
from uv import find_uv_bin

from compatibility.page import PAGE, put
from localmaker.daemon import running_endpoint

HERE = Path(__file__).resolve().parent
CLASSES = HERE / "moto_suites.toml"
RESULTS = HERE / "results" / "moto_suites.json"
_TEST_SECONDS = 300
_LONGEST_MESSAGE = 150


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kind(StrEnum):
    """Why a test of moto fails."""

    STRICTER = "stricter on purpose"
    OTHERWISE = "answered otherwise on purpose"
    REFUSED = "refused by name"
    MEANS = "tests moto's own means"
    MISSING = "missing"


class Class(_Strict):
    """Tests that fail for one reason; ``tests`` are their ids."""

    kind: Kind
    why: str
    tests: Annotated[tuple[str, ...], Field(min_length=1)]


class Suite(_Strict):
    """A folder below moto's ``tests``, and what of it is run: an expression of pytest's ``-k``, empty for all."""

    folder: str
    only: str = ""


class Suites(_Strict):
    """What ``moto_suites.toml`` says."""

    moto: str
    suite: tuple[Suite, ...]
    #: What the tests import beside moto and pytest.
    packages: tuple[str, ...]
    reason: tuple[Class, ...] = ()

    def class_of(self, test: str) -> Class | None:
        """Return the class of a test that fails, if it has one."""
        return next((one for one in self.reason if test in one.tests), None)


class Outcome(_Strict):
    """What became of a suite: how many tests passed and were skipped, and what each said that failed."""

    passed: int = 0
    skipped: int = 0
    failed: dict[str, str] = {}


#: By suite.
Results = dict[str, Outcome]


def read_suites() -> Suites:
    """Return what ``moto_suites.toml`` says."""
    return Suites.model_validate(tomllib.loads(CLASSES.read_text(encoding="utf-8")))


def read_results() -> Results:
    """Return the results of the last runs."""
    if not RESULTS.exists():
        return {}
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    return {suite: Outcome(**one) for suite, one in found.items()}


def write_results(results: Results) -> None:
    """Write results."""
    RESULTS.parent.mkdir(exist_ok=True)
    plain = {suite: one.model_dump() for suite, one in sorted(results.items())}
    RESULTS.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def run_suite(suite: Suite, sources: Path, libraries: Path) -> Outcome:
    """Run one suite on an endpoint of its own.

    Args:
        suite: the suite.
        sources: of moto.
        libraries: a folder with the packages that the tests need.
    """
    with tempfile.TemporaryDirectory() as work, running_endpoint(Path(work) / "state") as endpoint:
        report = Path(work) / "report.xml"
        command = [
            *(sys.executable, "-m", "pytest", f"tests/{suite.folder}", "-q", "-c", os.devnull, "--rootdir", "."),
            *(
                "-p",
                "no:cacheprovider",
                "-p",
                "no:randomly",
                "--timeout",
                str(_TEST_SECONDS),
                "--junit-xml",
                str(report),
            ),
            *(("-k", suite.only) if suite.only else ()),
        ]
        environment = {
            **os.environ,
            "TEST_SERVER_MODE": "true",
            "TEST_SERVER_MODE_ENDPOINT": endpoint.url,
            "TESTS_SKIP_REQUIRES_DOCKER": "true",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            # The sources hold moto, too; installed is the one that the endpoint runs.
            "PYTHONSAFEPATH": "1",
            "PYTHONPATH": os.pathsep.join([str(sources), str(libraries)]),
        }
        environment.pop("AWS_ENDPOINT_URL", None)
        subprocess.run(command, cwd=sources, env=environment, check=False)
        return outcome(report.read_text(encoding="utf-8"))


def outcome(report: str) -> Outcome:
    """Return what became of the tests of a report in JUnit's format; ids are those below ``tests``."""
    cases = list(ElementTree.fromstring(report).iter("testcase"))  # noqa: S314 - pytest has written it
    skipped = [case for case in cases if case.find("skipped") is not None]
    failed = {_name(case): said for case in cases if (said := _failure(case)) is not None}
    return Outcome(
        passed=len(cases) - len(skipped) - len(failed), skipped=len(skipped), failed=dict(sorted(failed.items()))
    )


def _name(case: ElementTree.Element) -> str:
    """Return the id of a test, as pytest takes it, below ``tests``."""
    parts = case.get("classname", "").split(".")[1:]
    file = next((index for index, part in enumerate(parts) if index and part.startswith("test_")), len(parts) - 1)
    return "::".join(["/".join(parts[: file + 1]) + ".py", *parts[file + 1 :], case.get("name", "")])


def _failure(case: ElementTree.Element) -> str | None:
    found = [*case.findall("failure"), *case.findall("error")]
    return " ".join(found[0].get("message", "").split())[:_LONGEST_MESSAGE] if found else None


def table(results: Results, suites: Suites) -> str:
    """Return the results as Markdown: one table of the suites, one of the reasons."""
    kinds = [kind for kind in Kind if any(one.kind is kind for one in suites.reason)]
    head = ["suite", "tests", "pass", *kinds, "skipped by moto"]
    lines = [
        f"moto {suites.moto}'s own suites in server mode, on an endpoint:",
        "",
        _row(head),
        _row(["---"] * len(head)),
    ]
    for suite in suites.suite:
        if (found := results.get(suite.folder)) is None:
            continue
        classed = Counter(one.kind for _, one in _classed(found, suites))
        name = f"`{suite.folder}`" + (f", of it `{suite.only}`" if suite.only else "")
        cells = [name, found.passed + len(found.failed), found.passed]
        lines.append(_row([*cells, *(classed[kind] for kind in kinds), found.skipped]))
    lines += ["", _row(["result", "reason", "tests"]), _row(["---"] * 3)]
    by_class: dict[int, list[str]] = {}
    for test, one in (classed for suite in results.values() for classed in _classed(suite, suites)):
        by_class.setdefault(suites.reason.index(one), []).append(test)
    for kind in kinds:
        for index, one in enumerate(suites.reason):
            if one.kind is kind and index in by_class:
                lines.append(_row([kind, one.why, _tests(by_class[index])]))
    return "\n".join([*lines, ""])


def _classed(suite: Outcome, suites: Suites) -> Iterator[tuple[str, Class]]:
    for test in suite.failed:
        if (found := suites.class_of(test)) is not None:
            yield test, found


def _tests(names: Sequence[str]) -> str:
    short = [f"`{name.rpartition('::')[2]}`" for name in names]
    return f"<details><summary>{len(short)}</summary>{', '.join(sorted(short))}</details>"


def _row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(" ".join(str(cell).replace("|", "\\|").split()) for cell in cells) + " |"


def problems(results: Results, suites: Suites) -> list[str]:
    """Return what the classes do not say of the results: failures without a class, and classes without a failure."""
    failed = {test: message for suite in results.values() for test, message in suite.failed.items()}
    classed = {test: one.kind for one in suites.reason for test in one.tests if test.split("/")[0] in results}
    return [
        *(
            f"{test} failed and is not classed: {message}"
            for test, message in failed.items()
            if suites.class_of(test) is None
        ),
        *(f"{test} is classed as {kind}, and did not fail" for test, kind in classed.items() if test not in failed),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run suites, and write the table of the last run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=Path, help="moto's sources, with its tests")
    parser.add_argument("--suite", action="append", help="only this one; may be given several times")
    parser.add_argument("--table", action="store_true", help="run nothing")
    given = parser.parse_args(arguments)
    suites, results = read_suites(), read_results()
    if not given.table:
        if given.sources is None or not (given.sources / "tests").is_dir():
            parser.error("--sources names no folder with moto's tests; see --help for how to get it")
        with tempfile.TemporaryDirectory() as libraries:
            install = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable, "--target", libraries]
            subprocess.run([*install, *suites.packages], check=True)
            for suite in suites.suite:
                if given.suite and suite.folder not in given.suite:
                    continue
                results[suite.folder] = run_suite(suite, given.sources.resolve(), Path(libraries))
                write_results(results)
    put(PAGE, "suites", table(results, suites))
    open_questions = problems(results, suites)
    for one in open_questions:
        print(one, file=sys.stderr)
    return 1 if open_questions else 0


if __name__ == "__main__":
    sys.exit(main())
