"""The Feature Store runtime: put, get, delete, update and list records."""

from __future__ import annotations

from typing import Any

import pytest

from localmaker.daemon import EndpointHandle

EARLY, MIDDLE, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"
DEFINITIONS = [
    {"FeatureName": "id", "FeatureType": "String"},
    {"FeatureName": "at", "FeatureType": "String"},
    {"FeatureName": "x", "FeatureType": "Fractional"},
]


@pytest.fixture
def store(endpoint: EndpointHandle) -> Any:
    return endpoint.client("sagemaker-featurestore-runtime")


@pytest.fixture
def group(endpoint: EndpointHandle, unique: str) -> str:
    create(endpoint, unique)
    return unique


def create(endpoint: EndpointHandle, name: str, **online: Any) -> None:
    endpoint.client("sagemaker").create_feature_group(
        FeatureGroupName=name,
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=DEFINITIONS,
        OnlineStoreConfig={"EnableOnlineStore": True, **online},
    )


def record(identifier: str, at: str = MIDDLE, x: str = "1") -> list[dict[str, str]]:
    return [
        {"FeatureName": "id", "ValueAsString": identifier},
        {"FeatureName": "at", "ValueAsString": at},
        {"FeatureName": "x", "ValueAsString": x},
    ]


def read(store: Any, group: str, identifier: str, **options: Any) -> dict[str, str] | None:
    answer = store.get_record(FeatureGroupName=group, RecordIdentifierValueAsString=identifier, **options)
    if "Record" not in answer:
        return None
    return {value["FeatureName"]: value["ValueAsString"] for value in answer["Record"]}


def test_put_and_get(store: Any, group: str) -> None:
    store.put_record(FeatureGroupName=group, Record=record("ü /1", x="0.1"))
    assert read(store, group, "ü /1") == {"id": "ü /1", "at": MIDDLE, "x": "0.1"}
    assert read(store, group, "ü /1", FeatureNames=["x"]) == {"x": "0.1"}
    assert read(store, group, "other") is None


@pytest.mark.parametrize(("at", "expected"), [(EARLY, "1"), (MIDDLE, "2"), (LATE, "2")])
def test_only_an_older_record_never_replaces(store: Any, group: str, at: str, expected: str) -> None:
    store.put_record(FeatureGroupName=group, Record=record("a", MIDDLE, "1"))
    store.put_record(FeatureGroupName=group, Record=record("a", at, "2"))
    assert (read(store, group, "a") or {})["x"] == expected


def test_errors(store: Any, group: str, unique: str) -> None:
    with pytest.raises(store.exceptions.ResourceNotFound) as missing:
        store.put_record(FeatureGroupName=f"{unique}-none", Record=record("a"))
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(store.exceptions.ValidationError, match=r"named \[x\] .*\[oops\]") as invalid:
        store.put_record(FeatureGroupName=group, Record=record("a", x="oops"))
    assert invalid.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(store.exceptions.ValidationError, match="not defined"):
        read(store, group, "a", FeatureNames=["nope"])
    with pytest.raises(store.exceptions.ValidationError, match="has no"):
        store.put_record(FeatureGroupName=group, Record=record("a"), TargetStores=["OfflineStore"])


def test_batch_write(store: Any, group: str, unique: str) -> None:
    entries = [{"FeatureGroupName": group, "Record": record(str(n))} for n in range(23)]
    bad = {"FeatureGroupName": group, "Record": record("bad", "never")}
    lost = {"FeatureGroupName": f"{unique}-none", "Record": record("lost")}
    answer = store.batch_write_record(Entries=[*entries, bad, lost])
    assert [(one["Entry"], one["ErrorCode"]) for one in answer["Errors"]] == [
        (bad, "ValidationError"),
        (lost, "ResourceNotFound"),
    ]
    assert answer["UnprocessedEntries"] == []
    assert all(read(store, group, str(n)) for n in range(23))
    with pytest.raises(store.exceptions.ValidationError, match="length less than or equal to 25"):
        store.batch_write_record(Entries=entries + entries)


def test_batch_get(store: Any, group: str, unique: str) -> None:
    for identifier in "ab":
        store.put_record(FeatureGroupName=group, Record=record(identifier))
    answer = store.batch_get_record(
        Identifiers=[
            {"FeatureGroupName": group, "RecordIdentifiersValueAsString": ["a", "b", "c"], "FeatureNames": ["id"]},
            {"FeatureGroupName": f"{unique}-none", "RecordIdentifiersValueAsString": ["a"]},
        ]
    )
    assert [one["RecordIdentifierValueAsString"] for one in answer["Records"]] == ["a", "b"]
    assert answer["Records"][0]["Record"] == [{"FeatureName": "id", "ValueAsString": "a"}]
    assert [one["ErrorCode"] for one in answer["Errors"]] == ["ResourceNotFound"]
    assert answer["UnprocessedIdentifiers"] == []


def delete(store: Any, group: str, at: str, mode: str) -> None:
    store.delete_record(FeatureGroupName=group, RecordIdentifierValueAsString="a", EventTime=at, DeletionMode=mode)


def test_soft_delete_keeps_older_records_out(store: Any, group: str) -> None:
    store.put_record(FeatureGroupName=group, Record=record("a", EARLY))
    delete(store, group, LATE, "SoftDelete")
    assert read(store, group, "a") is None
    store.put_record(FeatureGroupName=group, Record=record("a", MIDDLE))
    assert read(store, group, "a") is None
    store.put_record(FeatureGroupName=group, Record=record("a", LATE))
    assert read(store, group, "a") is not None


def test_hard_delete_forgets(store: Any, group: str) -> None:
    store.put_record(FeatureGroupName=group, Record=record("a", MIDDLE))
    with pytest.raises(store.exceptions.ValidationError, match="must be later"):
        delete(store, group, MIDDLE, "HardDelete")
    delete(store, group, LATE, "HardDelete")
    store.put_record(FeatureGroupName=group, Record=record("a", EARLY))
    assert (read(store, group, "a") or {})["at"] == EARLY


def test_an_older_soft_delete_changes_nothing(store: Any, group: str) -> None:
    store.put_record(FeatureGroupName=group, Record=record("a", MIDDLE))
    delete(store, group, EARLY, "SoftDelete")
    assert read(store, group, "a") is not None


def test_time_to_live(endpoint: EndpointHandle, store: Any, unique: str) -> None:
    create(endpoint, unique, TtlDuration={"Unit": "Days", "Value": 1})
    store.put_record(FeatureGroupName=unique, Record=record("expired", EARLY))
    assert read(store, unique, "expired") is None
    store.put_record(
        FeatureGroupName=unique, Record=record("kept", EARLY), TtlDuration={"Unit": "Weeks", "Value": 2000}
    )
    answer = store.get_record(
        FeatureGroupName=unique, RecordIdentifierValueAsString="kept", ExpirationTimeResponse="Enabled"
    )
    assert answer["ExpiresAt"] == "2064-05-01T00:00:00Z"
    assert store.list_records(FeatureGroupName=unique)["RecordIdentifiers"] == ["kept"]


def test_update_record(endpoint: EndpointHandle, store: Any, group: str, unique: str) -> None:
    def update(name: str, identifier: str, **features: str) -> None:
        listed = [{"FeatureName": key, "ValueAsString": value} for key, value in features.items()]
        store.update_record(FeatureGroupName=name, RecordIdentifierValueAsString=identifier, Features=listed)

    with pytest.raises(store.exceptions.ValidationError, match="needs an online store of type"):
        update(group, "a", x="2")
    memory = f"{unique}-memory"
    create(endpoint, memory, StorageType="InMemory")
    with pytest.raises(store.exceptions.ResourceNotFound):
        update(memory, "a", x="2")
    store.put_record(FeatureGroupName=memory, Record=record("a", MIDDLE))
    update(memory, "a", x="2")
    assert read(store, memory, "a") == {"id": "a", "at": MIDDLE, "x": "2"}
    update(memory, "a", at=LATE, x="3")
    with pytest.raises(store.exceptions.ConflictException):
        update(memory, "a", at=EARLY, x="4")
    assert read(store, memory, "a") == {"id": "a", "at": LATE, "x": "3"}


def test_list_records_in_pages(store: Any, group: str) -> None:
    for number in range(5):
        store.put_record(FeatureGroupName=group, Record=record(f"r{number}"))
    store.delete_record(FeatureGroupName=group, RecordIdentifierValueAsString="r1", EventTime=LATE)
    pages, token = [], {}
    while True:
        answer = store.list_records(FeatureGroupName=group, MaxResults=2, **token)
        pages.append(answer["RecordIdentifiers"])
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert pages == [["r0", "r2"], ["r3", "r4"]]
    everything = store.list_records(FeatureGroupName=group, IncludeSoftDeletedRecords=True)
    assert everything["RecordIdentifiers"] == ["r0", "r1", "r2", "r3", "r4"]


def test_one_wrong_entry_of_a_batch_costs_no_other(store: Any, endpoint: EndpointHandle, unique: str) -> None:
    endpoint.client("sagemaker").create_feature_group(
        FeatureGroupName=unique,
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[*DEFINITIONS[:1], {"FeatureName": "at", "FeatureType": "Fractional"}, *DEFINITIONS[2:]],
        OnlineStoreConfig={"EnableOnlineStore": True},
    )
    wrong = {"1767268800123": "1", "nan": "1", "inf": "1", "1e400": "1", "1": "nan", "2": "", "3": "1_0"}
    entries = [record(f"wrong {at}", at, x) for at, x in wrong.items()]
    answer = store.batch_write_record(
        Entries=[{"FeatureGroupName": unique, "Record": one} for one in [*entries, record("right", "1767268800.5")]]
    )
    assert [one["Entry"]["Record"] for one in answer["Errors"]] == entries
    assert {one["ErrorCode"] for one in answer["Errors"]} == {"ValidationError"}
    assert store.list_records(FeatureGroupName=unique)["RecordIdentifiers"] == ["right"]
    for at, x in wrong.items():
        with pytest.raises(store.exceptions.ValidationError):
            store.put_record(FeatureGroupName=unique, Record=record("a", at, x))
