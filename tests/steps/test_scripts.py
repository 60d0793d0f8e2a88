"""What holds for every script, each run as a process of its own."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

STEPS = Path(__file__).resolve().parents[2] / "steps"
SCRIPTS = ("claim.py", "preprocess.py", "ingest_features.py", "train.py", "evaluate.py", "publish.py")


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(run_script, name: str) -> None:
    done = run_script(name, "--help")
    assert done.code == 0, done.err
    assert "--message-file" in done.out
    assert done.err == ""


def test_a_wrong_call_ends_with_1_and_a_message(run_script) -> None:
    done = run_script("preprocess.py", "--measures", "magic")
    assert done.code == 1
    assert "argument --measures: invalid choice: 'magic'" in done.message
    assert "See --help" in done.message
    assert "Traceback" not in done.err


def test_a_profile_that_is_not_declared_ends_with_1_and_a_message(run_script) -> None:
    done = run_script("preprocess.py", "--profile", "magic")
    assert done.code == 1
    assert done.message == "There is no profile 'magic'; use one of: forecast, parity, forecast-lagged."
    assert "Traceback" not in done.err


def test_a_bad_file_ends_with_1_and_a_message(run_script, write, csv_of, rows, tmp_path) -> None:
    rows[1]["temp"] = "hot"
    write(csv_of(rows), "raw/days.csv")
    done = run_script("preprocess.py", "--input-file", tmp_path / "raw" / "days.csv")
    assert done.code == 1
    assert done.message.startswith("days.csv: line 3, column temp: 'hot' is not a number")
    assert "Traceback" not in done.err


def imported_by(outcome) -> set[str]:
    """Return the modules that a script imported which ran with PYTHONPROFILEIMPORTTIME."""
    assert outcome.code == 0, outcome.err
    return {line.rpartition("|")[2].strip() for line in outcome.err.splitlines() if line.startswith("import time:")}


def test_no_library_is_imported_for_one_function_of_it(run_script, sample_runs, write, csv_of, rows) -> None:
    """At the start of a job, imports take longer than everything else."""
    file = write(csv_of(rows), "raw/days.csv")
    output = file.parents[1] / "out"
    root = sample_runs["forecast"].root
    # With a model it says how far the file is from the model's training rows.
    for given in ([], [f"--model-dir={root}/archive", "--purpose=scoring"]):
        options = ["--input-file", file, "--output-dir", output, *given]
        found = imported_by(run_script("preprocess.py", *options, PYTHONPROFILEIMPORTTIME="1"))
        assert "pyarrow" in found
        assert not found & {"pandas.core", "scipy", "sklearn"}
    folders = [f"--{name}-dir={root}/prepared/{name}" for name in ("train", "test", "quality", "scoring", "rows")]
    evaluated = run_script(
        "evaluate.py", f"--model-dir={root}/archive", *folders, "--output-dir", output, PYTHONPROFILEIMPORTTIME="1"
    )
    found = imported_by(evaluated)
    assert "pyarrow" in found
    assert not found & {"pandas.core", "scipy", "sklearn", "statsmodels", "boto3"}
    trained = run_script(
        *("train.py", f"--train-dir={root}/prepared/train", "--model-dir", output / "model"),
        *("--output-data-dir", output / "data"),
        PYTHONPROFILEIMPORTTIME="1",
    )
    found = imported_by(trained)
    assert "pyarrow" in found
    assert not found & {"pandas.core", "scipy.stats", "sklearn", "statsmodels"}


def test_a_bug_shows_its_traceback_and_leaves_a_short_form(tmp_path) -> None:
    message = tmp_path / "message"
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.argv[1:] = []\n"
        "from analysis.runtime.container import run_step; from pathlib import Path\n"
        "def step(arguments): raise ZeroDivisionError('a bug')\n"
        f"run_step(step, Path({str(message)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(STEPS)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert message.read_text() == "Unexpected ZeroDivisionError: a bug (see the job's log for the traceback)"


def test_the_lock_names_every_file_by_its_hash_and_leaves_the_images_libraries_alone() -> None:
    text = (STEPS / "requirements.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    pins = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( +--hash=sha256:[0-9a-f]{64})+", line) for line in pins)
    named = {line.partition("==")[0] for line in pins}
    assert not {"numpy", "pandas", "scipy", "scikit-learn", "pyarrow", "joblib", "boto3", "botocore"} & named


SHOW = "import os, sys; print(os.getcwd(), sys.argv[1:]); sys.exit(7 if 'fail' in sys.argv else 0)"


def pack(code: Path, *, requirements: str, script: str = SHOW) -> None:
    """Make the code archive of a job."""
    with tarfile.open(code / "sourcedir.tar.gz", "w:gz") as tar:
        for name, text in {"show.py": script, "requirements.txt": requirements}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))


@pytest.fixture
def processing(tmp_path) -> Path:
    """Make a job's /opt/ml/processing with run.sh, a code archive that holds one small script, and no wheel."""
    code = tmp_path / "processing" / "input" / "code"
    code.mkdir(parents=True)
    (tmp_path / "processing" / "input" / "wheels").mkdir()
    (code / "run.sh").write_bytes((STEPS / "run.sh").read_bytes())
    pack(code, requirements=f"# nothing that is not here\npytest=={pytest.__version__}\n")
    return tmp_path / "processing"


def start(
    processing: Path, *arguments: str, at: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Start run.sh, which is in the processing job's folder or in another, with this interpreter as python3."""
    bin_dir = processing / "bin"
    bin_dir.mkdir(exist_ok=True)
    (bin_dir / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (bin_dir / "python3").chmod(0o755)
    environment = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}", **variables}
    command = ["/bin/bash", str((at or processing / "input" / "code") / "run.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_run_sh_hands_arguments_on_as_they_are(processing) -> None:
    done = start(processing, "show.py", "--key", "a b+ü%'\"$x*.csv", "")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{processing / 'code'} {['--key', 'a b+ü%' + chr(39) + chr(34) + '$x*.csv', '']!r}"


def test_run_sh_ends_with_the_scripts_exit_code(processing) -> None:
    assert start(processing, "show.py", "fail").returncode == 7


def test_run_sh_lets_linear_algebra_have_one_thread_or_as_many_as_the_job_asks_for(processing) -> None:
    pack(processing / "input" / "code", requirements="", script="import os; print(os.environ['OPENBLAS_NUM_THREADS'])")
    assert start(processing, "show.py", OPENBLAS_NUM_THREADS="").stdout == "1\n"
    assert start(processing, "show.py", OPENBLAS_NUM_THREADS="4").stdout == "4\n"


@pytest.mark.parametrize("script", ["absent.py", "../../etc/passwd", "/etc/passwd"])
def test_run_sh_refuses_a_script_that_is_not_in_the_archive(processing, script: str) -> None:
    done = start(processing, script)
    assert done.returncode == 1
    assert f"there is no script '{script}'" in done.stderr


def test_run_sh_says_when_the_archive_is_broken(processing) -> None:
    (processing / "input" / "code" / "sourcedir.tar.gz").write_bytes(b"no archive")
    done = start(processing, "show.py")
    assert done.returncode == 1
    assert "can't be unpacked" in done.stderr


def test_run_sh_unpacks_a_training_jobs_code_beside_its_input(processing, tmp_path) -> None:
    shutil.copytree(processing / "input", tmp_path / "ml" / "input" / "data")
    done = start(processing, "show.py", at=tmp_path / "ml" / "input" / "data" / "code")
    assert done.stdout.strip() == f"{tmp_path / 'ml' / 'code'} []"


def test_run_sh_says_that_the_wheels_are_missing_also_where_all_is_installed(processing) -> None:
    (processing / "input" / "wheels").rmdir()
    done = start(processing, "show.py")
    assert done.returncode == 1
    assert "the job has no input 'wheels'" in done.stderr
    assert "the folder that the command deploy puts into the artifacts bucket" in done.stderr


def test_run_sh_needs_no_wheels_where_the_image_has_everything(processing) -> None:
    (processing / "input" / "wheels").rmdir()
    pack(processing / "input" / "code", requirements="# nothing\n")
    assert start(processing, "show.py").returncode == 0


@pytest.fixture
def wheel(processing, tmp_path) -> str:
    """A wheel among the job's, and the line of the lock for it."""
    file = processing / "input" / "wheels" / "brought_along-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("brought_along.py", "")
        archive.writestr(
            "brought_along-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: brought-along\nVersion: 1.0\n"
        )
        archive.writestr(
            "brought_along-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("brought_along-1.0.dist-info/RECORD", "")
    return f"brought-along==1.0 \\\n    --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


def test_run_sh_installs_from_the_wheels_and_asks_no_index(processing, wheel, tmp_path) -> None:
    pack(processing / "input" / "code", requirements=f"# a lock\n{wheel}", script="import brought_along; print('here')")
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_FIND_LINKS": "", "PIP_TARGET": str(tmp_path / "target")}
    done = start(processing, "show.py", PYTHONPATH=str(tmp_path / "target"), **nowhere)
    assert (done.returncode, done.stdout.strip()) == (0, "here"), done.stderr


def test_run_sh_installs_nothing_where_the_version_that_is_imported_is_the_locks(processing, wheel, tmp_path) -> None:
    line = wheel.replace("brought-along==1.0", "Brought.Along==1.0")
    pack(processing / "input" / "code", requirements=line, script="print('here')")
    known, other = (
        tmp_path / "known" / "brought_along-1.0.dist-info",
        tmp_path / "other" / "brought_along-2.0.dist-info",
    )
    known.mkdir(parents=True)
    other.mkdir(parents=True)
    (processing / "input" / "wheels" / "brought_along-1.0-py3-none-any.whl").unlink()
    assert start(processing, "show.py", PYTHONPATH=f"{known.parent}:{other.parent}").stdout == "here\n"
    assert start(processing, "show.py", PYTHONPATH=f"{other.parent}:{known.parent}").returncode == 1


def test_run_sh_installs_no_wheel_that_is_not_the_locks(processing, wheel, tmp_path) -> None:
    other = re.sub("[0-9a-f]{64}", "0" * 64, wheel)
    pack(processing / "input" / "code", requirements=other)
    done = start(processing, "show.py", PIP_TARGET=str(tmp_path / "target"))
    assert done.returncode == 1
    assert "can't be installed from the input 'wheels'" in done.stderr
    assert "brought-along" in done.stderr
    assert not (tmp_path / "target").exists()


def test_run_sh_names_what_is_missing_among_the_wheels(processing) -> None:
    pack(processing / "input" / "code", requirements=f"absent==1.0 --hash=sha256:{'0' * 64}\n")
    done = start(processing, "show.py")
    assert done.returncode == 1
    assert "No matching distribution found for absent==1.0" in done.stderr
    assert "The command plan shows what is missing" in done.stderr
