"""What a user of the SageMaker SDK writes. Argument: ``{"part", "name", "bucket"}``; prints what came out, as JSON."""

import json
import sys
from pathlib import Path

from botocore.exceptions import WaiterError
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import (
    ContainerDefinition,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
)

given = json.loads(sys.argv[1])
name, bucket = given["name"], given["bucket"]
image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
session = Session(default_bucket=bucket)
# The SDK looks whether SageMaker may assume the role, and whether it would be allowed enough.
trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
iam = session.boto_session.client("iam")
role = iam.create_role(
    RoleName=f"{name}-jobs", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
)["Role"]["Arn"]
iam.attach_role_policy(RoleName=f"{name}-jobs", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")

COUNT = """
import json, pathlib, sys
rows = sum(len(path.read_text().splitlines()) - 1 for path in pathlib.Path("/opt/ml/processing/input").rglob("*.csv"))
pathlib.Path("/opt/ml/processing/output/report.json").write_text(json.dumps({"rows": rows, "arguments": sys.argv[1:]}))
print("counted", rows)
"""
TRAIN = """
import os, pathlib, sys
rows = len((pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]) / "day.csv").read_text().splitlines())
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(f"{rows} {os.environ['SM_HP_FACTOR']}")
"""
TUNED = """
import os, pathlib
error = abs(int(os.environ["SM_HP_NUMBER"]) - 3)
print(f"error={error};")
pathlib.Path(os.environ["SM_MODEL_DIR"], "error.txt").write_text(str(error))
"""
LOOK = """
import sys, tarfile
with tarfile.open("/opt/ml/processing/input/model/model.tar.gz") as tar:
    assert tar.extractfile("error.txt").read() == b"0", tar.getnames()
assert "-001-" in sys.argv[2] or "-002-" in sys.argv[2] or "-003-" in sys.argv[2], sys.argv
"""
INFERENCE = """
import pathlib
def model_fn(model_dir):
    return float((pathlib.Path(model_dir) / "model.txt").read_text().split()[1])
def input_fn(body, content_type):
    return [float(line) for line in (body.decode() if isinstance(body, bytes) else body).split()]
def predict_fn(data, model):
    return [value * model for value in data]
def output_fn(prediction, accept):
    return "\\n".join(str(value) for value in prediction)
"""


def counting(chosen: Session) -> dict:
    """The call of a script that counts rows; in a pipeline session the arguments of a step."""
    Path("count.py").write_text(COUNT, encoding="utf-8")
    processor = ScriptProcessor(
        role=role,
        image_uri=image,
        command=["python3"],
        instance_count=1,
        instance_type="ml.m5.large",
        sagemaker_session=chosen,
    )
    source = ProcessingS3Input(
        s3_uri=f"s3://{bucket}/raw/",
        local_path="/opt/ml/processing/input/raw",
        s3_data_type="S3Prefix",
        s3_input_mode="File",
    )
    target = ProcessingS3Output(
        s3_uri=f"s3://{bucket}/report/", local_path="/opt/ml/processing/output", s3_upload_mode="EndOfJob"
    )
    return processor.run(
        code="count.py",
        inputs=[ProcessingInput(input_name="raw", s3_input=source)],
        outputs=[ProcessingOutput(output_name="report", s3_output=target)],
        arguments=["--note", "two words"],
    )


def pipeline() -> dict:
    """Upsert twice, start, wait, look."""
    from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
    from sagemaker.core.workflow.functions import JsonGet
    from sagemaker.core.workflow.parameters import ParameterInteger
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.core.workflow.properties import PropertyFile
    from sagemaker.mlops.workflow.condition_step import ConditionStep
    from sagemaker.mlops.workflow.fail_step import FailStep
    from sagemaker.mlops.workflow.pipeline import Pipeline
    from sagemaker.mlops.workflow.selective_execution_config import SelectiveExecutionConfig
    from sagemaker.mlops.workflow.steps import ProcessingStep

    pipeline_session = PipelineSession(default_bucket=bucket)
    minimum = ParameterInteger("Minimum", default_value=2)
    report = PropertyFile(name="Report", output_name="report", path="report.json")
    count = ProcessingStep("Count", step_args=counting(pipeline_session), property_files=[report])
    rows = JsonGet(step_name="Count", property_file=report, json_path="rows")
    judge = judging(rows, pipeline_session)
    gate = ConditionStep(
        name="Gate",
        conditions=[ConditionGreaterThanOrEqualTo(left=judge.properties.Outputs["rows"], right=minimum)],
        if_steps=[],
        else_steps=[FailStep(name="TooFew", error_message="too few rows")],
    )
    made = Pipeline(name=name, parameters=[minimum], steps=[count, judge, gate], sagemaker_session=pipeline_session)
    first = made.upsert(role_arn=role, tags=[{"Key": "team", "Value": "bikes"}])
    second = made.upsert(role_arn=role, description="counts", tags=[{"Key": "stage", "Value": "test"}])
    execution = made.start()
    execution.wait(delay=1, max_attempts=200)
    failing = made.start(
        parameters={"Minimum": 1000},
        selective_execution_config=SelectiveExecutionConfig(
            selected_steps=["Judge", "Gate", "TooFew"], source_pipeline_execution_arn=execution.arn
        ),
    )
    try:
        failing.wait(delay=1, max_attempts=200)
        said = "nothing"
    except WaiterError as error:
        said = f"{type(error).__name__}: {error}"
    return {
        "arns": [first["PipelineArn"], second["PipelineArn"]],
        "description": made.describe()["PipelineDescription"],
        "tags": session.sagemaker_client.list_tags(ResourceArn=first["PipelineArn"])["Tags"],
        "status": execution.describe()["PipelineExecutionStatus"],
        "steps": {step["StepName"]: step["StepStatus"] for step in execution.list_steps()},
        "failing": {step["StepName"]: step.get("FailureReason") for step in failing.list_steps()},
        "wait": said,
        "parameters": failing.list_parameters()["PipelineParameters"],
        "version": made.latest_pipeline_version_id,
        "executions": [one["PipelineExecutionArn"] for one in made.list_executions()["PipelineExecutionSummaries"]],
        "started": [failing.arn, execution.arn],
        **tracked(execution.arn),
    }


def tracked(arn: str) -> dict:
    """What the experiments know of an execution."""
    trial, client = arn.rsplit("/", maxsplit=1)[-1], session.sagemaker_client
    components = client.list_trial_components(TrialName=trial)["TrialComponentSummaries"]
    return {
        "experiment": client.describe_trial(TrialName=trial)["ExperimentName"],
        "components": [component["TrialComponentName"].rsplit("-aws-", maxsplit=1)[-1] for component in components],
    }


def judging(rows: object, chosen: Session) -> object:
    """A step that calls a Lambda function, which the SDK uploads."""
    from sagemaker.core.lambda_helper import Lambda
    from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep

    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    made = session.boto_session.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]
    Path("judge.py").write_text("def handler(event, context):\n    return {'rows': event['rows']}\n", encoding="utf-8")
    return LambdaStep(
        name="Judge",
        lambda_func=Lambda(
            function_name=name,
            execution_role_arn=made["Arn"],
            script="judge.py",
            handler="judge.handler",
            timeout=60,
            session=chosen,
        ),
        inputs={"rows": rows},
        outputs=[LambdaOutput("rows", LambdaOutputTypeEnum.Integer)],
    )


def jobs() -> dict:
    """Process, train and transform, outside of any pipeline."""
    from sagemaker.core.resources import Model
    from sagemaker.core.transformer import Transformer
    from sagemaker.train.configs import Compute, InputData, OutputDataConfig, SourceCode
    from sagemaker.train.model_trainer import ModelTrainer

    counting(session)
    source = Path("source")
    source.mkdir()
    (source / "train.py").write_text(TRAIN, encoding="utf-8")
    trainer = ModelTrainer(
        training_image=image,
        role=role,
        sagemaker_session=session,
        base_job_name=name,
        source_code=SourceCode(source_dir=str(source), entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/models"),
        hyperparameters={"factor": 2.5},
    )
    trainer.train([InputData(channel_name="train", data_source=f"s3://{bucket}/raw/day.csv")])
    trained = trainer._latest_training_job.refresh()
    archive = trained.model_artifacts.s3_model_artifacts

    model_url = with_code(archive)
    Model.create(
        model_name=name,
        execution_role_arn=role,
        primary_container=ContainerDefinition(
            image=image,
            model_data_url=model_url,
            environment={
                "SAGEMAKER_PROGRAM": "inference.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            },
        ),
        session=session.boto_session,
    )
    transformer = Transformer(
        model_name=name,
        instance_count=1,
        instance_type="ml.m5.large",
        output_path=f"s3://{bucket}/transformed",
        assemble_with="Line",
        strategy="MultiRecord",
        accept="text/csv",
        sagemaker_session=session,
    )
    transformer.transform(f"s3://{bucket}/scoring/values.csv", content_type="text/csv", split_type="Line")
    return {"training": trained.training_job_status, "model": archive}


def tuning() -> dict:
    """Tune outside of a pipeline, and in one whose steps take the best model; look at the lineage of its steps."""
    from sagemaker.core.analytics import HyperparameterTuningJobAnalytics
    from sagemaker.core.lineage.artifact import Artifact
    from sagemaker.core.lineage.query import (
        LineageFilter,
        LineageQuery,
        LineageQueryDirectionEnum,
        LineageSourceEnum,
    )
    from sagemaker.core.lineage.visualizer import LineageTableVisualizer
    from sagemaker.core.workflow.functions import Join
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.mlops.workflow.pipeline import Pipeline
    from sagemaker.mlops.workflow.steps import ProcessingStep, TuningStep

    rows = f"s3://{bucket}/raw/day.csv"
    alone = tuner_of(session)
    alone.tune({"train": rows}, job_name=f"{name}-a")
    made = HyperparameterTuningJobAnalytics(f"{name}-a", sagemaker_session=session).dataframe()

    pipeline_session = PipelineSession(default_bucket=bucket)
    tune = TuningStep("Tune", step_args=tuner_of(pipeline_session).tune({"train": rows}))
    best = ProcessingStep(
        "Look",
        step_args=looking(
            pipeline_session,
            tune.get_top_model_s3_uri(top_k=0, s3_bucket=bucket, prefix="models"),
            Join(on="", values=[tune.properties.BestTrainingJob.TrainingJobName]),
        ),
    )
    pipe = Pipeline(name=name, steps=[tune, best], sagemaker_session=pipeline_session)
    pipe.upsert(role_arn=role)
    execution = pipe.start()
    execution.wait(delay=1, max_attempts=200)
    steps = {step["StepName"]: step for step in execution.list_steps()}
    table = LineageTableVisualizer(session).show(pipeline_execution_step=steps["Look"])
    job = session.sagemaker_client.describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=steps["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    )["BestTrainingJob"]["TrainingJobName"]
    model = f"s3://{bucket}/models/{job}/output/model.tar.gz"
    (artifact,) = Artifact.list(source_uri=model, sagemaker_session=session)
    data = LineageQuery(session).query(
        start_arns=[artifact.artifact_arn],
        direction=LineageQueryDirectionEnum.ASCENDANTS,
        query_filter=LineageFilter(sources=[LineageSourceEnum.DATASET]),
        include_edges=False,
    )
    of_training = LineageTableVisualizer(session).show(training_job_name=job)
    return {
        "best": alone.best_training_job(),
        "values": sorted(made["FinalObjectiveValue"]),
        "steps": {step: record["StepStatus"] for step, record in steps.items()},
        "reasons": [record.get("FailureReason") for record in steps.values()],
        "model": model,
        "data": [vertex.to_lineage_object().source.source_uri for vertex in data.vertices],
        "looked": sorted(table[["Name/Source", "Direction", "Type"]].itertuples(index=False, name=None)),
        "trained": sorted(of_training[["Direction", "Type", "Association Type"]].itertuples(index=False, name=None)),
    }


def tuner_of(chosen: Session) -> object:
    """A tuner of one number; the error is its distance from 3."""
    from sagemaker.core.parameter import CategoricalParameter
    from sagemaker.train.configs import Compute, OutputDataConfig, SourceCode
    from sagemaker.train.model_trainer import ModelTrainer
    from sagemaker.train.tuner import HyperparameterTuner

    source = Path("tuned")
    source.mkdir(exist_ok=True)
    (source / "train.py").write_text(TUNED, encoding="utf-8")
    trainer = ModelTrainer(
        training_image=image,
        role=role,
        sagemaker_session=chosen,
        source_code=SourceCode(source_dir=str(source), entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/models"),
        hyperparameters={"fixed": "yes"},
    )
    return HyperparameterTuner(
        model_trainer=trainer,
        objective_metric_name="error",
        metric_definitions=[{"Name": "error", "Regex": "error=(.*?);"}],
        hyperparameter_ranges={"number": CategoricalParameter(["1", "3", "4"])},
        strategy="Grid",
        objective_type="Minimize",
        max_jobs=3,
        max_parallel_jobs=2,
    )


def looking(chosen: Session, model: object, job: object) -> object:
    """The arguments of a step that fails unless it finds the best model."""
    Path("look.py").write_text(LOOK, encoding="utf-8")
    processor = ScriptProcessor(
        role=role,
        image_uri=image,
        command=["python3"],
        instance_count=1,
        instance_type="ml.m5.large",
        sagemaker_session=chosen,
    )
    source = ProcessingS3Input(
        s3_uri=model, local_path="/opt/ml/processing/input/model", s3_data_type="S3Prefix", s3_input_mode="File"
    )
    return processor.run(
        code="look.py", inputs=[ProcessingInput(input_name="model", s3_input=source)], arguments=["--job", job]
    )


def with_code(archive: str) -> str:
    """The model with inference code beside it, as a new archive."""
    import io
    import tarfile

    key = archive.removeprefix(f"s3://{bucket}/")
    s3 = session.boto_session.client("s3")
    packed = io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    with tarfile.open(fileobj=packed) as tar:
        tar.extractall("model", filter="data")
    Path("model/code").mkdir(parents=True)
    Path("model/code/inference.py").write_text(INFERENCE, encoding="utf-8")
    with tarfile.open("model.tar.gz", "w:gz") as tar:
        tar.add("model", arcname=".")
    s3.upload_file("model.tar.gz", bucket, "packed/model.tar.gz")
    return f"s3://{bucket}/packed/model.tar.gz"


print(json.dumps({"pipeline": pipeline, "jobs": jobs, "tuning": tuning}[given["part"]]()))
