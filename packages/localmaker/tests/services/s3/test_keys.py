"""Keys of S3 objects may be any text."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

import pytest
import requests

from localmaker.daemon import EndpointHandle

KEYS = [
    *("a\nb", "\n", "a/b\n", "x\r\ny", "\ttab\t", "next\u0085line", "line\u2028separator", "delete\x7f"),
    *("//two", "a//b", "folder/", ".", "a/../b", " both ends  ", "plus+ & ?#=", "%0A", "k%2Fz", "a\\b", "Größe"),
]


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_any_text_is_a_key(key: str, endpoint: EndpointHandle, unique: str) -> None:
    s3, target = endpoint.client("s3"), {"Bucket": unique, "Key": key}
    s3.create_bucket(Bucket=unique)
    s3.put_object(**target, Body=key.encode(), Tagging="tag=1")
    assert s3.get_object(**target)["Body"].read() == key.encode()
    assert s3.head_object(**target)["ContentLength"] == len(key.encode())
    assert s3.get_object_tagging(**target)["TagSet"] == [{"Key": "tag", "Value": "1"}]
    s3.copy_object(Bucket=unique, Key=f"{key}.copy", CopySource=target)
    assert s3.get_object(Bucket=unique, Key=f"{key}.copy")["Body"].read() == key.encode()
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=unique, Prefix=key)["Contents"]] == [key, f"{key}.copy"]
    s3.delete_object(**target)
    assert s3.delete_objects(Bucket=unique, Delete={"Objects": [{"Key": f"{key}.copy"}]})["Deleted"] == [
        {"Key": f"{key}.copy"}
    ]
    assert "Contents" not in s3.list_objects_v2(Bucket=unique)


def test_a_notification_has_the_key_of_a_url(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    s3, key = endpoint.client("s3"), "two\nlines and\r\n+%.csv"
    s3.create_bucket(Bucket=unique)
    to_queue = {"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=unique, NotificationConfiguration={"QueueConfigurations": [to_queue]}
    )
    s3.put_object(Bucket=unique, Key=key, Body=b"1")
    [found] = [event for event in queue.events(2) if event.get("Event") != "s3:TestEvent"]
    assert unquote_plus(found["Records"][0]["s3"]["object"]["key"]) == key


def test_a_line_break_survives_a_list_that_is_not_encoded(endpoint: EndpointHandle, unique: str) -> None:
    """XML turns a carriage return that is written as it is into a line feed."""
    s3, key = endpoint.client("s3"), "a\r\nb"
    s3.create_bucket(Bucket=unique)
    s3.put_object(Bucket=unique, Key=key, Body=b"1")
    # boto3 would ask for encoded keys.
    assert "<Key>a&#13;\nb</Key>" in requests.get(f"{endpoint.url}/{unique}?list-type=2", timeout=60).text


def test_a_character_that_xml_does_not_have(endpoint: EndpointHandle, unique: str) -> None:
    """It can be listed encoded only, and a list of keys to delete, which is XML, cannot name it."""
    s3, target = endpoint.client("s3"), {"Bucket": unique, "Key": "a\x01b"}
    s3.create_bucket(Bucket=unique)
    s3.put_object(**target, Body=b"1")
    assert s3.get_object(**target)["Body"].read() == b"1"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=unique)["Contents"]] == [target["Key"]]
    with pytest.raises(s3.exceptions.ClientError, match="MalformedXML"):
        s3.delete_objects(Bucket=unique, Delete={"Objects": [{"Key": target["Key"]}]})
    s3.delete_object(**target)
    assert "Contents" not in s3.list_objects_v2(Bucket=unique)
