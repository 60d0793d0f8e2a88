"""A notebook's session: one environment, one table, one raw file."""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.dataset.declaration import Dataset
from analysis.report.page import figure
from analysis.runtime.errors import StepError
from pipeline.aws.clients import Aws, aws_errors
from pipeline.definition.bundle import bundle_of
from pipeline.demo.sample import write_sample
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.engine.planner import Plan, apply_plan, make_plan
from pipeline.deploy.engine.rendering import print_change
from pipeline.deploy.engine.resource import Action
from pipeline.deploy.stack import resources
from pipeline.errors import ExecutionError, InputFileError, PipelineError
from pipeline.executions.uploads import started_by
from pipeline.local_endpoint import local_endpoint
from pipeline.settings.contract import Flow, upload_prefix
from pipeline.settings.environment import DEFAULT_ENVIRONMENT, VARIABLES, Settings, load_settings

_WIDTH, _MOST_ROWS = 96, 100


@dataclass(frozen=True)
class Session:
    """What the cells of a notebook share."""

    aws: Aws
    data: Path  #: The raw file.
    folder: Path  #: Gets what is computed on this machine.
    console: Console

    @property
    def settings(self) -> Settings:
        """Settings of the environment."""
        return self.aws.settings

    @property
    def dataset(self) -> Dataset:
        """The table's declaration."""
        return self.settings.declared


def open_session(environment: str = DEFAULT_ENVIRONMENT, dataset: str = "", data: str = "") -> Session:
    """Open a session, and say where it works.

    Args:
        environment: whose account is used. ``local`` needs none: the endpoint on this machine is started unless it
            runs, or AWS_ENDPOINT_URL names another.
        dataset: declaration by the name of its file in ``datasets/``, or its path; "" is the environment's own.
        data: path of a raw CSV; "" is the generated sample.

    Raises:
        InputFileError: there is no such raw file.
        PipelineError: the environment does not exist, or can't be reached with these credentials.
    """
    set_up_output()
    if dataset:
        # What is called later reads the settings, too.
        os.environ[f"{VARIABLES}DATASET"] = dataset
    console = notebook_console()
    aws = Aws(load_settings(environment))
    file = Path(data).expanduser().absolute()
    if data and not file.is_file():
        raise InputFileError(f"{file} is not a file.", 'Correct DATA, or leave it "" for the generated sample.')
    if environment == DEFAULT_ENVIRONMENT and "AWS_ENDPOINT_URL" not in os.environ:
        with local_endpoint(console, keep_up=True):
            pass
    aws.check_account()
    folder = Path(tempfile.mkdtemp(prefix=f"{aws.settings.prefix}-"))
    found = Session(aws, file if data else write_sample(folder, dataset=aws.settings.declared), folder, console)
    made_up = "" if data else " (generated: its numbers say nothing about anything)"
    place = aws.endpoint_url or f"account {aws.settings.account_id} in {aws.settings.region}"
    for name, value in {
        "Environment": f"{environment}, {place}",
        "Data set": f"{found.dataset.title} ({aws.settings.dataset})",
        "Raw file": f"{found.data}{made_up}",
    }.items():
        console.print(f"{name:<12} {value}", markup=False, soft_wrap=True)
    return found


def notebook_console() -> Console:
    """Return a console whose lines are plain text in a notebook's output, as wide as a page of it."""
    return Console(force_jupyter=False, force_terminal=False, color_system=None, highlight=False, width=_WIDTH)


def set_up_output() -> None:
    """Write figures of tables as the report does; show what is raised on purpose as its message, without a traceback.

    The notebook stops all the same.
    """
    import pandas as pd
    from IPython import get_ipython

    pd.set_option("display.max_rows", _MOST_ROWS, "display.max_colwidth", _WIDTH, "display.float_format", figure)
    if (shell := get_ipython()) is not None:  # outside a notebook there is none
        shell.set_custom_exc((PipelineError, StepError), _show)


def _show(_shell: Any, _type: type, error: BaseException, _traceback: Any, **_: Any) -> None:
    print(f"error: {error}", file=sys.stderr)


def ensure(session: Session, *kinds: str) -> int:
    """Create the resources of some kinds, such as "bucket", that are not there; return how many were created.

    What is there stays as it is: changing it is a deployment's.
    """
    settings, aws = session.settings, session.aws
    bundle = bundle_of(settings)
    wanted = resources(settings, bundle, compiled_definitions(settings, bundle))
    plan = make_plan([one for one in wanted if one.kind in kinds], aws)
    missing = tuple(change for change in plan.changes if change.action is Action.CREATE)
    apply_plan(Plan(missing), aws, lambda change: print_change(change, session.console))
    if not missing:
        session.console.print(f"Nothing to create: each {' and '.join(kinds)} is there.")
    return len(missing)


def upload(session: Session, flow: Flow = "training") -> str:
    """Put the raw file where uploads of this flow go, by a plain PutObject; return the ARN of what that has started.

    Raises:
        ExecutionError: S3 refused it, or EventBridge started nothing in time.
    """
    settings, aws = session.settings, session.aws
    key = f"{upload_prefix(flow)}{session.data.name}"
    with aws_errors(f"Uploading {session.data}", aws, ExecutionError):
        aws.s3.put_object(Bucket=settings.raw_bucket, Key=key, Body=session.data.read_bytes())
    session.console.print(f"Uploaded     s3://{settings.raw_bucket}/{key}", markup=False, soft_wrap=True)
    arn = started_by(aws, key)
    session.console.print(f"Started      {arn}", markup=False, soft_wrap=True)
    return arn
