"""Run the projects of ``projects.toml`` on the endpoint, one state directory each.

::

    python -m compatibility.run_projects --sources FOLDER        # in packages/localmaker

``FOLDER/<owner>/<name>`` is a clone of each repository that ``projects.toml`` names. Environments are built with uv
from the package index; nothing else is fetched. Results are written after each project, as JSON and into the table of
``docs/compatibility.md``; projects that are not asked for keep theirs. Exit code 1: a project failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import boto3

from compatibility import workplace
from compatibility.manifest import Manifest, Project, read_manifest
from compatibility.observing import Observer
from compatibility.page import PAGE
from compatibility.results import Outcome, Result, judge, read_results, render, shortened, write_results
from localmaker import daemon, programs
from localmaker.errors import EndpointNotRunningError

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "projects.json"
#: The name by which the SDK recognises the role of a notebook.
ROLE = "AmazonSageMaker-ExecutionRole"
_AFTERWARDS_SECONDS = 1800.0
_LOG_TAIL = 20


class ProgramFailedError(Exception):
    """A program of the project, or of its set-up, ended with another status than 0."""


class Run:
    """One project on an endpoint of its own."""

    def __init__(self, project: Project, manifest: Manifest, sources: Path, work: Path) -> None:
        self._project = project
        self._manifest = manifest
        self._sources = sources
        self._folder = work / project.id
        self._folder.mkdir(parents=True, exist_ok=True)
        self._log = self._folder / "log.txt"
        self._cache = work / "environments"

    def result(self) -> Result:
        """Run it and return what became of it; nothing that goes wrong in it ends this program."""
        project = self._project
        if project.not_run is not None:
            return Result(project.id, Outcome.NOT_RUN, project.not_run)
        self._log.write_text("", encoding="utf-8")
        try:
            copy = workplace.lay_out(project, self._manifest, self._sources, self._folder / "project")
            python = workplace.environment_for(project, copy, self._cache, self._run)
        except (workplace.MissingSourceError, workplace.ChangeError, ProgramFailedError) as error:
            return Result(project.id, Outcome.NOT_RUN, shortened(str(error)))
        state = Path(tempfile.mkdtemp(prefix="state-", dir=self._folder))
        try:
            self._endpoint("up", "--detach", "--port", "0", state=state)
        except ProgramFailedError as error:
            return Result(project.id, Outcome.UNTRIED, shortened(f"the endpoint did not start: {error}"))
        try:
            return self._on(state, copy, python)
        finally:
            self._endpoint("down", state=state)

    def stopped_by(self, error: BaseException) -> Result:
        """Return the result of a run that a mistake of this program, or the endpoint's end, has stopped."""
        return Result(self._project.id, Outcome.FAILED, shortened(f"{type(error).__name__}: {error}"))

    def _on(self, state: Path, copy: Path, python: Path) -> Result:
        project = self._project
        running = daemon.status(state)
        if running is None:
            raise EndpointNotRunningError(f"the endpoint of {project.id} has ended; its log is in {state}")
        started = time.monotonic()
        found = programs.variables(running, ROLE, {})
        session = boto3.Session(
            found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"], found["AWS_SESSION_TOKEN"], running.region
        )
        workplace.place_objects(session.client("s3", endpoint_url=running.url), project, self._manifest, self._sources)
        variables = workplace.variables(project, python, self._folder / "home", found)
        told = {"python": str(python), "role": f"arn:aws:iam::123456789012:role/{ROLE}", "region": running.region}
        error = ""
        with Observer(session.client("sagemaker", endpoint_url=running.url)) as observer:
            try:
                for command in self._commands(told):
                    self._run(command, copy, variables)
            except ProgramFailedError as failed:
                error = str(failed)
            observer.wait(_AFTERWARDS_SECONDS)
            executions, jobs = observer.executions(), observer.jobs()
        outcome, reason = judge(project, error, executions, jobs, self._log.read_text(encoding="utf-8"))
        return Result(
            project.id,
            outcome,
            reason,
            round(time.monotonic() - started),
            project.python,
            self._sdk(python),
            [{key: value for key, value in asdict(one).items() if key not in {"arn", "started"}} for one in executions],
            jobs,
        )

    def _commands(self, told: Mapping[str, str]) -> list[list[str]]:
        if self._project.notebook is not None:
            skipped = [str(number) for number in (self._project.skip.cells if self._project.skip else ())]
            return [[told["python"], str(HERE / "notebook.py"), self._project.notebook, *skipped]]
        return [[_filled(part, told) for part in command] for command in self._project.commands]

    def _sdk(self, python: Path) -> str:
        program = "from importlib.metadata import version; print(version('sagemaker'))"
        done = subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def _endpoint(self, *arguments: str, state: Path) -> None:
        images = {"LOCALMAKER_IMAGES": str(HERE / self._project.images)} if self._project.images else {}
        command = [sys.executable, "-m", "localmaker", *arguments, "--state-dir", str(state)]
        self._run(command, self._folder, {**os.environ, **images})

    def _run(self, command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            done = subprocess.run(command, cwd=folder, env=variables, stdout=log, stderr=log, check=False)
        if done.returncode != 0:
            lines = [line for line in self._log.read_text(encoding="utf-8").splitlines() if line.strip()]
            raise ProgramFailedError(f"{Path(command[0]).name} ended with {done.returncode}: {lines[-1]}")


def _filled(part: str, told: Mapping[str, str]) -> str:
    # Not str.format: arguments hold JSON.
    for name, value in told.items():
        part = part.replace(f"<{name}>", value)
    return part


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=Path, help="folder with a clone of each repository: <owner>/<name>")
    parser.add_argument("--only", nargs="+", metavar="ID", help="run these projects alone")
    parser.add_argument("--work", type=Path, help="for copies, environments and logs; otherwise a temporary one")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="run so many at a time")
    parser.add_argument("--render", action="store_true", help="only write the table anew")
    arguments = parser.parse_args()
    manifest = read_manifest(HERE / "projects.toml")
    results = read_results(RESULTS)
    if not arguments.render:
        if arguments.sources is None:
            parser.error("--sources is needed to run projects")
        unknown = set(arguments.only or ()) - {project.id for project in manifest.project}
        if unknown:
            parser.error(f"no project is called {', '.join(sorted(unknown))}")
        work = (arguments.work or Path(tempfile.mkdtemp(prefix="compatibility-"))).absolute()
        chosen = [one for one in manifest.project if arguments.only is None or one.id in arguments.only]
        runs = [Run(project, manifest, arguments.sources.absolute(), work) for project in chosen]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            started = {pool.submit(run.result): run for run in runs}
            for done in as_completed(started):
                error = done.exception()
                result = started[done].stopped_by(error) if error is not None else done.result()
                print(f"{result.id}: {result.outcome} {result.reason}", flush=True)
                results[result.id] = result
                write_results(RESULTS, results, manifest)
    write_results(RESULTS, results, manifest)
    render(PAGE, results, manifest)
    return 1 if any(result.outcome is Outcome.FAILED for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
