"""Names, keys and tags: what AWS accepts, and that the rest is refused with a reason."""

import pytest

from pipeline.settings.constraints import check_bucket_name, check_key, check_tag_key, check_tag_value


@pytest.mark.parametrize("name", ["abc", "a" * 63, "a.b-c", "0-9", "bikeshare-dev-raw-111122223333"])
def test_bucket_names_of_s3_pass(name):
    assert check_bucket_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Abc",
        "a_c",
        "-abc",
        "abc-",
        ".abc",
        "a..b",
        "192.168.0.1",
        "xn--a",
        "sthree-a",
        "amzn-s3-demo-a",
        "abc-s3alias",
        "abc--ol-s3",
        "abc.mrap",
        "abc--x-s3",
        "abc--table-s3",
        "",
    ],
)
def test_other_bucket_names_are_refused(name):
    with pytest.raises(ValueError, match="name"):
        check_bucket_name(name)


@pytest.mark.parametrize(
    "key",
    [
        "alias/mine",
        "0123abcd-0123-0123-0123-0123456789ab",
        "mrk-0123456789abcdef0123456789abcdef",
        "arn:aws:kms:eu-west-1:111122223333:key/mrk-0",
        "arn:aws-cn:kms:cn-north-1:111122223333:alias/a/b",
    ],
)
def test_keys_can_be_named_in_each_way_of_kms(key):
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key", ["", "mine", "alias/", "arn:aws:s3:::b", "arn:aws:kms:r:a:grant/x", "alias/aws/sns", "alias/a\nb"]
)
def test_other_keys_are_refused(key):
    with pytest.raises(ValueError, match="key"):
        check_key(key)


@pytest.mark.parametrize("key", ["", "aws:x", "AWS:x", "a;b", "k" * 129, "a\tb", "a\nb"])
def test_tag_keys_that_aws_refuses(key):
    with pytest.raises(ValueError, match="tag"):
        check_tag_key(key)


@pytest.mark.parametrize("value", ["v" * 257, "<v>", "a\x85b", "a & b"])
def test_tag_values_that_aws_refuses(value):
    with pytest.raises(ValueError, match="tag"):
        check_tag_value(value)


@pytest.mark.parametrize("text", ["ok", "k" * 128, "Größe:x/y", "a b+c=d.e_f-g@h", "aws", "x\u00a0\u2028½"])
def test_other_tags_pass(text):
    assert (check_tag_key(text), check_tag_value(text)) == (text, text)
