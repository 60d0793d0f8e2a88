"""Model-card export jobs, each of which writes a version of a card to S3 as a PDF, in its own thread."""

from __future__ import annotations

import logging
import threading
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError, NoRoomError
from localmaker.http.operations import RequestContext, operation
from localmaker.ports import AwsClients
from localmaker.services.sagemaker.documents import existing, now, of_region
from localmaker.services.sagemaker.listing import only, order, page, select
from localmaker.services.sagemaker.registry.card_pdf import card_pdf
from localmaker.services.sagemaker.registry.model_cards import EXPORT_JOB, card_version
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.state.room import until_stored

logger = logging.getLogger(__name__)

_REASON_CHARACTERS = 1024
_SUMMARY = (
    "ModelCardExportJobName",
    "ModelCardExportJobArn",
    "Status",
    "ModelCardName",
    "ModelCardVersion",
    "CreatedAt",
    "LastModifiedAt",
)
_SORTED_BY = {"Name": "ModelCardExportJobName", "CreationTime": "CreatedAt", "Status": "Status"}
INTERRUPTED = "The local endpoint ended while this job was running. Start another one."


@operation("sagemaker", "CreateModelCardExportJob")
def create_export_job(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Start to export a version of a card, by default the newest."""
    card = card_version(request["ModelCardName"], request.get("ModelCardVersion"), context)
    name = request["ModelCardExportJobName"]
    arn, moment = f"{card['ModelCardArn']}/export-job/{name}", now()
    document = {
        "ModelCardExportJobName": name,
        "ModelCardExportJobArn": arn,
        "Status": "InProgress",
        "ModelCardName": card["ModelCardName"],
        "ModelCardVersion": card["ModelCardVersion"],
        "OutputConfig": request["OutputConfig"],
        "CreatedAt": moment,
        "LastModifiedAt": moment,
    }
    if not context.service(ResourceStore).add(EXPORT_JOB, arn, document):
        raise AwsError("ConflictException", f"Model card export job {arn} already exists")
    context.service(CardExports).start(document, card, context.region)
    return {"ModelCardExportJobArn": arn}


@operation("sagemaker", "DescribeModelCardExportJob")
def describe_export_job(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a job; a completed one has the location of its file."""
    arn = request["ModelCardExportJobArn"]
    missing = AwsError("ResourceNotFound", f"Model card export job {arn} does not exist")
    return existing(EXPORT_JOB, arn, missing, context)


@operation("sagemaker", "ListModelCardExportJobs")
def list_export_jobs(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List a page of a card's jobs."""
    wanted = {"ModelCardName": request["ModelCardName"]}
    if "ModelCardVersion" in request:
        wanted["ModelCardVersion"] = request["ModelCardVersion"]
    if "StatusEquals" in request:
        wanted["Status"] = request["StatusEquals"]
    jobs = [
        job
        for job in of_region(EXPORT_JOB, "ModelCardExportJobArn", context)
        if all(job[field] == value for field, value in wanted.items())
    ]
    found = select(
        jobs,
        request,
        "ModelCardExportJobName",
        name_filter="ModelCardExportJobNameContains",
        created="CreatedAt",
        modified="LastModifiedAt",
    )
    order(found, request, _SORTED_BY, "CreationTime")
    return page([only(job, _SUMMARY) for job in found], request, "ModelCardExportJobSummaries")


class CardExports:
    """Runs export jobs.

    Args:
        resources: stores the documents of the jobs.
        clients: of S3.
    """

    def __init__(self, resources: ResourceStore, clients: AwsClients) -> None:
        self._resources = resources
        self._clients = clients
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._closing = threading.Event()

    def fail_interrupted(self) -> None:
        """Fail the jobs that were running when the endpoint last ended."""
        for job in self._resources.all(EXPORT_JOB):
            if job["Status"] == "InProgress":
                self._end(job, "Failed", FailureReason=INTERRUPTED)

    def start(self, job: dict[str, Any], card: dict[str, Any], region: str) -> None:
        """Write a card in a thread of its own.

        Args:
            job: DescribeModelCardExportJob.
            card: DescribeModelCard.
            region: of the job.
        """
        thread = threading.Thread(
            target=self._run, args=(job, card, region), name=f"card-{job['ModelCardExportJobName']}", daemon=True
        )
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def close(self) -> None:
        """Wait for running jobs, and do not wait for room on a full disk any more."""
        self._closing.set()
        self.finish()

    def finish(self) -> None:
        """Wait for running jobs, which takes seconds."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _run(self, job: dict[str, Any], card: dict[str, Any], region: str) -> None:
        try:
            where = urlsplit(job["OutputConfig"]["S3OutputPath"])
            folder = f"{where.path.strip('/')}/" if where.path.strip("/") else ""
            key = f"{folder}{job['ModelCardName']}/{job['ModelCardVersion']}/{job['ModelCardExportJobName']}.pdf"
            s3 = self._clients.client("s3", region)
            s3.put_object(Bucket=where.netloc, Key=key, Body=card_pdf(card), ContentType="application/pdf")
        except (ClientError, BotoCoreError) as error:
            self._end(job, "Failed", FailureReason=str(error)[:_REASON_CHARACTERS])
        except Exception as error:  # otherwise the job would stay InProgress for ever
            logger.exception("%s", job["ModelCardExportJobArn"])
            self._end(job, "Failed", FailureReason=f"InternalServerError: {error}"[:_REASON_CHARACTERS])
        else:
            self._end(job, "Completed", ExportArtifacts={"S3ExportArtifacts": f"s3://{where.netloc}/{key}"})
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _end(self, job: dict[str, Any], status: str, **more: Any) -> None:
        arn = job["ModelCardExportJobArn"]
        # The job was deleted with its card in the meantime.
        if self._resources.get(EXPORT_JOB, arn) is not None:
            ended = {**job, "Status": status, "LastModifiedAt": now(), **more}
            try:
                until_stored(
                    lambda: self._resources.put(EXPORT_JOB, arn, ended), self._closing.wait, f"the end of {arn}"
                )
            except NoRoomError as error:
                logger.warning("%s; the next start reports that the job was interrupted", error)
