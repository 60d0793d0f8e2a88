"""The newest upload under a key wins, and an execution that takes over uses what the one before has registered."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from pipeline.settings.contract import Function

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("newest-upload")]

KEY = "raw/training/corrected.csv"
DAY = "2018-01-05"


def with_count(table: bytes, count: int) -> bytes:
    """Change the count of the fifth day, all of it by casual users."""
    lines = table.decode().splitlines()
    names = lines[0].split(",")
    cells = lines[5].split(",")
    for name, value in (("casual", count), ("registered", 0), ("cnt", count)):
        cells[names.index(name)] = str(value)
    return "\n".join([*lines[:5], ",".join(cells), *lines[6:], ""]).encode()


def stored_count(deployed) -> str:
    return deployed.stored(DAY)["cnt"]


def newest(deployed) -> dict[str, object]:
    bucket = deployed.settings.predictions_bucket
    (key,) = [key for key in deployed.keys(bucket, "newest/") if "corrected" in key]
    return json.loads(deployed.read(bucket, key))


def published_count(deployed) -> str:
    text = deployed.read(deployed.settings.predictions_bucket, newest(deployed)["predictions"]).decode()
    return next(line.split(",")[4] for line in text.splitlines() if line.startswith(DAY))


@pytest.fixture(scope="module")
def corrected(deployed, sample_csv):
    """Upload A, then B, then A again, each after the end of the one before."""
    ended = {}
    for name, count in (("A", 1000), ("B", 2000), ("A again", 1000)):
        ended[name] = deployed.run(KEY, with_count(sample_csv, count))
        assert ended[name].status == "Succeeded", ended[name].explanation
        assert (published_count(deployed), stored_count(deployed)) == (str(count), str(count)), name
    return ended


def test_what_was_uploaded_before_is_a_new_version(deployed, corrected):
    versions = deployed.aws.s3.list_object_versions(Bucket=deployed.settings.raw_bucket, Prefix=KEY)["Versions"]
    assert newest(deployed)["source"]["version_id"] == versions[0]["VersionId"]
    assert newest(deployed)["execution_arn"] == corrected["A again"].arn


def test_the_event_of_an_older_version_changes_nothing(deployed, corrected):
    versions = deployed.aws.s3.list_object_versions(Bucket=deployed.settings.raw_bucket, Prefix=KEY)["Versions"]
    before = (deployed.predictions(), newest(deployed), stored_count(deployed), deployed.model_packages())
    for version in versions:
        known = [execution.arn for execution in corrected.values()]
        deployed.send_event(KEY, version["VersionId"])
        again = deployed.finished(deployed.started(KEY, version["VersionId"], known=known))
        assert again.status == "Succeeded", again.explanation
        assert not [step for step in again.steps if step.name == "Preprocess" and step.status == "Succeeded"]
    assert (deployed.predictions(), newest(deployed), stored_count(deployed), deployed.model_packages()) == before


@contextmanager
def publishing_broken(deployed):
    """Let the function that publishes fail as long as this lasts."""
    function, functions = deployed.settings.function_name(Function.PUBLISH), deployed.aws.functions
    handler = functions.get_function_configuration(FunctionName=function)["Handler"]
    functions.update_function_configuration(FunctionName=function, Handler="publish.broken")
    yield
    functions.update_function_configuration(FunctionName=function, Handler=handler)


def test_a_retry_publishes_what_was_registered(deployed, corrected, sample_csv):
    key = "raw/training/retried.csv"
    before = deployed.model_packages()
    with publishing_broken(deployed):
        version = deployed.put(key, sample_csv)
        failed = deployed.finished(deployed.started(key, version))
        assert failed.explanation.startswith("PublishPredictions")
    registered = deployed.model_packages()
    assert len(registered) == len(before) + 1
    assert failed.identifier in deployed.command("retry", "--watch").stdout
    retried = deployed.finished(failed.arn)
    assert retried.status == "Succeeded", retried.explanation
    assert {step.name: step.status for step in retried.steps}["IngestFeatures"] == "Succeeded"
    assert deployed.model_packages() == registered
    (file,) = [text for key, text in deployed.predictions().items() if "retried" in key]
    assert len(file.splitlines()) == 731


def test_a_take_over_publishes_what_was_registered_and_trains_nothing(deployed, corrected, sample_csv):
    before = deployed.model_packages()
    key = "raw/training/taken.csv"
    with publishing_broken(deployed):
        version = deployed.put(key, sample_csv)
        failed = deployed.finished(deployed.started(key, version))
        assert failed.status == "Failed"
        assert failed.explanation.startswith("PublishPredictions")
    registered = deployed.model_packages()
    assert len(registered) == len(before) + 1
    deployed.send_event(key, version)
    taken = deployed.finished(deployed.started(key, version, known=[failed.arn]))
    assert taken.status == "Succeeded", taken.explanation
    done = [step.name for step in taken.steps if step.status == "Succeeded"]
    ended = ["ClaimInput", "IsNewInput", "IsRegistered", "PublishRegistered", "IngestRegistered", "ScoreRegistered"]
    assert done == ended
    assert deployed.model_packages() == registered
    (file,) = [text for key, text in deployed.predictions().items() if "taken" in key]
    assert len(file.splitlines()) == 731
    assert f",{registered[-1]['ModelPackageVersion']},{taken.identifier}," in file.decode()

    # The one that failed is retried although another has its file by now.
    deployed.aws.sagemaker.retry_pipeline_execution(PipelineExecutionArn=failed.arn, ClientRequestToken="r" * 32)
    retried = deployed.finished(failed.arn)
    assert retried.status == "Failed"
    assert f"is held by {taken.arn}" in retried.explanation
    assert [text for key, text in deployed.predictions().items() if "taken" in key] == [file]


def test_the_model_of_a_failed_execution_is_swept(deployed, corrected):
    left = len(deployed.models())
    assert left
    assert deployed.sweep() == f"{left} models deleted"
    assert deployed.models() == []


def test_a_key_may_be_as_long_as_s3_allows(deployed, sample_csv):
    folders = "/".join(["ü" * 60] * 7)
    key = f"raw/training/{folders}/".ljust(1020 - len(folders.encode()) + len(folders), "x") + ".csv"
    assert len(key.encode()) == 1024
    execution = deployed.run(key, sample_csv)
    assert execution.status == "Succeeded", execution.explanation
    (text,) = [text for text in deployed.predictions().values() if key in text.decode()]
    assert len(text.splitlines()) == 731


def test_a_file_larger_than_its_functions_memory_is_published(deployed):
    """The sandbox kills a function that exceeds its 160 MiB; the file to publish has 200 MB."""
    aws, settings = deployed.aws, deployed.settings
    raw, artifacts = settings.raw_bucket, settings.artifacts_bucket
    version = aws.s3.put_object(Bucket=raw, Key="raw/other/large.csv", Body=b"large")["VersionId"]
    claim = {
        "bucket": raw,
        "key": "raw/other/large.csv",
        "version_id": version,
        "identity": "f" * 64,
        "prediction_name": "large-ffffffffffff",
        "dt": "2026-03-04",
        "uploaded_at": "2026-03-04T05:06:07.000Z",
    }
    rows = 2_000_000
    texts = {
        "claim.json": json.dumps(claim),
        "rows.csv": "date,actual,row_role\n" + "2026-01-01,1234,new\n" * rows,
        "features.csv.out": "1557.5581579523225,-11.443155330691297,3126.5594712353363\n" * rows,
    }
    for name, text in texts.items():
        aws.s3.put_object(Bucket=artifacts, Key=f"runs/large/{name}", Body=text.encode())
    event = {
        "rows-uri": f"s3://{artifacts}/runs/large/rows.csv",
        "transform-uri": f"s3://{artifacts}/runs/large/features.csv.out",
        "claim-uri": f"s3://{artifacts}/runs/large/claim.json",
        "predictions-uri": f"s3://{settings.predictions_bucket}",
        "profile": "forecast",
        "model-package-arn": f"{settings.arn('sagemaker', 'model-package')}/{settings.model_package_group_name}/7",
        "execution-arn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/bikes/execution/large",
        "claims-uri": f"s3://{artifacts}/claims",
        "claim-name": claim["identity"],
    }
    holder = {"execution_arn": event["execution-arn"], "uploaded_at": claim["uploaded_at"]}
    aws.s3.put_object(Bucket=artifacts, Key=f"claims/{claim['identity']}.json", Body=json.dumps(holder).encode())
    function = settings.function_name(Function.PUBLISH)
    aws.functions.update_function_configuration(FunctionName=function, MemorySize=160)
    answer = json.loads(
        aws.functions.invoke(FunctionName=function, Payload=json.dumps(event).encode())["Payload"].read()
    )
    assert answer == {
        "reason": "2000000 predictions",
        "decision": "published",
        "predictions_uri": f"s3://{settings.predictions_bucket}/predictions/forecast/dt=2026-03-04/large-ffffffffffff.csv",
    }
    head = aws.s3.head_object(
        Bucket=settings.predictions_bucket, Key="predictions/forecast/dt=2026-03-04/large-ffffffffffff.csv"
    )
    assert head["ContentLength"] > 160 << 20
