"""Two versions, and files to score while they change places: by plain AWS APIs alone, as any client would do it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets.shipped import declared
from pipeline.demo.sample import write_sample
from tests.end_to_end.conftest import Deployed, environment_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("trigger")]

FILES_DURING_DECISIONS = 4


class Table:
    """A data set that is deployed, and what its versions did."""

    def __init__(self, name: str, deployed: Deployed, folder: Path) -> None:
        self.dataset, self.deployed, self.folder = declared(name), deployed, folder
        self.versions: list[dict[str, Any]] = []

    def csv(self, name: str, *, target: bool, seed: int = 1, rows: int = 300) -> bytes:
        """Return a generated file."""
        path = self.folder / f"{name}.csv"
        return write_sample(path, seed=seed, rows=rows, target=target, dataset=self.dataset).read_bytes()

    def put(self, folder: str, name: str, **kind: Any) -> str:
        """Upload a file, and return the execution that it starts."""
        key = f"raw/{folder}/{name}.csv"
        version = self.deployed.put(key, self.csv(name, **kind))
        return self.deployed.started(key, version, "training" if folder == "training" else "scoring")

    def train(self, name: str, seed: int) -> dict[str, Any]:
        """Upload a training file, wait, and return the version that comes of it."""
        run = self.deployed.finished(self.put("training", name, target=True, seed=seed))
        assert run.status == "Succeeded", run.explanation
        return self.deployed.model_packages()[-1]

    def decide(self, version: dict[str, Any], **update: Any) -> None:
        """Call UpdateModelPackage."""
        self.deployed.aws.sagemaker.update_model_package(ModelPackageArn=version["ModelPackageArn"], **update)

    def put_in_use(self, version: dict[str, Any]) -> None:
        """Write what the documentation tells other clients to write: when a version was put in use."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.decide(version, CustomerMetadataProperties={"in-use-since": now})

    def rows(self, name: str) -> list[dict[str, str]]:
        """Return the predictions of a file."""
        (body,) = [content for key, content in self.deployed.predictions().items() if f"/{name}-" in key]
        return list(csv.DictReader(io.StringIO(body.decode())))

    def scored(self, *arns_and_names: tuple[str, str]) -> list[str]:
        """Wait for executions; return the version that has predicted each file, which is one for all of its rows."""
        found = []
        for arn, name in arns_and_names:
            run = self.deployed.finished(arn)
            assert run.status == "Succeeded", run.explanation
            (version,) = {row["model_version"] for row in self.rows(name)}
            found.append(version)
        return found

    def score(self, name: str) -> str:
        """Upload a file to score; return the version that predicts it."""
        return self.scored((self.put("scoring", name, target=False, rows=5), name))[0]


@pytest.fixture(scope="module", params=["bike_sharing", "red_wine"])
def table(
    request: pytest.FixtureRequest, deployed_state: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Table]:
    """Return a deployed data set."""
    with environment_of(deployed_state(request.param), request.param) as deployed:
        yield Table(request.param, deployed, tmp_path_factory.mktemp("files"))


def test_what_is_in_use_scores(table: Table) -> None:
    first = table.train("first", seed=1)
    assert (first["ModelPackageVersion"], first["ModelApprovalStatus"]) == (1, "PendingManualApproval")
    refused = table.deployed.finished(table.put("scoring", "early", target=False, rows=5))
    assert "has no approved version" in refused.explanation

    table.decide(first, ModelApprovalStatus="Approved")
    assert table.score("by-first") == "1"
    assert {(row["row_role"], row["model_status"]) for row in table.rows("by-first")} == {("new", "Approved")}

    second = table.train("second", seed=2)
    assert table.score("still-by-first") == "1"
    table.decide(second, ModelApprovalStatus="Approved")
    assert table.score("by-second") == "2"

    table.put_in_use(first)
    assert table.score("by-first-again") == "1"


def test_training_and_scoring_at_once_do_not_disturb_each_other(table: Table) -> None:
    training = table.put("training", "third", target=True, seed=3)
    scoring = table.put("scoring", "beside-training", target=False, rows=5)
    assert table.scored((scoring, "beside-training")) == ["1"]
    assert table.deployed.finished(training).status == "Succeeded"
    assert [one["ModelApprovalStatus"] for one in table.deployed.model_packages()] == [
        *("Approved", "Approved", "PendingManualApproval"),
    ]


def test_each_file_is_predicted_by_one_version_whatever_is_decided_meanwhile(table: Table) -> None:
    first, second, _ = table.deployed.model_packages()
    running = []
    for number in range(FILES_DURING_DECISIONS):
        name = f"meanwhile-{number}"
        running.append((table.put("scoring", name, target=False, rows=5), name))
        table.put_in_use(second if number % 2 else first)
    assert set(table.scored(*running)) <= {"1", "2"}
    assert table.score("afterwards") == ("1" if FILES_DURING_DECISIONS % 2 else "2")
