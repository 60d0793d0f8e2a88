"""Names, keys and tags: what AWS takes, and why it does not take the rest."""

import pytest

from pipeline.settings.aws_names import bucket_name_problem, key_problem, tag_problems


@pytest.mark.parametrize("name", ["abc", "a" * 63, "a.b-c", "0-9", "bikeshare-dev-raw-111122223333"])
def test_bucket_names_of_s3_pass(name):
    assert bucket_name_problem(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("ab", "a" * 64, "Abc", "a_c", "-abc", "abc-", ".abc", "a..b", "192.168.0.1", "xn--a", "sthree-a"),
        *("amzn-s3-demo-a", "abc-s3alias", "abc--ol-s3", "abc.mrap", "abc--x-s3", "abc--table-s3", ""),
    ],
)
def test_other_bucket_names_are_told(name):
    assert bucket_name_problem(name)


@pytest.mark.parametrize(
    "key",
    [
        *("alias/mine", "0123abcd-0123-0123-0123-0123456789ab", "mrk-0123456789abcdef0123456789abcdef"),
        *("arn:aws:kms:eu-west-1:111122223333:key/mrk-0", "arn:aws-cn:kms:cn-north-1:111122223333:alias/a/b"),
    ],
)
def test_keys_can_be_named_in_each_way_of_kms(key):
    assert key_problem(key) == ""


@pytest.mark.parametrize("key", ["", "mine", "alias/", "arn:aws:s3:::b", "arn:aws:kms:r:a:grant/x", "alias/aws/sns"])
def test_other_keys_are_told(key):
    assert key_problem(key)


def test_tags_are_told_by_their_key():
    tags = {"": "v", "aws:x": "v", "a;b": "v", "ok": "v", "OK": "v", "long": "v" * 257, "odd": "<v>", "k" * 129: "v"}
    assert [key for key, _ in tag_problems(tags)] == ["", "aws:x", "a;b", "OK", "long", "odd", "k" * 129]
    many = {f"k{number}": "v" for number in range(51)}
    assert [key for key, _ in tag_problems(many)] == ["k50"]
