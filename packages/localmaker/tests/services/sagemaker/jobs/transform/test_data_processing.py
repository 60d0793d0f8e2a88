"""InputFilter, OutputFilter and JoinSource: the paths, the records, and transform jobs that use them."""

import io
import json
import tarfile

import pytest

from localmaker.services.sagemaker.jobs.failures import JobFailure
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.transform.jsonpath import JsonPathError, parse
from localmaker.services.sagemaker.jobs.transform.record_data import DataProcessing

ROW = ["a", "b", "c", "d", "e", "f"]
RECORD = {"id": 7, "features": [1, 2], "a b": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("path", "value", "selected"),
    [
        ("$", ROW, ROW),
        ("$[1]", ROW, "b"),
        ("$[-1]", ROW, "f"),
        ("$[0,-1]", ROW, ["a", "f"]),
        ("$[1:]", ROW, ["b", "c", "d", "e", "f"]),
        ("$[:1]", ROW, ["a", "b"]),
        ("$[2:3]", ROW, ["c", "d"]),
        ("$[0:2, 5:]", ROW, ["a", "b", "c", "f"]),
        ("$[3:-1]", ROW, ["d", "e", "f"]),
        ("$[*]", ROW, ROW),
        ("$.id", RECORD, 7),
        ("$['a b']", RECORD, {"x": 1, "y": 2}),
        ("$['a b'].*", RECORD, [1, 2]),
        ("$.features[0]", RECORD, 1),
        ("$['id','features']", RECORD, {"id": 7, "features": [1, 2]}),
        ("$.['a b'].['x','y']", RECORD, {"x": 1, "y": 2}),
    ],
)
def test_paths(path, value, selected):
    assert parse(path).select(value) == selected


@pytest.mark.parametrize(
    "path",
    ["", "id", "$id", "$..id", "$[?(@.x)]", "$[]", "$[a]", "$[1", "$[0:4:2]", "$.id()", "$..['id']", "$."],
)
def test_unknown_operators_are_named(path):
    with pytest.raises(JsonPathError, match="the path"):
        parse(path)


@pytest.mark.parametrize(
    ("path", "value"), [("$[9]", ROW), ("$.x", RECORD), ("$.id", ROW), ("$[0]", RECORD), ("$.*", 1)]
)
def test_paths_that_do_not_fit_are_errors(path, value):
    with pytest.raises(JsonPathError, match="does not fit the record"):
        parse(path).select(value)


def processing(media_type, split="Line", assemble="None", **settings):
    return DataProcessing.of(
        {
            "DataProcessing": settings,
            "TransformInput": {"ContentType": media_type, "SplitType": split},
            "TransformOutput": {"Accept": media_type, "AssembleWith": assemble},
        }
    )


def test_rows_are_filtered_joined_and_filtered():
    data = processing("text/csv", InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,3:]")
    body = b'id 1,2,3\n"id, 2",4,5\n'
    assert data.filter_input(body) == b"2,3\n4,5\n"
    assert data.join(body, b"5.0,x\n9.0,y") == b'id 1,5.0,x\n"id, 2",9.0,y'


def test_json_lines_get_the_result_as_an_attribute():
    data = processing(
        "application/jsonlines", InputFilter="$.f", JoinSource="Input", OutputFilter="$['id','SageMakerOutput']"
    )
    body = b'{"id": 1, "f": [1], "g": 0}\n{"id": 2, "f": [2], "g": 0}\n'
    assert data.filter_input(body) == b"[1]\n[2]\n"
    assert data.join(body, b'{"p": 1}\n{"p": 2}\n').splitlines() == [
        b'{"id": 1, "SageMakerOutput": {"p": 1}}',
        b'{"id": 2, "SageMakerOutput": {"p": 2}}',
    ]


def test_line_end_of_an_answer_gives_no_empty_line_where_lines_are_assembled():
    settings = {"JoinSource": "Input"}
    assert processing("text/csv", assemble="Line", **settings).join(b"1\n2\n", b"3\n4\n") == b"1,3\n2,4"
    assert processing("application/jsonlines", **settings).join(b"{}\n", b"3\n") == b'{"SageMakerOutput": 3}\n'


def test_what_is_no_object_is_put_into_one():
    data = processing("application/json", "None", JoinSource="Input")
    assert json.loads(data.join(b"[1, 2]", b"3")) == {"SageMakerInput": [1, 2], "SageMakerOutput": 3}


def test_each_record_needs_one_answer():
    with pytest.raises(JobFailure, match="answered 1 records to 2"):
        processing("text/csv", JoinSource="Input").join(b"1\n2\n", b"1\n")


PROGRAM = """
import glob, time

def model_fn(_):
    return None

def transform_fn(model, body, content_type, accept):
    if body.startswith("wait"):
        open("/tmp/" + body.strip(), "w").close()
        deadline = time.monotonic() + 60
        while len(glob.glob("/tmp/wait-*")) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        return str(len(glob.glob("/tmp/wait-*"))), accept
    rows = [[float(cell) for cell in row.split(",")] for row in body.splitlines()]
    return "\\n".join(str(sum(row)) for row in rows), accept
"""


@pytest.fixture(scope="module")
def model(jobs):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(PROGRAM)
        tar.addfile(member, io.BytesIO(PROGRAM.encode()))
    name = jobs.name()
    request = jobs.processing_request("")
    image = request["AppSpecification"]["ImageUri"]
    uri = jobs.put(f"{name}/model.tar.gz", packed.getvalue())
    container = {"Image": image, "ModelDataUrl": uri, "Environment": {}}
    jobs.sagemaker.create_model(ModelName=name, ExecutionRoleArn=request["RoleArn"], PrimaryContainer=container)
    return name


def transform(jobs, model, uri, *, data_type="S3Prefix", instances=1, **fields):
    name = jobs.name()
    description = jobs.run(
        JobKind.TRANSFORM,
        {
            "TransformJobName": name,
            "ModelName": model,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": data_type, "S3Uri": uri}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath": f"s3://artifacts/{name}/out",
                "Accept": "text/csv",
                "AssembleWith": "Line",
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": instances},
            **fields,
        },
    )
    prefix = f"{name}/out/"
    return description, {key: jobs.read(prefix + key).decode() for key in jobs.keys(prefix)}


def test_transform_with_filters_and_join(jobs, model):
    uri = jobs.put("dp1/x.csv", "first,1,2\nsecond,3,4\n")
    settings = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    description, outputs = transform(jobs, model, uri, DataProcessing=settings)
    assert outputs == {"x.csv.out": "first,3.0\nsecond,7.0\n"}, description.get("FailureReason")


def test_index_outside_the_record_fails_the_job(jobs, model):
    uri = jobs.put("dp2/x.csv", "1,2\n")
    description, outputs = transform(jobs, model, uri, DataProcessing={"InputFilter": "$[7]"})
    assert "there is no element 7 among 2" in description["FailureReason"]
    assert outputs == {}


def test_objects_are_sent_at_the_same_time(jobs, model):
    jobs.put("dp3/a", "wait-a")
    jobs.put("dp3/b", "wait-b")
    _, outputs = transform(
        jobs,
        model,
        "s3://artifacts/dp3/",
        MaxConcurrentTransforms=2,
        Environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"},
    )
    assert outputs == {"a.out": "2\n", "b.out": "2\n"}


def test_instances_and_manifests(jobs, model):
    for number in range(3):
        jobs.put(f"dp4/{number}", f"{number},1\n")
    manifest = jobs.put("dp4-list", json.dumps([{"prefix": "s3://artifacts/dp4/"}, "0", "1", "2"]))
    description, outputs = transform(jobs, model, manifest, data_type="ManifestFile", instances=2)
    assert outputs == {"0.out": "1.0\n", "1.out": "2.0\n", "2.out": "3.0\n"}, description.get("FailureReason")
    assert jobs.service.log_path(JobKind.TRANSFORM, description["TransformJobName"], 2).exists()
