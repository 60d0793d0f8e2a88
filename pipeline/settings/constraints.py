"""Types of settings: what AWS accepts as names, keys, tags and identifiers, each with its rule in words."""

import re
from collections.abc import Callable
from typing import Annotated, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from analysis.card.standard import read_standard
from analysis.runtime.errors import SettingsError as DeclarationError
from analysis.runtime.project import NAME
from pipeline.datasets.shipped import dataset_names, declaration_file, declared, standard_file, standard_names

Item = TypeVar("Item")

# ``retentionInDays`` of CloudWatch Logs' PutRetentionPolicy.
_RETENTION = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


def matching(*rules: tuple[str, str]) -> Callable[[str], str]:
    """Return a validator of text; each rule is a pattern that the whole text has to match, and the message if not."""

    def check(text: str) -> str:
        for pattern, message in rules:
            if not re.fullmatch(pattern, text):
                raise ValueError(message)
        return text

    return check


# "General purpose bucket naming rules" (Amazon S3, user guide).
check_bucket_name = matching(
    (
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, and a letter or digit at each end",
    ),
    (r"(?!.*\.\.)(?!\d{1,3}(\.\d{1,3}){3}$).*", "a bucket name has no two dots in a row and is not an IP address"),
    (
        r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$).*",
        "S3 reserves such names (xn--…, sthree-…, amzn-s3-demo-…, …-s3alias, …--ol-s3, ….mrap, …--x-s3, …--table-s3)",
    ),
)
_KEYS = (
    r"arn:aws[a-z-]*:kms:[^:]+:[^:]+:(key|alias)/.+",
    "alias/.+",
    "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "mrk-[0-9a-f]{32}",
)
check_key = matching(
    ("|".join(_KEYS), "a key is named by its id, its ARN, alias/NAME or an alias's ARN"),
    (
        "(?!.*alias/aws/).*",
        "the policies of AWS's own keys (alias/aws/…) can't be changed, so EventBridge could not use one",
    ),
)
# The strictest of the services that get tags: IAM, S3 and SageMaker agree on these characters. Control characters
# count as white space in Python, but not in AWS.
_TAG_CHARACTERS = (r"((?![\x00-\x1f\x85])[\w\s.:/=+@-])*", "a tag takes letters, digits, spaces and _.:/=+-@ only")
check_tag_key = matching(
    ("(?s).{1,128}", "a tag's key has 1 to 128 characters"),
    ("(?is)(?!aws:).*", "tags that begin with aws: are reserved by AWS"),
    _TAG_CHARACTERS,
)
check_tag_value = matching(("(?s).{0,256}", "a tag's value has at most 256 characters"), _TAG_CHARACTERS)


def _retention(days: int) -> int:
    if days not in _RETENTION:
        raise ValueError(f"CloudWatch Logs keeps logs for {', '.join(map(str, _RETENTION))} days")
    return days


def _port(url: str) -> str:
    try:
        urlsplit(url).port  # noqa: B018 - parsed when asked for
    except ValueError as error:
        raise ValueError("its port is not a number up to 65535") from error
    return url


def _distinct(values: tuple[Item, ...]) -> tuple[Item, ...]:
    if repeated := [str(value) for value in dict.fromkeys(values) if values.count(value) > 1]:
        raise ValueError(f"{', '.join(repeated)} is listed more than once")
    return values


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise ValueError("there is no such time zone; write one such as Europe/Zurich") from error
    return name


# ``PolicyName`` and ``PolicyPath`` of IAM's CreatePolicy.
check_policy = matching(
    (
        r"(arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/)?([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,128}",
        "a managed policy is named by its name or its ARN",
    )
)
BucketName = Annotated[str, AfterValidator(check_bucket_name)]
ManagedPolicy = Annotated[str, AfterValidator(check_policy)]
KmsKey = Annotated[str, AfterValidator(check_key)]
TagKey = Annotated[str, AfterValidator(check_tag_key)]
TagValue = Annotated[str, AfterValidator(check_tag_value)]
LogRetention = Annotated[int, AfterValidator(_retention)]
#: Values without repetition.
Distinct = Annotated[tuple[Item, ...], AfterValidator(_distinct)]
#: A finite number: JSON, which definitions are written in, has no other.
Number = Annotated[float, Field(allow_inf_nan=False)]


def _text(pattern: str, words: str) -> AfterValidator:
    return AfterValidator(matching((pattern, f"has to be {words}")))


def _declared(name: str) -> str:
    if not declaration_file(name).is_file():
        known = ", ".join(dataset_names())
        raise ValueError(f"there is no declaration {name!r}; use the path of a TOML file, or one of: {known}")
    try:
        declared(name)
    except DeclarationError as error:
        raise ValueError(f"{error} All that is wrong: {NAME} dataset check {declaration_file(name)}") from error
    return name


def _standard(name: str) -> str:
    if not standard_file(name).is_file():
        known = ", ".join(standard_names())
        raise ValueError(f"there is no standard {name!r}; use the path of a TOML file, or one of: {known}")
    try:
        read_standard(standard_file(name))
    except DeclarationError as error:
        raise ValueError(str(error)) from error
    return name


#: Beginning of every name; bucket names have to fit into 63 characters with it.
ShortName = Annotated[
    str, _text("[a-z][a-z0-9-]{0,15}", "1 to 16 lower-case letters, digits and hyphens, a letter first")
]
DatasetName = Annotated[str, AfterValidator(_declared)]
CardStandard = Annotated[str, AfterValidator(_standard)]
AccountId = Annotated[str, _text("[0-9]{12}", "12 digits")]
Region = Annotated[str, _text("[a-z]{2}(-[a-z]+)+-[0-9]", "a region of AWS, such as eu-west-1")]
Url = Annotated[str, _text(r"https?://\S+", "a URL, such as http://127.0.0.1:4566"), AfterValidator(_port)]
InstanceType = Annotated[str, _text(r"ml\.[a-z0-9-]+\.[a-z0-9]+", "an instance type of SageMaker, such as ml.m5.large")]
SubnetId = Annotated[str, _text("subnet-[0-9a-f]+", "the id of a subnet, subnet-…")]
SecurityGroupId = Annotated[str, _text("sg-[0-9a-f]+", "the id of a security group, sg-…")]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
# "Schedule types on EventBridge Scheduler"; the fields of cron are AWS's to check.
ScheduleExpression = Annotated[
    str,
    _text(
        r"cron\(\S+( \S+){5}\)|at\([0-9T:-]{19}\)"
        r"|rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\)",
        "such as cron(0 3 1 * ? *), rate(7 days) or at(2027-01-01T03:00:00)",
    ),
]
EmailAddress = Annotated[str, _text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")]
# ISO 8601 duration as step caching takes it.
_HOURS_AND_MINUTES = "[Tt]([0-9]+[Hh]([0-9]+[Mm])?|[0-9]+[Mm])"
Duration = Annotated[
    str,
    _text(
        f"[Pp]([0-9]+[Dd]({_HOURS_AND_MINUTES})?|{_HOURS_AND_MINUTES})",
        "a duration of days, hours and minutes, such as P30D or PT12H30M",
    ),
]
