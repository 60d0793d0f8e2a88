"""What the linter can't know of this project: names of the step scripts, and the AWS calls that they make."""

from pipedef.document.project import ALWAYS, Project
from pipeline.settings.contract import WHEELS_INPUT

_REGISTRY_READ = ("sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages")

PROJECT = Project(
    scripts_folder="steps",
    split_script="preprocess.py",
    training_script="train.py",
    evaluation_script="evaluate.py",
    selection_script="select_model.py",
    purpose_flag="--purpose",
    rowless_channels=frozenset({WHEELS_INPUT}),
    libraries_input=WHEELS_INPUT,
    code_named_by_digest=True,
    transforms_read_one_file=True,
    sharing_scripts=frozenset({"ingest_features.py"}),
    script_actions={
        "claim.py": {
            ALWAYS: (
                *("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucketVersions", "s3:PutObject"),
                *("sagemaker:DescribePipelineExecution", *_REGISTRY_READ),
            )
        },
        "evaluate.py": {"--model-package-group-name": ("s3:GetObject", *_REGISTRY_READ)},
        "follow_model.py": {
            ALWAYS: (
                *(f"sagemaker:{action}ModelCard" for action in ("Create", "Delete", "Describe", "Update")),
                *("sagemaker:ListModelCards", "sagemaker:UpdateModelPackage", *_REGISTRY_READ),
            )
        },
        "ingest_features.py": {ALWAYS: ("s3:GetObject", "sagemaker:BatchWriteRecord", "sagemaker:PutRecord")},
        "publish.py": {
            ALWAYS: (
                *("s3:DeleteObject", "s3:GetObject", "s3:PutObject"),
                *("sagemaker:DeleteModel", "sagemaker:DescribeModelPackage"),
            ),
            "--metrics-namespace": ("cloudwatch:PutMetricData",),
        },
        "score_predictions.py": {
            ALWAYS: ("s3:GetObject", "s3:ListBucket", "s3:PutObject"),
            "--metrics-namespace": ("cloudwatch:PutMetricData",),
        },
        "read_history.py": {
            ALWAYS: (
                *("athena:GetQueryExecution", "athena:StartQueryExecution", "athena:StopQueryExecution"),
                *("s3:PutObject", "sagemaker:DescribeFeatureGroup"),
            )
        },
        "select_model.py": {ALWAYS: _REGISTRY_READ},
        "sweep.py": {
            ALWAYS: tuple(
                f"sagemaker:{action}"
                for action in ("DeleteModel", "DescribePipelineExecution", "ListModels", "ListTags")
            )
        },
    },
)
