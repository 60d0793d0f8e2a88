"""Tables to test on: the generated sample in both published forms, and the real one where it is available."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from analysis.runtime.container import DATASET_VARIABLE, run_step
from pipeline.datasets.shipped import declaration_file, declared
from pipeline.demo.sample import sample_rows, write_sample

BIKES = declared("bike_sharing")
INPUT_COLUMNS, TARGET_COLUMNS = BIKES.known_before, BIKES.answers

ROOT = Path(__file__).resolve().parents[2]
HEADER = (*INPUT_COLUMNS, *TARGET_COLUMNS)

Rows = list[dict[str, str]]


def as_csv(rows: Rows, columns: tuple[str, ...] = HEADER) -> str:
    return "\n".join([",".join(columns), *(",".join(row[name] for name in columns) for row in rows)]) + "\n"


def as_uci(rows: Rows) -> Rows:
    """Convert days to UCI's form: ISO dates, measures divided by their maximum."""
    scales = {name: column.scales["original"] for name, column in BIKES.columns.items() if column.scales}
    converted = []
    for row in rows:
        day, month, year = row["dteday"].split("-")
        scaled = {name: repr(float(row[name]) / scale) for name, scale in scales.items()}
        converted.append({**row, **scaled, "dteday": f"20{year}-{month}-{day}"})
    return converted


@pytest.fixture(scope="session", autouse=True)
def declaration() -> Iterator[Path]:
    """Let the steps find the declaration of the bike-sharing table."""
    with mock.patch.dict(os.environ, {DATASET_VARIABLE: str(declaration_file("bike_sharing"))}):
        yield declaration_file("bike_sharing")


@pytest.fixture
def rows() -> Rows:
    """90 generated days, enough to train on."""
    return sample_rows(rows=90)


@pytest.fixture
def csv_of() -> Callable[..., str]:
    """Rows as CSV text; `columns` chooses and orders them."""
    return as_csv


@pytest.fixture
def uci_of() -> Callable[[Rows], Rows]:
    """Rows in UCI's form."""
    return as_uci


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write text or bytes to a file of tmp_path and return its path."""

    def write_file(content: str | bytes, name: str = "days.csv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write_file


@pytest.fixture(scope="session")
def real_csv() -> Path:
    """Find the real day.csv: $BIKE_SHARING_CSV, or beside the project."""
    named = os.environ.get("BIKE_SHARING_CSV")
    path = Path(named) if named else ROOT.parent / "shared" / "data" / "bike_sharing" / "day.csv"
    if not path.is_file():
        pytest.skip(f"the real bike-sharing table is not at {path}; set BIKE_SHARING_CSV to run this test")
    return path


@pytest.fixture(scope="session")
def wine_csv() -> Path:
    """Find the real winequality-red.csv: $WINE_QUALITY_CSV, or beside the project."""
    named = os.environ.get("WINE_QUALITY_CSV")
    path = Path(named) if named else ROOT.parent / "shared" / "data" / "wine_quality" / "winequality-red.csv"
    if not path.is_file():
        pytest.skip(f"the wine table is not at {path}; set WINE_QUALITY_CSV to run this test")
    return path


@dataclass(frozen=True)
class Run:
    """Everything that preprocess, train and evaluate made of one file. log: what train and evaluate printed."""

    profile: str
    root: Path
    log: str

    def document(self, path: str) -> dict[str, Any]:
        """Read a JSON file below the run's directory."""
        found: dict[str, Any] = json.loads((self.root / path).read_text(encoding="utf-8"))
        return found

    @property
    def evaluation(self) -> dict[str, Any]:
        return self.document("evaluation/evaluation.json")

    @property
    def report(self) -> str:
        return (self.root / "evaluation" / "report.html").read_text(encoding="utf-8")


def pack(model_dir: Path, archive: Path) -> None:
    """model.tar.gz as the training job makes it: files at its root."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(model_dir.rglob("*")):
            if path.is_file():
                tar.add(path, arcname=str(path.relative_to(model_dir)))


def step(name: str, *arguments: object) -> str:
    """Run a step's main function in this process (a process of its own takes seconds to start); what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        importlib.import_module(name).main([*map(str, arguments)])
    return out.getvalue()


def run_on(csv: Path, root: Path, profile: str, declaration: Path | None = None) -> Run:
    """Run the three steps on one file, each with the other's output directories."""
    declared_by = ("--dataset", declaration or declaration_file("bike_sharing"))
    step(
        "preprocess", "--input-file", csv, "--output-dir", root / "prepared", "--profile", profile, *declared_by,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CODE_SHA256", "ab" * 32)
        log = step(
            "train", "--train-dir", root / "prepared" / "train", "--model-dir", root / "model",
            "--output-data-dir", root / "data", "--profile", profile, *declared_by,
        )  # fmt: skip
    pack(root / "model", root / "archive" / "model.tar.gz")
    log += evaluate_again(root, root / "evaluation", *declared_by)
    return Run(profile, root, log)


def evaluate_again(root: Path, output: Path, *more: object) -> str:
    """Evaluate what lies below `root` into `output`; what the step printed."""
    return step(
        "evaluate", "--model-dir", root / "archive", "--train-dir", root / "prepared" / "train",
        "--test-dir", root / "prepared" / "test", "--quality-dir", root / "prepared" / "quality",
        "--scoring-dir", root / "prepared" / "scoring", "--rows-dir", root / "prepared" / "rows",
        "--output-dir", output, *more,
    )  # fmt: skip


@pytest.fixture(scope="session")
def sample_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Both profiles on the generated sample."""
    csv = write_sample(tmp_path_factory.mktemp("sample") / "days.csv")
    return {name: run_on(csv, tmp_path_factory.mktemp(name), name) for name in ("forecast", "parity")}


@pytest.fixture(scope="session")
def lagged_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The profile with features of the past on the generated sample."""
    csv = write_sample(tmp_path_factory.mktemp("sample") / "days.csv")
    return run_on(csv, tmp_path_factory.mktemp("lagged"), "forecast-lagged")


@pytest.fixture(params=["forecast", "parity"])
def trained(request: pytest.FixtureRequest, sample_runs: dict[str, Run]) -> Run:
    """One profile after the other on the generated sample."""
    return sample_runs[request.param]


@pytest.fixture(scope="session")
def real_runs(real_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Both profiles on the real table."""
    return {name: run_on(real_csv, tmp_path_factory.mktemp(f"real-{name}"), name) for name in ("forecast", "parity")}


@pytest.fixture(scope="session")
def wine_runs(wine_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Every profile of red wine on the real table."""
    return {
        name: run_on(wine_csv, tmp_path_factory.mktemp(f"wine-{name}"), name, declaration_file("red_wine"))
        for name in declared("red_wine").profiles
    }


@pytest.fixture
def run_steps() -> Callable[..., Run]:
    """Run the three steps: (file, root directory, profile, declaration)."""
    return run_on


@pytest.fixture
def evaluate_run() -> Callable[..., str]:
    """Evaluate a run once more: (root, output directory, more arguments)."""
    return evaluate_again


@pytest.fixture
def pack_model() -> Callable[[Path, Path], None]:
    """Pack a model directory as the training job does."""
    return pack


@pytest.fixture
def aws(moto_account: str) -> str:
    """URL of an empty AWS account that the environment points at."""
    return moto_account


@pytest.fixture
def call_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run steps/<name> in this process; see run_script."""

    def call(name: str, *arguments: str | Path) -> Outcome:
        message = tmp_path / "message-file"
        message.unlink(missing_ok=True)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments), "--message-file", str(message)])
        try:
            run_step(importlib.import_module(name.removesuffix(".py")).main, message)
            code = 0
        except SystemExit as end:
            code = int(str(end.code))
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err, message.read_text("utf-8") if message.exists() else "")

    return call


@dataclass(frozen=True)
class Outcome:
    """How a script ended: exit code, both outputs, and its message file (empty where there is none)."""

    code: int
    out: str
    err: str
    message: str


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., Outcome]:
    """Run steps/<name> as its own process, as a job does. A process takes seconds to start; see call_script."""

    def run(name: str, *arguments: str | Path, **environment: str) -> Outcome:
        message = tmp_path / "message-file"
        command = [sys.executable, str(ROOT / "steps" / name), *map(str, arguments), "--message-file", str(message)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, **environment}
        )
        text = message.read_text(encoding="utf-8") if message.exists() else ""
        return Outcome(done.returncode, done.stdout, done.stderr, text)

    return run
