"""Models trained by the steps themselves, and the programs run as a user runs them."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import preprocess
import train
from pipeline.datasets.shipped import declaration_file, declared
from pipeline.demo.sample import write_sample
from scripts.lib import program

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Trained:
    """One trained model with all that the steps wrote on the way.

    Attributes:
        raw: the raw CSV.
        prepared: output directory of preprocess.py.
        model_dir: the unpacked archive.
        archive: model.tar.gz.
        summary_dir: what train.py wrote beside the model.
    """

    raw: Path
    prepared: Path
    model_dir: Path
    archive: Path
    summary_dir: Path


def trained_on(
    raw: Path, profile: str, directory: Path, dataset: str = "bike_sharing", *, options: Sequence[str] = ()
) -> Trained:
    """Prepare a file and train on it, as the pipeline does; options: more of preprocess.py."""
    declaration = ["--dataset", str(declaration_file(dataset))]
    message = ["--message-file", str(directory / "message")]
    result = Trained(
        raw, directory / "prepared", directory / "model", directory / "model.tar.gz", directory / "summary"
    )
    with contextlib.redirect_stdout(io.StringIO()):
        preprocess.main(
            [*declaration, "--input-file", str(raw), "--profile", profile,
             "--output-dir", str(result.prepared), *message, *options]
        )  # fmt: skip
        train.main(
            [*declaration, "--profile", profile, "--train-dir", str(result.prepared / "train"),
             "--model-dir", str(result.model_dir), "--output-data-dir", str(result.summary_dir), *message]
        )  # fmt: skip
    with tarfile.open(result.archive, "w:gz") as tar:
        tar.add(result.model_dir, arcname=".")
    return result


@pytest.fixture(scope="session")
def real_csv() -> Path:
    """Find the real day.csv: $BIKE_SHARING_CSV, or beside the project."""
    named = os.environ.get("BIKE_SHARING_CSV")
    path = Path(named) if named else ROOT.parent / "shared" / "data" / "bike_sharing" / "day.csv"
    if not path.is_file():
        pytest.skip(f"the real bike-sharing table is not at {path}; set BIKE_SHARING_CSV to run this test")
    return path


@pytest.fixture(scope="session")
def real_wine() -> Path:
    """Find the real table of red wines, beside the project."""
    path = ROOT.parent / "shared" / "data" / "wine_quality" / "winequality-red.csv"
    if not path.is_file():
        pytest.skip(f"the real table of red wines is not at {path}")
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train a forecast model of the generated sample."""
    directory = tmp_path_factory.mktemp("sample")
    return trained_on(write_sample(directory / "days.csv"), "forecast", directory)


@pytest.fixture(scope="session")
def trained_on_wine(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train on a generated sample of a table that has neither key nor time."""
    directory = tmp_path_factory.mktemp("wine")
    raw = write_sample(directory / "wines.csv", dataset=declared("red_wine"))
    return trained_on(raw, "complete", directory, "red_wine")


@pytest.fixture(scope="session")
def train_on(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trained]:
    """Train on a CSV with a profile, and a data set."""
    return lambda raw, profile, *dataset: trained_on(raw, profile, tmp_path_factory.mktemp(profile), *dataset)


@dataclass(frozen=True)
class Done:
    """How a program ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def call_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run scripts/<name> in this process, in an empty directory: a process of its own takes seconds to start."""

    def call(name: str, *arguments: str | Path) -> Done:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        try:
            program.run_program(importlib.import_module(f"scripts.{name.removesuffix('.py')}").main)
            code = 0
        except SystemExit as end:
            code = int(str(end.code))
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def run_program(tmp_path: Path) -> Callable[..., Done]:
    """Run scripts/<name> as its own process, in an empty directory; see call_program."""

    def run(name: str, *arguments: str | Path) -> Done:
        command = [sys.executable, str(ROOT / "scripts" / name), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def aws_url(moto_account: str) -> str:
    """URL of an empty AWS account that AWS_ENDPOINT_URL points at."""
    return moto_account
