"""Run moto's own test suites on the endpoint, and write what became of them into a table of docs/compatibility.md.

::

    pip download moto==5.2.5 --no-binary moto --no-deps && tar xzf moto-5.2.5.tar.gz
    python -m compatibility.moto_suites --sources moto-5.2.5           # in packages/localmaker
    python -m compatibility.moto_suites --table                        # only the table of the last run

moto's tests use moto's server where ``TEST_SERVER_MODE`` says so; here the server is an endpoint. ``moto_suites.toml``
names the suites, and classes each test that does not pass. Results are written after each suite, as JSON; suites that
are not asked for keep theirs. Exit code 1: a test failed that is not classed, or a classed one passed.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kind(StrEnum):
    """Why a test of moto does not pass."""

    STRICTER = "stricter on purpose"
    OTHERWISE = "answered otherwise on purpose"
    REFUSED = "refused by name"
    MEANS = "tests moto's own means"
    MISSING = "missing"


class Class(_Strict):
    """Tests that do not pass for one reason; ``tests`` are their ids, in which ``*`` stands for anything."""

    kind: Kind
    why: str
    tests: Annotated[tuple[str, ...], Field(min_length=1)]

    def has(self, test: str) -> bool:
        """Return whether a test is one of these."""
        return any(fnmatch.fnmatchcase(test, pattern.replace("[", "[[]")) for pattern in self.tests)


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
        """Return the class of a test that does not pass, if it has one."""
        return next((one for one in self.reason if one.has(test)), None)


class Outcome(_Strict):
    """What became of a test: ``passed``, ``failed`` or ``skipped``, and what it said."""

    outcome: str
    message: str = ""


Results = dict[str, dict[str, Outcome]]


def read_suites() -> Suites:
    """Return what ``moto_suites.toml`` says."""
    return Suites.model_validate(tomllib.loads(CLASSES.read_text(encoding="utf-8")))


def read_results() -> Results:
    """Return the results of the last runs, by suite and test."""
    if not RESULTS.exists():
        return {}
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    return {suite: {test: Outcome(**one) for test, one in tests.items()} for suite, tests in found.items()}


def write_results(results: Results) -> None:
    """Write results; passed tests without anything else."""
    RESULTS.parent.mkdir(exist_ok=True)
    plain = {
        suite: {test: one.model_dump(exclude_defaults=True) for test, one in sorted(tests.items())}
        for suite, tests in sorted(results.items())
    }
    RESULTS.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def run_suite(suite: str, sources: Path, libraries: Path, only: str) -> dict[str, Outcome]:
    """Run one suite on an endpoint of its own.

    Args:
        suite: the folder.
        sources: of moto.
        libraries: a folder with the packages that the tests need.
        only: an expression that chooses tests, as pytest's ``-k``; empty for all.
    """
    with tempfile.TemporaryDirectory() as work, running_endpoint(Path(work) / "state") as endpoint:
        report = Path(work) / "report.xml"
        command = [
            *(sys.executable, "-m", "pytest", f"tests/{suite}", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"),
            *("-c", os.devnull, "--rootdir", ".", "--timeout", str(_TEST_SECONDS), "--junit-xml", str(report)),
            *(("-k", only) if only else ()),
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
        return outcomes(report.read_text(encoding="utf-8"))


def outcomes(report: str) -> dict[str, Outcome]:
    """Return what became of the tests of a report in JUnit's format, by their ids below ``tests``."""
    cases = ElementTree.fromstring(report).iter("testcase")  # noqa: S314 - pytest has written it
    return {_name(case): _outcome(case) for case in cases}


def _name(case: ElementTree.Element) -> str:
    """Return the id of a test, as pytest takes it, below ``tests``."""
    parts = case.get("classname", "").split(".")[1:]
    file = next((index for index, part in enumerate(parts) if index and part.startswith("test_")), len(parts) - 1)
    return "::".join(["/".join(parts[: file + 1]) + ".py", *parts[file + 1 :], case.get("name", "")])


def _outcome(case: ElementTree.Element) -> Outcome:
    for kind, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        found = case.find(kind)
        if found is not None:
            return Outcome(outcome=outcome, message=" ".join(found.get("message", "").split())[:300])
    return Outcome(outcome="passed")


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
        tests = results.get(suite.folder, {})
        if not tests:
            continue
        counted = Counter(one.outcome for one in tests.values())
        classed = Counter(found.kind for _, found in _classed(tests, suites))
        name = f"`{suite.folder}`" + (f", of it `{suite.only}`" if suite.only else "")
        cells = [name, len(tests) - counted["skipped"], counted["passed"]]
        lines.append(_row([*cells, *(classed[kind] for kind in kinds), counted["skipped"]]))
    lines += ["", _row(["result", "reason", "tests"]), _row(["---"] * 3)]
    everything = {test: one for tests in results.values() for test, one in tests.items()}
    by_class: dict[int, list[str]] = {}
    for test, found in _classed(everything, suites):
        by_class.setdefault(suites.reason.index(found), []).append(test)
    for kind in kinds:
        for index, one in enumerate(suites.reason):
            if one.kind is kind and index in by_class:
                lines.append(_row([kind, one.why, _tests(by_class[index])]))
    return "\n".join([*lines, ""])


def _classed(tests: Mapping[str, Outcome], suites: Suites) -> Iterator[tuple[str, Class]]:
    for test, one in tests.items():
        found = suites.class_of(test) if one.outcome == "failed" else None
        if found is not None:
            yield test, found


def _tests(names: Sequence[str]) -> str:
    short = [f"`{name.rpartition('::')[2]}`" for name in names]
    return f"<details><summary>{len(short)}</summary>{', '.join(sorted(short))}</details>"


def _row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(" ".join(str(cell).replace("|", "\\|").split()) for cell in cells) + " |"


def problems(results: Results, suites: Suites) -> list[str]:
    """Return what the classes do not say of the results: failures without a class, and classed tests that pass."""
    found = []
    for tests in results.values():
        for test, one in tests.items():
            known = suites.class_of(test)
            if one.outcome == "failed" and known is None:
                found.append(f"{test} failed and is not classed: {one.message}")
            if one.outcome == "passed" and known is not None and test in known.tests:
                found.append(f"{test} passed, and is classed as {known.kind}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run suites, and write the table of the last run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=Path, help="moto's sources, with its tests")
    parser.add_argument("--suite", action="append", help="only this one; may be given several times")
    parser.add_argument("--only", default="", help="only tests that this expression of pytest chooses")
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
                found = run_suite(suite.folder, given.sources.resolve(), Path(libraries), given.only or suite.only)
                results[suite.folder] = {**(results.get(suite.folder, {}) if given.only else {}), **found}
                write_results(results)
    put(PAGE, "suites", table(results, suites))
    open_questions = problems(results, suites)
    for one in open_questions:
        print(one, file=sys.stderr)
    return 1 if open_questions else 0


if __name__ == "__main__":
    sys.exit(main())
