"""What an instance may do is its role's to say; what it reaches is its network's."""

from __future__ import annotations

import json

import pytest
from tests.services.egress import ONLY_THE_ENDPOINT, PROBE
from tests.services.sagemaker.notebooks.conftest import Notebooks

from localmaker.daemon import running_endpoint

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
LOGS = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
ASK = "aws sts get-caller-identity --query Arn --output text; aws s3 ls 2>&1 | grep -o 'AccessDenied' || echo listed"


@pytest.fixture(scope="module")
def enforcing(tmp_path_factory):
    with running_endpoint(tmp_path_factory.mktemp("enforcing"), enforce_iam=True) as handle:
        yield handle


@pytest.fixture
def enforced(enforcing, unique, eventually):
    return Notebooks(enforcing, unique, eventually)


def role(notebooks, *statements, trust=TRUST):
    iam, name = notebooks.endpoint.client("iam"), notebooks.unique
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [LOGS, *statements]}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    return arn


def test_scripts_have_the_credentials_of_the_role(enforced):
    found = enforced.run(ASK, RoleArn=role(enforced))
    assert found["NotebookInstanceStatus"] == "InService", found
    caller, answer = enforced.log()
    assert caller == f"arn:aws:sts::123456789012:assumed-role/{enforced.unique}/SageMaker"
    assert answer == "AccessDenied"


def test_a_role_that_does_not_trust_sagemaker(enforced):
    trust = json.loads(json.dumps(TRUST).replace("sagemaker", "lambda"))
    found = enforced.run(ASK, RoleArn=role(enforced, trust=trust))
    assert found["NotebookInstanceStatus"] == "Failed"
    assert found["FailureReason"].startswith("ClientError: ")
    assert enforced.unique in found["FailureReason"]


@pytest.mark.parametrize("allowed", [False, True])
def test_the_role_has_to_be_allowed_to_read_the_secret(enforced, git_server, allowed):
    git_server.credentials = ("ada", "word")
    url = git_server.commit("demo", {"a.txt": "hello"})
    text = json.dumps({"username": "ada", "password": "word"})
    secret = enforced.endpoint.client("secretsmanager").create_secret(Name=enforced.unique, SecretString=text)["ARN"]
    enforced.sagemaker.create_code_repository(
        CodeRepositoryName=enforced.unique, GitConfig={"RepositoryUrl": url, "SecretArn": secret}
    )
    reading = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
    arn = role(enforced, *([reading] if allowed else []))
    found = enforced.run("true", RoleArn=arn, DefaultCodeRepository=enforced.unique)
    assert found["NotebookInstanceStatus"] == ("InService" if allowed else "Failed"), found
    assert allowed or "AccessDenied" in found["FailureReason"]


@pytest.mark.parametrize("internet", ["Enabled", "Disabled"])
def test_without_direct_internet_access_only_the_endpoint_answers(confining, unique, eventually, other_port, internet):
    notebooks = Notebooks(confining, unique, eventually)
    script = f"python3 - <<'EOF'\n{PROBE}\nprint(json.dumps(look({other_port})))\nEOF\n"
    found = notebooks.run(script, SubnetId="subnet-1", SecurityGroupIds=["sg-1"], DirectInternetAccess=internet)
    assert found["NotebookInstanceStatus"] == "InService", (found, notebooks.log())
    seen = json.loads(notebooks.log()[0])
    if internet == "Disabled":
        assert seen == ONLY_THE_ENDPOINT
    else:
        assert seen["endpoint"]
        assert seen["another port"]


def test_a_clone_needs_a_way_to_its_repository(confining, unique, eventually, git_server):
    notebooks = Notebooks(confining, unique, eventually)
    network = {"SubnetId": "subnet-1", "SecurityGroupIds": ["sg-1"], "DirectInternetAccess": "Disabled"}
    url = git_server.commit("demo", {"a.txt": "hello"})
    found = notebooks.run("true", DefaultCodeRepository=url, **network)
    assert found["NotebookInstanceStatus"] == "Failed"
    assert found["FailureReason"].startswith(f"fatal: unable to access '{url}/'")
    assert git_server.paths == []
