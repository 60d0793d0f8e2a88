"""The page shows what runs and what went wrong, as text, and changes nothing."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from tests.console.browser import CHROMIUM, browser

from localmaker.daemon import EndpointHandle, running_endpoint

ROLE = "arn:aws:iam::123456789012:role/console"
HOSTILE = "<script>document.title='ran'<script><img src=x onerror=alert(1)>\n'\"&.csv"
WAITS = "while [ ! -e /opt/ml/processing/go/go ]; do sleep 0.05; done"
FAILS = "echo 'the <b>last</b> words' >&2; printf 'no <i>luck</i> today' > /opt/ml/output/message; exit 3"
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian: apt-get install chromium)")


@dataclass(frozen=True)
class Seen:
    """An endpoint with two executions: one has failed, one succeeded."""

    endpoint: EndpointHandle
    failed: str
    succeeded: str

    def page(self, **asked: str) -> str:
        status, _, body = get(self.endpoint, f"/_console?{urlencode(asked)}")
        assert status == 200, body
        return body


def get(
    endpoint: EndpointHandle, target: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    address = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    connection.request(method, target, headers=headers or {}, body=b"" if method == "POST" else None)
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    connection.close()
    return found


def processing(name: str, command: str, **more: Any) -> dict[str, Any]:
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
    given = {"S3Uri": "s3://console/in/", "LocalPath": "/opt/ml/processing/in", "S3DataType": "S3Prefix"}
    made = {"S3Uri": "s3://console/out", "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}
    arguments = {
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": image, "ContainerEntrypoint": ["bash", "-c", command]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "ProcessingInputs": [
            {"InputName": "table", "AppManaged": False, "S3Input": {**given, "S3InputMode": "File"}},
        ],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "kept", "AppManaged": False, "S3Output": made}]},
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


def started(endpoint: EndpointHandle, pipeline: str, *steps: dict[str, Any]) -> str:
    client = endpoint.client("sagemaker")
    definition = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": steps})
    client.create_pipeline(
        PipelineName=pipeline, ClientRequestToken=uuid.uuid4().hex, RoleArn=ROLE, PipelineDefinition=definition
    )
    arn: str = client.start_pipeline_execution(PipelineName=pipeline)["PipelineExecutionArn"]
    return arn


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with running_endpoint(tmp_path_factory.mktemp("state")) as endpoint:
        s3, sagemaker = endpoint.client("s3"), endpoint.client("sagemaker")
        s3.create_bucket(Bucket="console")
        for key in ("in/table.csv", f"odd/{HOSTILE}"):
            s3.put_object(Bucket="console", Key=key, Body=b"1")
        sagemaker.create_model_package_group(ModelPackageGroupName="models")
        sagemaker.create_feature_group(
            FeatureGroupName="groups",
            RecordIdentifierFeatureName="id",
            EventTimeFeatureName="at",
            FeatureDefinitions=[{"FeatureName": name, "FeatureType": "String"} for name in ("id", "at")],
            OnlineStoreConfig={"EnableOnlineStore": True},
        )
        failed = started(
            endpoint, "breaks", processing("Prepare", FAILS), processing("Train", "true", DependsOn=["Prepare"])
        )
        succeeded = started(endpoint, "works", processing("Alone", "echo said; echo 1 > /opt/ml/processing/out/one"))
        for arn in (failed, succeeded):
            while (
                sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
                == "Executing"
            ):
                pass
        yield Seen(endpoint, failed, succeeded)


def test_a_failed_step_is_shown_with_its_reason_its_log_and_its_data(seen: Seen) -> None:
    page = seen.page(execution=seen.failed, pipeline="breaks")
    assert "no &lt;i&gt;luck&lt;/i&gt; today" in page
    assert "the &lt;b&gt;last&lt;/b&gt; words" in page
    assert "<dt>ProcessingInputs table</dt><dd>s3://console/in/</dd>" in page
    assert "<dt>ProcessingOutputConfig kept</dt><dd>s3://console/out</dd>" in page
    assert ">Train: Processing, Not run<" in page


def test_a_step_that_succeeded_is_shown_when_it_is_asked_for(seen: Seen) -> None:
    page = seen.page(execution=seen.succeeded, pipeline="works", step="Alone")
    assert '<pre tabindex="0">said\n</pre>' in page
    assert 'data-state="Succeeded"' in page
    assert "<h4>End of the log</h4>" not in seen.page(execution=seen.succeeded, pipeline="works")


def test_the_first_page_shows_the_newest_execution_and_all_that_there_is(seen: Seen) -> None:
    page = seen.page()
    for found in (seen.succeeded, "breaks", "works", ">console<", ">groups<", ">models<", "no version"):
        assert found in page, found


def test_keys_are_shown_as_text(seen: Seen) -> None:
    page = seen.page(bucket="console", prefix="odd/")
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize(
    "asked",
    [
        {"execution": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/breaks/execution/gone00000000"},
        {"execution": "<b>"}, {"pipeline": "gone"}, {"bucket": "gone"}, {"bucket": "../"}, {"step": "gone"},
        {"region": "eu-west-1"},
    ],
)  # fmt: skip
def test_a_link_to_what_is_gone_is_a_page_all_the_same(seen: Seen, asked: dict[str, str]) -> None:
    assert "<b>" not in seen.page(**asked)


def test_a_region_that_is_none_is_refused(seen: Seen) -> None:
    assert get(seen.endpoint, "/_console?region=..%2F..")[0] == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_page_takes_no_change(seen: Seen, method: str) -> None:
    status, _, body = get(seen.endpoint, "/_console", method)
    assert status == 405
    assert "answers GET" in body


def test_other_hosts_and_other_pages_get_nothing(seen: Seen) -> None:
    for headers in ({"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        assert get(seen.endpoint, "/_console", headers=headers)[0] == 403, headers


def test_nothing_may_run_in_the_page_or_frame_it(seen: Seen) -> None:
    for target in ("/_console", "/_console/", "/_console/console.css"):
        status, headers, _ = get(seen.endpoint, target)
        assert status == 200
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
    assert get(seen.endpoint, "/_console/other")[0] == 404
    # A bucket's name has at least three letters and no underscore; what only looks similar is S3's.
    assert "content-security-policy" in get(seen.endpoint, "/_consoles")[1]
    assert get(seen.endpoint, "/_consoles")[1]["content-security-policy"] == "sandbox"


def test_the_page_is_off_where_roles_are_enforced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALMAKER_ENFORCE_IAM", "1")
    with running_endpoint(tmp_path / "state") as endpoint:
        status, _, body = get(endpoint, "/_console")
    assert status == 403
    assert "IAM is enforced" in body


@needs_chromium
def test_a_browser_shows_it_at_two_widths_and_loads_nothing_else(seen: Seen, tmp_path: Path) -> None:
    asked = {"execution": seen.failed, "pipeline": "breaks", "bucket": "console", "prefix": "odd/"}
    with browser(tmp_path / "profile") as tab:
        for width in (1280, 390):
            tab.open(f"{seen.endpoint.url}/_console?{urlencode(asked)}", width)
            assert tab.value("document.title").startswith("Failed")
            assert tab.value("document.documentElement.scrollWidth <= innerWidth"), width
            assert tab.value("innerWidth") == width
            assert tab.value("document.querySelectorAll('rect.box').length") == 2
            assert tab.value("getComputedStyle(document.querySelector('main')).display") == "grid"
            assert HOSTILE.partition("\n")[0] in tab.value("document.body.innerText")
            widths = tab.value("[...document.querySelectorAll('section')].map((one) => one.clientWidth)")
            assert min(widths) > 250, widths
            assert tab.value("document.scripts.length") == 0
        origin = urlsplit(seen.endpoint.url).netloc
        assert {urlsplit(one).netloc for one in tab.requests if not one.startswith("about:")} == {origin}
        assert [one for one in tab.complaints if "favicon" not in one] == []


@needs_chromium
def test_a_browser_follows_a_running_execution_to_its_end(
    seen: Seen, tmp_path: Path, eventually: Callable[..., Any], unique: str
) -> None:
    step = processing("Slow", WAITS)
    go = {"S3Uri": f"s3://console/{unique}/", "LocalPath": "/opt/ml/processing/go", "S3DataType": "S3Prefix"}
    step["Arguments"]["ProcessingInputs"].append(
        {"InputName": "go", "AppManaged": False, "S3Input": {**go, "S3InputMode": "File"}}
    )
    seen.endpoint.client("s3").put_object(Bucket="console", Key=f"{unique}/wait", Body=b"1")
    arn = started(seen.endpoint, unique, step)
    client = seen.endpoint.client("sagemaker")
    with browser(tmp_path / "profile") as tab:
        tab.open(f"{seen.endpoint.url}/_console", 1280)
        eventually(lambda: "Executing" in (tab.value("document.querySelector('h2 .state').textContent") or ""))
        client.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid.uuid4().hex)
        # The page loads itself again.
        eventually(lambda: tab.value("document.querySelector('h2 .state').textContent") == "Stopped")
