"""Object keys as people make them: spaces, plus, percent, unicode, nested folders."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

# Space, plus, percent, quote, unicode, nested folders: each in one of two keys, since each run takes seconds.
KEYS = [
    "raw/training/with space, a+b & 'quotes'.csv",
    "raw/training/2019/region=north/100%25 Fahrräder-日次.csv",
]


@pytest.fixture(scope="module")
def executions(deployed, sample_csv):
    """Key → ended execution. Beside each file lies one whose name only starts the same."""
    bodies = {key: sample_csv + b"\n" * number for number, key in enumerate(KEYS)}
    for key in KEYS:
        deployed.put(f"{key}.bak", b"this is not the file")
    versions = {key: deployed.put(key, body) for key, body in bodies.items()}
    return {key: deployed.finished(deployed.started(key, version)) for key, version in versions.items()}


@pytest.mark.parametrize("key", KEYS)
def test_the_file_is_processed(executions, key):
    assert executions[key].status == "Succeeded", executions[key].explanation


def test_each_file_has_predictions_of_its_own(deployed, executions):
    files = deployed.predictions()
    assert len(files) == len(KEYS)
    for key, content in files.items():
        assert key.isascii()
        assert len(content.splitlines()) == 731


def test_files_elsewhere_start_nothing(deployed, sample_csv):
    before = deployed.executions()
    deployed.put("raw/other/day.csv", sample_csv)
    deployed.put("raw/training/day.txt", sample_csv)
    # An upload that does start something, sent afterwards, shows that the others had their chance.
    deployed.run("raw/training/last.csv", b"no table\n")
    assert len(deployed.executions()) == len(before) + 1
