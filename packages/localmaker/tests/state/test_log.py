from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from localmaker.state import log

WRITES = """
import logging, sys
from pathlib import Path
from localmaker.state import log
log.MOST_BYTES = 1000
logging.basicConfig(level=logging.INFO, handlers=[log.LogHandler(Path(sys.argv[1]))], format="%(message)s")
for number in range(100):
    logging.info("record %d %s", number, "x" * 50)
print("printed", flush=True)
"""


def test_a_running_process_changes_to_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.log"
    with path.open("ab") as output:
        subprocess.run([sys.executable, "-c", WRITES, str(path)], stdout=output, stderr=output, check=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["endpoint.log", "endpoint.log.1"]
    new, old = path.read_text(), path.with_name("endpoint.log.1").read_text()
    assert len(new) < 1100
    assert len(old) < 1100
    assert new.endswith("printed\n")
    assert "record 99 " in new or "record 99 " in old


def test_another_output_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.log"
    path.write_text("x" * 2000)
    done = subprocess.run([sys.executable, "-c", WRITES, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr.count("record") == 100
    assert path.read_text() == "x" * 2000


@pytest.mark.parametrize(("size", "is_large"), [(0, False), (999, False), (1000, True)])
def test_what_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, is_large: bool) -> None:
    monkeypatch.setattr(log, "MOST_BYTES", 1000)
    path = tmp_path / "endpoint.log"
    assert not log.set_aside_if_large(path)
    path.write_text("x" * size)
    assert log.set_aside_if_large(path) is is_large
    assert path.exists() is not is_large
