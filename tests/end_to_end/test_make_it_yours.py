"""The page for a table of one's own, followed as written: in a copy of the project, with the table of strangers."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "make-it-yours.md"
PARTS = ("datasets", "pipeline", "scripts", "standards", "steps", "pyproject.toml")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def blocks(language: str, text: str) -> list[str]:
    """Return the blocks of code of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


class Copy:
    """A copy of the project, as a team has one, and a shell in it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self._port = folder, port
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BIKESHARE_"))}
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self._variables = {
            **kept,
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(cache),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{folder}:{folder / 'steps'}",
            "NO_COLOR": "1",
        }
        self.replace("pipeline/settings/environments/local.toml", ":4566", f":{port}")

    def replace(self, file: str, old: str, new: str) -> None:
        """Edit a file that has a text exactly once."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")

    def shell(self, commands: str, code: int = 0) -> str:
        """Run commands as somebody would who has the endpoint on another port; return what they print."""
        commands = commands.replace("--detach", f"--detach --port {self._port}").replace(":4566", f":{self._port}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path, wine_csv: bytes) -> Iterator[Copy]:
    """Return a copy with the wine table as its publishers have it: names in quotes, semicolons."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = Copy(tmp_path, port)
    header, *rows = wine_csv.decode().splitlines()
    lines = [";".join(f'"{name}"' for name in header.split(",")), *(row.replace(",", ";") for row in rows)]
    (tmp_path / "wine.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        yield made
    finally:
        made.shell("bikeshare local down || true")


def test_from_a_strangers_file_to_predictions(copy: Copy) -> None:
    page = PAGE.read_text(encoding="utf-8")
    *before, deploying = blocks("sh", page)
    printed = [copy.shell(commands) for commands in before]
    assert len(printed) == 3
    assert "1599 rows" in printed[2]
    (chosen,) = blocks("toml", page)
    copy.replace(
        "pipeline/settings/environments/local.toml", 'environment = "local"\n', f'environment = "local"\n{chosen}'
    )
    assert "No problem found" in copy.shell("bikeshare validate")
    up, deploy, *others = deploying.splitlines()
    copy.shell(up)
    deployed = copy.shell(deploy)
    (bucket,) = set(re.findall(r"[a-z-]+-local-raw-\d{12}", deployed))
    (credentials,) = [line for line in others if line.startswith("export ")]
    told = copy.shell("\n".join(others).replace("NAME-OF-THE-RAW-BUCKET", bucket))
    assert credentials
    assert "Succeeded" in told
    assert re.search(r"predictions/\S*wine\S*\.csv", told)
    (approve,) = re.findall(r"^`(bikeshare model approve \d+)`", page, re.MULTILINE)
    copy.shell(approve)
    rows = (copy.folder / "wine.csv").read_text(encoding="utf-8").splitlines()
    (copy.folder / "new.csv").write_text(
        "\n".join(row.rpartition(";")[0] for row in rows[:40]) + "\n", encoding="utf-8"
    )
    (upload,) = [line for line in others if line.startswith("aws ")]
    upload = upload.replace("wine.csv", "new.csv").replace("NAME-OF-THE-RAW-BUCKET", bucket)
    scored = copy.shell(
        "\n".join([credentials, upload.replace("raw/training/", "raw/scoring/"), "bikeshare watch raw/scoring/new.csv"])
    )
    assert "Succeeded" in scored
