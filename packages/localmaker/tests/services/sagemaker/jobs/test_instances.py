"""InstanceCount above one: hosts, shares of the data, merged outputs, and one failure that ends all instances."""

import io
import json
import tarfile

from localmaker.sandbox.sandbox import Isolation
from localmaker.services.sagemaker.jobs.kinds import JobKind

OUT = "/opt/ml/processing/output/out"
HOST = '$(python3 -c \'import json; print(json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"])\')'


def cluster(request, count):
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = count
    return request


def test_each_processing_instance_has_its_own_files_and_its_share(jobs):
    for number in range(5):
        jobs.put(f"share/data/{number}", str(number))
    request = cluster(
        jobs.processing_request(
            f"host={HOST}; cd /opt/ml/processing/input; ls shard > {OUT}/$host.shard; ls whole > {OUT}/$host.whole;"
            f"cp /opt/ml/config/resourceconfig.json {OUT}/$host.json; echo I am $host; touch /opt/ml/$host;"
            f"ls /opt/ml > {OUT}/$host.ml; hostname > {OUT}/$host.name; echo $host > {OUT}/same",
            inputs={"shard": "s3://artifacts/share/data/", "whole": "s3://artifacts/share/data/"},
        ),
        2,
    )
    request["ProcessingInputs"][0]["S3Input"]["S3DataDistributionType"] = "ShardedByS3Key"
    description = jobs.run(JobKind.PROCESSING, request)
    name = description["ProcessingJobName"]
    assert description["ProcessingJobStatus"] == "Completed", description.get("FailureReason")

    def read(file):
        return jobs.read(f"{name}/out/{file}").decode().split()

    assert (read("algo-1.shard"), read("algo-2.shard")) == (["0", "2", "4"], ["1", "3"])
    assert read("algo-1.whole") == read("algo-2.whole") == list("01234")
    for host, other in (("algo-1", "algo-2"), ("algo-2", "algo-1")):
        configuration = json.loads(jobs.read(f"{name}/out/{host}.json"))
        assert configuration["hosts"] == ["algo-1", "algo-2"]
        assert configuration["current_host"] == host
        assert host in read(f"{host}.ml")
        assert other not in read(f"{host}.ml")
        if jobs.service.isolation is not Isolation.NONE:
            assert read(f"{host}.name") == [host]
    assert read("same") == ["algo-1"]
    assert jobs.service.log_path(JobKind.PROCESSING, name, 2).read_text() == "I am algo-2\n"
    streams = jobs.logs.describe_log_streams(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix=f"{name}/"
    )["logStreams"]
    assert [stream["logStreamName"].split("/")[1][:6] for stream in streams] == ["algo-1", "algo-2"]


def test_failure_of_one_instance_ends_the_others_and_says_why(jobs):
    request = cluster(
        jobs.processing_request(
            f"[ {HOST} = algo-2 ] && {{ echo no luck > /opt/ml/output/message; exit 7; }}; while :; do sleep 60; done"
        ),
        2,
    )
    description = jobs.run(JobKind.PROCESSING, request)
    assert description["FailureReason"] == "AlgorithmError: no luck, exit code: 7"


def test_training_instances_make_one_model(jobs):
    program = (
        "import json, os\n"
        "host = os.environ['SM_CURRENT_HOST']\n"
        "assert json.loads(os.environ['SM_HOSTS']) == ['algo-1', 'algo-2']\n"
        "assert json.loads(os.environ['SM_RESOURCE_CONFIG'])['instance_groups'][0]['hosts'] == ['algo-1', 'algo-2']\n"
        "for name in (host, 'same'):\n"
        "    open(f'/opt/ml/model/{name}', 'w').write(host)\n"
        "open(f'/opt/ml/output/data/{host}', 'w').write(' '.join(os.listdir('/opt/ml/input/data/train')))\n"
    )
    uri = jobs.put("instances/train/a", "a").rsplit("/", 1)[0] + "/"
    jobs.put("instances/train/b", "b")
    request = jobs.training_request({"train.py": program}, channels={"train": uri})
    request["ResourceConfig"]["InstanceCount"] = 2
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    description = jobs.run(JobKind.TRAINING, request)
    name = description["TrainingJobName"]
    assert description["TrainingJobStatus"] == "Completed", jobs.log(JobKind.TRAINING, name)

    def members(file):
        with tarfile.open(fileobj=io.BytesIO(jobs.read(f"models/{name}/output/{file}"))) as tar:
            return {member.name: tar.extractfile(member).read().decode() for member in tar}

    assert members("model.tar.gz") == {"algo-1": "algo-1", "algo-2": "algo-2", "same": "algo-1"}
    assert members("output.tar.gz") == {"algo-1": "a", "algo-2": "b"}
    assert "several instances wrote /opt/ml/model/same" in jobs.log(JobKind.TRAINING, name)
