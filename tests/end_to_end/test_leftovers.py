"""After many executions of every kind nothing is left but what the documentation names."""

from __future__ import annotations

import random
import re

import pytest

from pipeline.demo.sample import write_sample
from pipeline.executions.control import stop

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("leftovers")]

#: What may be in each bucket; tests/test_docs.py compares the prefixes with the table in docs/uploads.md.
DOCUMENTED = {
    "raw": r"raw/(training|scoring)/.*\.csv",
    "artifacts": r"(claims/[0-9a-f]{64}(-[0-9a-f]{12})?\.json"
    r"|code/([0-9a-f]{64}/|functions/)[^/]+"
    r"|definitions/[^/]+\.json"
    r"|feature-store/[0-9]{12}/sagemaker/.+\.parquet"
    r"|inputs/[0-9a-f]{64}/(input\.csv|claim\.json)"
    r"|inputs/no-history/history\.json"
    r"|models/[a-z0-9]{12}/(Train|Evaluate)/.+"
    r"|runs/[a-z0-9]{12}/(Preprocess|Train|Evaluate|Transform|history)/.+"
    r"|wheels/[0-9a-f]{64}/[^/]+\.whl)",
    "predictions": r"(predictions/[a-z-]+/dt=[-0-9]+/[^/]+\.csv|manifests/[a-z-]+/dt=[-0-9]+/[^/]+\.json"
    r"|realised/[a-z-]+/dt=[-0-9]+/[^/]+\.csv|realised-manifests/[a-z-]+/dt=[-0-9]+/[^/]+\.json"
    r"|reports/[a-z-]+/dt=[-0-9]+/[^/]+\.html|newest/[a-z-]+/[^/]+\.json)",
}


def without_counts(folder, number: int) -> bytes:
    return write_sample(folder / f"{number}.csv", seed=number, rows=3, target=False).read_bytes()


def with_counts_of_other_days(table: bytes) -> bytes:
    """Give each day the counts of another one, drawn by chance: no model explains them."""
    header, *lines = table.decode().splitlines()
    cells = [line.split(",") for line in lines]
    start = header.split(",").index("casual")
    counts = [row[start:] for row in cells]
    random.Random(1).shuffle(counts)
    rows = [",".join([*row[:start], *count]) for row, count in zip(cells, counts, strict=True)]
    return "\n".join([header, *rows, ""]).encode()


@pytest.mark.timeout(3600)
@pytest.mark.randomised("rounds")
def test_no_model_and_no_object_is_left_over(deployed, tmp_path, pytestconfig):
    sample = write_sample(tmp_path / "sample.csv").read_bytes()
    senseless = with_counts_of_other_days(sample)
    rounds = pytestconfig.getoption("rounds")
    for number in range(rounds):
        blank = b"\n" * number
        trained = deployed.run(f"raw/training/good-{number}.csv", sample + blank)
        assert trained.status == "Succeeded", trained.explanation
        refused = deployed.run(f"raw/training/senseless-{number}.csv", senseless + blank)
        assert refused.explanation.startswith("QualityGateFailed"), refused.explanation
        if number == 0:
            deployed.command("model", "approve", "1")
        corrected = f"raw/scoring/corrected-{number}.csv"
        first, second = without_counts(tmp_path, 2 * number), without_counts(tmp_path, 2 * number + 1)
        for body in (first, second, first):
            version = deployed.put(corrected, body)
            scored = deployed.finished(deployed.started(corrected, version, "scoring"))
            assert scored.status == "Succeeded", scored.explanation
        deployed.send_event(corrected, version)
        again = deployed.finished(deployed.started(corrected, version, "scoring", known=[scored.arn]))
        assert "same version" in again.steps[0].reason
        stopped = deployed.started(key := f"raw/training/stopped-{number}.csv", deployed.put(key, sample + blank))
        stop(deployed.aws, stopped)
        assert deployed.finished(stopped).status in {"Stopped", "Succeeded"}

    assert len(deployed.model_packages()) >= rounds
    left = len(deployed.models())
    assert left >= rounds, "those of executions that the gate has refused"
    assert deployed.sweep() == f"{left} models deleted"
    assert deployed.models() == []
    for name, documented in DOCUMENTED.items():
        keys = deployed.keys(getattr(deployed.settings, f"{name}_bucket"))
        assert [key for key in keys if not re.fullmatch(documented, key)] == [], name
        uploads = deployed.aws.s3.list_multipart_uploads(Bucket=getattr(deployed.settings, f"{name}_bucket"))
        assert not uploads.get("Uploads")
