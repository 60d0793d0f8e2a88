"""follow_model.py on the local endpoint: events that come twice, late, out of order or never, and other clients."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

import follow_model
from analysis.card.following import DRAFT, card_name, card_prefix, steps_to, version_of
from analysis.runtime.aws import patient_client
from analysis.runtime.errors import AwsCallError, ModelError
from localmaker.daemon import EndpointHandle, running_endpoint
from pipedef.document.model_cards import CardKind, card_problems

CARD = {
    "model_overview": {"model_creator": "Training pipeline"},
    "intended_uses": {"risk_rating": "Low"},
    "additional_information": {"custom_details": {"Algorithm": "Ordinary least squares"}},
}
_NUMBERS = count(1)


class Context:
    """As Lambda's, with a minute left."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("state")) as running:
        yield running


class Registry:
    """A group of its own, and what its versions' cards say."""

    def __init__(self) -> None:
        self.sagemaker = boto3.client("sagemaker")
        self.group = f"bikes-{next(_NUMBERS)}-regression"
        self.sagemaker.create_model_package_group(ModelPackageGroupName=self.group)

    def register(self, *, card: dict[str, Any] | str | None = CARD, **more: Any) -> str:
        """Register a version and return its ARN."""
        text = card if isinstance(card, str) else json.dumps(card)
        return self.sagemaker.create_model_package(
            ModelPackageGroupName=self.group,
            InferenceSpecification={
                "Containers": [{"Image": "image", "ModelDataUrl": "s3://models/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            **({} if card is None else {"ModelCard": {"ModelCardContent": text, "ModelCardStatus": "PendingReview"}}),
            **more,
        )["ModelPackageArn"]

    def decide(self, arn: str, status: str, **more: Any) -> None:
        """Approve or reject a version as any client of AWS may."""
        self.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status, **more)

    def happens(self, arn: str) -> str:
        """Let the function hear of a change; what it answers."""
        event = {"model-package-group-name": self.group, "model-package-arn": arn, "tag": ["project=bikes", "env=dev"]}
        return follow_model.handler(event, Context())["reason"]

    def card(self, version: int = 1) -> dict[str, Any]:
        """Describe the card of a version."""
        return dict(self.sagemaker.describe_model_card(ModelCardName=f"{self.group}-{version}"))

    def status(self, version: int = 1) -> str:
        """Return the status of a version's card."""
        return str(self.card(version)["ModelCardStatus"])

    def cards(self) -> list[str]:
        """Name all cards of the group's versions."""
        found = self.sagemaker.list_model_cards(NameContains=self.group, SortBy="Name", SortOrder="Ascending")[
            "ModelCardSummaries"
        ]
        return [one["ModelCardName"] for one in found]

    def properties(self, arn: str) -> dict[str, str]:
        """Return the customer metadata of a version."""
        return self.sagemaker.describe_model_package(ModelPackageName=arn).get("CustomerMetadataProperties", {})


@pytest.fixture
def registry(endpoint: EndpointHandle, point_at: Callable[[str], None]) -> Registry:
    point_at(endpoint.url)
    return Registry()


def test_a_new_version_gets_a_card_of_its_own_that_waits_for_review(registry: Registry) -> None:
    arn = registry.register()
    assert registry.happens(arn) == f"{registry.group}-1 is Draft; {registry.group}-1 is PendingReview"
    card = registry.card()
    content = json.loads(card["Content"])
    assert content["model_package_details"]["model_package_arn"] == arn
    assert content["model_overview"]["algorithm_type"] == "Ordinary least squares"
    assert list(card_problems(card["Content"], CardKind.STAND_ALONE)) == []
    tags = registry.sagemaker.list_tags(ResourceArn=card["ModelCardArn"])["Tags"]
    assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("env", "dev"), ("project", "bikes")]


def test_an_event_that_comes_twice_changes_nothing(registry: Registry) -> None:
    arn = registry.register()
    registry.happens(arn)
    registry.decide(arn, "Approved")
    registry.happens(arn)
    before = registry.card(), registry.properties(arn)
    assert registry.happens(arn) == "nothing to do"
    after = registry.card(), registry.properties(arn)
    for one in (*before, *after):
        one.pop("ResponseMetadata", None)
    assert before == after


def test_a_card_follows_its_version(registry: Registry) -> None:
    arn = registry.register()
    registry.happens(arn)
    for decision, status in (
        *(("Approved", "Approved"), ("Rejected", "Archived"), ("Approved", "Approved")),
        *(
            ("PendingManualApproval", "PendingReview"),
            ("Rejected", "Archived"),
            ("PendingManualApproval", "PendingReview"),
        ),
    ):
        registry.decide(arn, decision, ApprovalDescription=f"because of {decision}")
        registry.happens(arn)
        assert registry.status() == status
        details = json.loads(registry.card()["Content"])["model_package_details"]
        assert details["model_approval_status"] == decision
        assert details["approval_description"] == f"because of {decision}"


def test_a_version_approved_after_a_rejection_ends_with_an_approved_card(registry: Registry) -> None:
    arn = registry.register()
    registry.decide(arn, "Rejected")
    registry.happens(arn)
    assert registry.status() == "Archived"
    registry.decide(arn, "Approved")
    registry.happens(arn)
    assert registry.status() == "Approved"
    assert registry.cards() == [f"{registry.group}-1"]


def test_late_events_in_any_order_end_with_the_present_state(registry: Registry) -> None:
    first, second = registry.register(), registry.register()
    registry.decide(first, "Approved")
    registry.decide(second, "Approved")
    registry.decide(first, "Rejected")
    for arn in (second, first, first, second, first):
        registry.happens(arn)
    assert (registry.status(1), registry.status(2)) == ("Archived", "Approved")


def test_what_lost_events_would_have_said_is_done_at_the_next_one(registry: Registry) -> None:
    lost = [registry.register() for _ in range(3)]
    registry.happens(lost[0])
    registry.decide(lost[0], "Approved")
    registry.decide(lost[1], "Rejected")
    registry.sagemaker.delete_model_package(ModelPackageName=lost[2])
    registry.happens(registry.register())
    found = [registry.status(version) for version in (1, 2, 3, 4)]
    assert found == ["Approved", "Archived", "Archived", "PendingReview"]
    assert "in-use-since" in registry.properties(lost[0])


def test_the_card_of_a_deleted_version_is_archived(registry: Registry) -> None:
    kept, deleted = registry.register(), registry.register()
    registry.happens(deleted)
    registry.sagemaker.delete_model_package(ModelPackageName=deleted)
    registry.happens(kept)  # nothing says that AWS tells of deletions
    assert (registry.status(1), registry.status(2)) == ("PendingReview", "Archived")
    assert registry.happens(deleted) == "nothing to do"


def test_a_version_without_a_card_is_no_failure(registry: Registry) -> None:
    arn = registry.register(card=None, ModelApprovalStatus="Approved")
    assert registry.happens(arn) == "version 1: in-use-since written or removed"
    assert registry.cards() == []
    assert registry.happens(arn) == "nothing to do"
    registry.sagemaker.delete_model_package(ModelPackageName=arn)
    assert registry.happens(arn) == "nothing to do"


def test_an_approval_by_another_client_gets_its_moment(registry: Registry) -> None:
    arn = registry.register(CustomerMetadataProperties={"decided-by": "whoever rejected it", "profile": "forecast"})
    registry.decide(arn, "Approved")
    approved = registry.sagemaker.describe_model_package(ModelPackageName=arn)["LastModifiedTime"]
    registry.happens(arn)
    properties = registry.properties(arn)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", properties["in-use-since"])
    since = datetime.fromisoformat(properties["in-use-since"])
    assert abs((since - approved).total_seconds()) < 0.001
    assert properties.keys() == {"in-use-since", "profile"}


def test_what_the_commands_have_written_stays(registry: Registry) -> None:
    properties = {"in-use-since": "2026-12-01T03:00:00.000Z", "decided-by": "arn:aws:iam::1:user/ada"}
    approved, rejected = registry.register(), registry.register()
    registry.decide(approved, "Approved", CustomerMetadataProperties={**properties, "rolled-back-from": "2"})
    registry.decide(rejected, "Rejected", CustomerMetadataProperties={"decided-by": "arn:aws:iam::1:user/ada"})
    registry.happens(approved)
    registry.happens(rejected)
    assert registry.properties(approved) == {**properties, "rolled-back-from": "2"}
    assert registry.properties(rejected) == {"decided-by": "arn:aws:iam::1:user/ada"}


@pytest.mark.parametrize("status", ["Rejected", "PendingManualApproval"])
def test_a_version_that_another_client_takes_back_is_not_in_use_any_more(registry: Registry, status: str) -> None:
    arn = registry.register(CustomerMetadataProperties={"profile": "forecast"})
    written = {"in-use-since": "2026-12-01T03:00:00.000Z", "decided-by": "ada", "rolled-back-from": "2"}
    registry.decide(arn, "Approved", CustomerMetadataProperties=written)
    registry.decide(arn, status)
    registry.happens(arn)
    assert registry.properties(arn) == {"profile": "forecast"}


def test_a_version_that_scores_nothing_new_is_never_in_use(registry: Registry) -> None:
    arn = registry.register(CustomerMetadataProperties={"scores-new-rows": "no: casual registered"})
    registry.decide(arn, "Approved")
    registry.happens(arn)
    assert "in-use-since" not in registry.properties(arn)
    assert registry.status() == "Approved"


def test_a_card_that_can_not_be_made_fails_its_own_event_and_no_other(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    # There is no room for what the stand-alone card has more.
    details = {f"detail {number}": "x" * 1000 for number in range(97)}
    crowded = registry.register(card={"additional_information": {"custom_details": {**details, "last": "x" * 980}}})
    with pytest.raises(AwsCallError, match=rf"Creating the model card {registry.group}-1 failed"):
        registry.happens(crowded)
    registry.happens(registry.register())
    assert registry.cards() == [f"{registry.group}-2"]
    assert "follow: warning: version 1: Creating the model card" in capsys.readouterr().out


def test_events_at_the_same_moment(registry: Registry) -> None:
    arn = registry.register()
    registry.decide(arn, "Rejected")
    registry.happens(arn)
    registry.decide(arn, "Approved")
    threads = [threading.Thread(target=registry.happens, args=(arn,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    registry.happens(arn)
    assert registry.status() == "Approved"
    assert registry.cards() == [f"{registry.group}-1"]


@pytest.mark.parametrize("update", [1, 2])
def test_a_card_that_another_event_deletes_to_make_it_anew(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, update: int
) -> None:
    arn = registry.register(ModelApprovalStatus="Approved")
    other, updates = boto3.client("sagemaker"), count(1)

    def delete(**_: Any) -> None:
        if next(updates) == update:
            other.delete_model_card(ModelCardName=card_name(registry.group, 1))

    def client(*arguments: Any) -> Any:
        made = patient_client(*arguments)
        made.meta.events.register("before-call.sagemaker.UpdateModelCard", delete)
        return made

    monkeypatch.setattr(follow_model, "patient_client", client)
    assert "was changed meanwhile" in registry.happens(arn)
    assert next(updates) > update
    assert registry.status() == "Approved"


def test_as_a_program(registry: Registry, call_script: Callable[..., Any]) -> None:
    arn = registry.register()
    outcome = call_script("follow_model.py", "--model-package-group-name", registry.group, "--model-package-arn", arn)
    assert outcome.code == 0
    assert registry.status() == "PendingReview"


@given(st.from_regex(r"[a-z](-?[a-z0-9]){0,62}", fullmatch=True), st.integers(1, 99_999_999))
def test_names_are_of_one_version(group: str, version: int) -> None:
    name = card_name(group[:63], version)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
    assert len(name) <= 63
    assert name.startswith(card_prefix(group[:63]))
    assert version_of(name, group[:63]) == version


def test_names_of_other_things_are_of_no_version() -> None:
    for name in ("bikes-regression-2-1", "bikes-regression-notes", "bikes-regression", "bikes-regression-01"):
        assert version_of(name, "bikes-regression") is None


@pytest.mark.parametrize("present", ["Draft", "PendingReview", "Approved"])
@pytest.mark.parametrize("wanted", ["PendingReview", "Approved", "Archived"])
def test_no_status_is_left_out_on_the_way_to_approval(present: str, wanted: str) -> None:
    steps: Sequence[str] = steps_to(present, wanted)
    assert (steps[-1] if steps else present) == wanted
    assert (present, *steps)[:2] != (DRAFT, "Approved")


def test_a_card_that_is_no_json_is_named() -> None:
    from analysis.card.following import content_of

    with pytest.raises(ModelError, match="The card in arn:x can't be read"):
        content_of({"ModelPackageArn": "arn:x", "ModelCard": {"ModelCardContent": "[]"}})


def test_since_when_without_any_change() -> None:
    created = datetime(2026, 12, 1, 3, tzinfo=UTC)
    found = follow_model.record({"ModelApprovalStatus": "Approved", "CreationTime": created})
    assert found == {"CustomerMetadataProperties": {"in-use-since": "2026-12-01T03:00:00.000Z"}}
