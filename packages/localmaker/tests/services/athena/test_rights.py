"""A query acts with the rights of who has started it."""

from __future__ import annotations

import json
import time

import boto3
import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import running_endpoint

from .conftest import Lake, new_lake


def allowed(lake: Lake, *more: dict) -> list[dict]:
    """What a query of the table rides needs, with results below ``results/``."""
    catalog = f"arn:aws:glue:{lake.endpoint.region}:123456789012:"
    group = f"arn:aws:athena:{lake.endpoint.region}:123456789012:workgroup/primary"
    queries = ["athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults"]
    tables = [f"{catalog}catalog", f"{catalog}database/{lake.database}", f"{catalog}table/{lake.database}/rides"]
    return [
        {"Action": queries, "Resource": group},
        {"Action": ["glue:GetTable", "glue:GetPartitions"], "Resource": tables},
        {"Action": ["s3:GetBucketLocation", "s3:ListBucket"], "Resource": f"arn:aws:s3:::{lake.bucket}"},
        {"Action": "s3:*Object", "Resource": f"arn:aws:s3:::{lake.bucket}/results/*"},
        *more,
    ]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    with running_endpoint(tmp_path_factory.mktemp("enforcing"), enforce_iam=True) as endpoint:
        yield new_lake(endpoint, "rights")


class User:
    """A user with a policy, who starts queries."""

    def __init__(self, lake: Lake, name: str, statements: list[dict]) -> None:
        iam = lake.endpoint.client("iam")
        iam.create_user(UserName=name)
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]}
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.output = {"OutputLocation": f"s3://{lake.bucket}/results/"}
        self.database = lake.database
        self.athena = boto3.client(
            "athena",
            endpoint_url=lake.endpoint.url,
            region_name=lake.endpoint.region,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )

    def run(self, sql: str) -> dict:
        started = self.athena.start_query_execution(
            QueryString=sql, QueryExecutionContext={"Database": self.database}, ResultConfiguration=self.output
        )
        while True:
            found = self.athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])["QueryExecution"]
            if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return found
            time.sleep(0.05)


def test_a_user_reads_what_policies_allow(lake):
    rides = {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{lake.bucket}/rides/*"}
    user = User(lake, "reader", allowed(lake, rides))
    found = user.run("SELECT id FROM rides ORDER BY id")
    assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
    rows = user.athena.get_query_results(QueryExecutionId=found["QueryExecutionId"])["ResultSet"]["Rows"]
    assert [row["Data"][0]["VarCharValue"] for row in rows] == ["id", "1", "2", "3"]
    with pytest.raises(ClientError, match="athena:StopQueryExecution"):
        user.athena.stop_query_execution(QueryExecutionId=found["QueryExecutionId"])
    denied = user.run("SELECT n FROM plain")["Status"]
    assert denied["State"] == "FAILED"
    assert "glue:GetTable" in denied["StateChangeReason"]


def test_a_view_needs_rights_of_its_own_and_on_its_tables(lake):
    rides = {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{lake.bucket}/rides/*"}
    view = f"arn:aws:glue:{lake.endpoint.region}:123456789012:table/{lake.database}/ids"
    looking, making = ({"Action": f"glue:{one}Table", "Resource": view} for one in ("Get", "Create"))
    catalog = f"arn:aws:glue:{lake.endpoint.region}:123456789012:"
    database = [f"{catalog}catalog", f"{catalog}database/{lake.database}"]
    on_database, finding = ({"Action": f"glue:{one}", "Resource": database} for one in ("CreateTable", "GetDatabase"))
    reader = User(lake, "view-reader", allowed(lake, rides, looking, finding))
    denied = reader.run("CREATE VIEW ids AS SELECT id FROM rides")["Status"]
    assert "glue:CreateTable" in denied["StateChangeReason"]
    maker = User(lake, "view-maker", allowed(lake, rides, looking, finding, making, on_database))
    assert maker.run("CREATE VIEW ids AS SELECT id FROM rides")["Status"]["State"] == "SUCCEEDED"
    assert reader.run("SELECT id FROM ids")["Status"]["State"] == "SUCCEEDED"
    assert User(lake, "no-view", allowed(lake, rides)).run("SELECT id FROM ids")["Status"]["State"] == "FAILED"
    only_view = [one for one in allowed(lake, rides, looking) if "glue:GetPartitions" not in one["Action"]]
    denied = User(lake, "only-view", only_view).run("SELECT id FROM ids")["Status"]
    assert "glue:GetTable" in denied["StateChangeReason"]


def test_a_user_who_may_not_read_the_objects_gets_no_rows(lake):
    status = User(lake, "blind", allowed(lake)).run("SELECT id FROM rides")["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith("PERMISSION_DENIED: ")


def test_a_user_who_may_not_write_results_starts_nothing(lake):
    user = User(lake, "nobody", allowed(lake)[:2])
    with pytest.raises(ClientError, match="Unable to verify/create output bucket"):
        user.run("SELECT 1")
    stranger = User(lake, "stranger", allowed(lake)[1:])
    with pytest.raises(ClientError, match="athena:StartQueryExecution"):
        stranger.run("SELECT 1")
