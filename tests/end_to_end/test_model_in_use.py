"""Which version scores is a decision: approvals, another client's, rollbacks, rejections, each with a file scored."""

from __future__ import annotations

import csv
import io
import json

import boto3
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("trigger")]

GOT_BY_PARITY = "casual and registered"


@pytest.fixture(scope="module")
def to_score(tmp_path_factory):
    from pipeline.demo.sample import write_sample

    return write_sample(tmp_path_factory.mktemp("scoring"), rows=5, target=False).read_bytes()


@pytest.fixture(scope="module")
def trained(deployed, tmp_path_factory):
    """Train versions 1 to 3, the later ones while 1 is in use, and version 4 with the parts of the target."""
    from pipeline.demo.sample import write_sample

    for number in range(1, 4):
        body = write_sample(tmp_path_factory.mktemp("sample"), seed=number).read_bytes()
        run = deployed.run(f"raw/training/{number}.csv", body)
        assert run.status == "Succeeded", run.explanation
        if number == 1:
            deployed.command("model", "approve", "1")
    deployed.command("start", "raw/training/1.csv", "-p", "Profile=parity", "--watch")
    return deployed


@pytest.fixture(scope="module")
def scored_by(trained, to_score):
    """Score a file of this name; return the version by which each of its rows is predicted."""

    def version(name: str) -> str:
        run = trained.run(f"raw/scoring/{name}.csv", to_score, "scoring")
        assert run.status == "Succeeded", run.explanation
        (body,) = [content for key, content in trained.predictions().items() if f"/{name}-" in key]
        (only,) = {row["model_version"] for row in csv.DictReader(io.StringIO(body.decode()))}
        return only

    return version


@pytest.fixture(scope="module")
def another_client(trained):
    """Return a client that knows nothing of this project."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in trained.endpoint.environment().items():
            patch.setenv(name, value)
        yield boto3.client("sagemaker", region_name=trained.settings.region)


@pytest.fixture(scope="module")
def story(trained, scored_by, another_client):
    """Decide one thing after the other, and score a file after each decision."""
    found = {}
    trained.command("model", "approve", "2")
    trained.command("model", "approve", "1", "--reason", "better on Mondays")
    found["1 beside 2"] = scored_by("one-beside-two")
    # The last one needs what is never known in advance, so whoever approves it puts it not in use.
    for package in trained.model_packages()[2:]:
        another_client.update_model_package(ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Approved")
    found["another client's"] = scored_by("another-client")
    trained.command("model", "rollback", "--reason", "too high")
    found["rollback"] = scored_by("rollback")
    trained.command("model", "rollback")
    found["rollback again"] = scored_by("rollback-again")
    found["plan"] = trained.command("plan", "--json").stdout
    found["drift"] = trained.command("drift").stdout
    found["unasked"] = trained.command("model", "reject", "2", "--reason", "wrong", check=False)
    trained.command("model", "reject", "2", "--reason", "wrong", "--yes")
    found["rejected"] = scored_by("rejected")
    return found


def test_each_decision_counts_for_the_next_file(story):
    steps = ("1 beside 2", "another client's", "rollback", "rollback again", "rejected")
    assert {step: story[step] for step in steps} == {
        "1 beside 2": "1", "another client's": "3", "rollback": "1", "rollback again": "2", "rejected": "1",
    }  # fmt: skip


def test_rejecting_the_version_in_use_says_what_scores_instead_and_asks(story):
    refused = story["unasked"]
    assert refused.returncode == 9
    assert "Version 2 is in use. Without it, version 1 (profile forecast) scores." in " ".join(refused.stderr.split())


def test_plan_and_drift_show_the_version_in_use_and_stay_empty(story):
    plan = json.loads(story["plan"])
    assert (plan["empty"], plan["model_in_use"]["version"], plan["model_in_use"]["profile"]) == (True, 2, "forecast")
    assert plan["model_in_use"]["by"]
    assert "No drift" in story["drift"]
    assert "Model in use: version 2 (forecast), since 20" in story["drift"]


def test_a_version_that_needs_what_is_never_known_can_not_be_put_in_use(trained, story):
    done = trained.command("model", "approve", "4", check=False)
    assert done.returncode == 9
    said = " ".join(done.stderr.split())
    assert f"(profile parity) can't be put in use: it takes {GOT_BY_PARITY}" in said
    assert trained.model_packages()[3]["CustomerMetadataProperties"]["scores-new-rows"] == "no: casual registered"


def test_the_list_has_the_record(trained, story):
    listed = {one["version"]: one for one in json.loads(trained.command("model", "list", "--json").stdout)}
    assert [number for number, one in listed.items() if one["in_use"]] == [1]
    assert listed[2]["reason"] == "wrong"
    assert listed[1]["reason"] == "too high"
    champion = listed[2]["previous_model"]
    assert (champion["status"], champion["version"], champion["same_split"]) == ("compared", 1, False)
    low, high = champion["difference_intervals"]["rmse"]
    assert low <= champion["difference"]["rmse"] <= high
    text = trained.command("model", "list").stdout
    assert "“wrong”" in text
    assert "version 1: RMSE" in " ".join(text.split())


def test_versions_are_compared(trained, story):
    text = trained.command("model", "compare", "1", "4").stdout
    assert "differs" in text
    assert "casual" in text
