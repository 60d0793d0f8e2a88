"""What a start does: volume, scripts, what they see, what they leave behind."""

from __future__ import annotations

import json

TOOLS = """
for tool in bash git jq python3 aws; do command -v "$tool" > /dev/null || echo "no $tool"; done
aws sts get-caller-identity --query Account --output text
python3 -c 'import boto3; print(boto3.client("sagemaker").list_notebook_instances()["NotebookInstances"][0]["Url"])'
jq -c . /opt/ml/metadata/resource-metadata.json
id -un
sudo -u ec2-user -i <<'EOF'
echo "$USER $HOME $PWD"
EOF
su - ec2-user -c 'echo su $PWD'
runuser -u ec2-user -- sh -c 'echo runuser $HOME'
chown -R ec2-user:ec2-user /home/ec2-user/SageMaker && echo owned
"""


def test_scripts_run_once_and_at_each_start(notebooks):
    config = notebooks.configure(
        "cd ~ec2-user; echo start >> SageMaker/runs; cat SageMaker/runs; ls; touch home",
        "echo create >> /home/ec2-user/SageMaker/runs; echo creating",
    )
    notebooks.create(LifecycleConfigName=config)
    assert notebooks.describe()["NotebookInstanceStatus"] == "Pending"
    assert notebooks.wait("", "InService", "Failed")["NotebookInstanceStatus"] == "InService", notebooks.describe()
    assert notebooks.log("OnCreate") == ["creating"]
    assert notebooks.log() == ["create", "start", "SageMaker"]
    notebooks.stop()
    assert notebooks.start()["NotebookInstanceStatus"] == "InService"
    assert notebooks.log("OnCreate") == ["creating"]
    # Only the volume is kept: the file beside it is new again.
    assert notebooks.log()[3:] == ["create", "start", "start", "SageMaker"]


def test_the_tools_of_an_instance(notebooks):
    found = notebooks.run(TOOLS)
    assert found["NotebookInstanceStatus"] == "InService", (found, notebooks.log())
    account, url, metadata, *rest = notebooks.log()
    assert account == "123456789012"
    assert url.endswith(".notebook.us-east-1.sagemaker.aws")
    assert json.loads(metadata) == {
        "ResourceArn": found["NotebookInstanceArn"],
        "ResourceName": found["NotebookInstanceName"],
    }
    home = "/home/ec2-user"
    assert rest == ["root", f"ec2-user {home} {home}", f"su {home}", f"runuser {home}", "owned"]
