"""Register a model.tar.gz of this machine as a new version in the model registry, and put it in use.

Does by hand what the training pipeline does, in short steps that a notebook can walk through: image, group, archive,
inference specification, metrics and drift baselines, model card, version, approval. The archive is read first, so that
only a model of this project is registered; nothing in it is executed. The same archive is registered once: a second
call names the existing version.

A group that is not there is created. A version that can't score new files is registered and not put in use.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from analysis.card.standard import Standard, read_standard
from analysis.model.archive import Archive, archive_from
from analysis.runtime.project import NAME
from analysis.runtime.registry import Package, described, metadata, never_known, scores_new_rows
from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.aws.states import Found, Waiting, wait_until_ended
from pipeline.datasets.shipped import standard_file
from pipeline.definition.images import pinned_image
from pipeline.deploy.resources.model_package_groups import ModelPackageGroup
from pipeline.errors import RegistryError
from pipeline.results.decisions import approve, reason_line
from pipeline.results.registration import created_version
from pipeline.settings.environment import Settings
from scripts.lib import registration
from scripts.lib.exports.sources import FoundModel, find_model
from scripts.lib.program import (
    RegistrationError,
    ScriptError,
    aws_of,
    existing_file,
    program_parser,
    progress_of,
    run_program,
    service_errors,
)

EXAMPLES = f"""\
examples:
  python scripts/register_model.py model.tar.gz --evaluation evaluation/
  python scripts/register_model.py model.tar.gz --evaluation evaluation/ --leave-pending
  python scripts/register_model.py model.tar.gz --env dev --reason "Agreed on 2 December"
  python scripts/register_model.py model.tar.gz --group another-group
  python scripts/register_model.py model.tar.gz --time-stamped-group

Then: {NAME} model list, {NAME} model card VERSION
exit codes: 0 registered (or already registered), 2 wrong call, 9 no model, 11 refused by the registry or by the
organisation's standard for model cards, 12 no answer, or not ready in time, 1 anything else
"""
_REASON = "Approved when it was registered by hand."
_UNDER_WAY, _COMPLETED = ("Pending", "InProgress"), "Completed"


@dataclass(frozen=True)
class Candidate:
    """A model that is to become a version, and all that the registry is told of it."""

    found: FoundModel
    archive: Archive
    evaluation: registration.Evaluation
    image: str  #: Container that serves it.
    files: Mapping[str, bytes]  #: Name → content of what goes to S3.
    uris: Mapping[str, str]  #: Name → where to.
    metadata: Mapping[str, str]
    card: str

    @property
    def in_words(self) -> str:
        """Say what it is, and how well it does."""
        return f"profile {self.found.model.profile}, {self.evaluation.in_words}"


def image_uri(settings: Settings) -> str:
    """Return the pinned scikit-learn image of the region. Imports the SageMaker SDK, which takes seconds."""
    return pinned_image(settings.region)


def group_name(settings: Settings, named: str | None, *, time_stamped: bool) -> str:
    """Return the group's name: the one given or the environment's, with the present time at its end if wanted."""
    name = named or settings.model_package_group_name
    return f"{name}-{datetime.now(UTC):%Y-%m-%d-%H-%M-%S}" if time_stamped else name


def ready_group(name: str, aws: Aws, waiting: Waiting) -> str:
    """Create a group that is not there, with description and tags, wait until it takes versions, and say what was done.

    Raises RegistrationError where it ends in another state, NoAnswerError where it takes longer.
    """
    settings = aws.settings
    group = ModelPackageGroup(
        name, f"Linear regression of {settings.declared.words.target}", tags=settings.resource_tags()
    )

    def look() -> Found:
        return Found(aws.sagemaker.describe_model_package_group(ModelPackageGroupName=name)["ModelPackageGroupStatus"])

    with service_errors(f"Preparing model package group {name}", aws):
        found = unless_missing(lambda: aws.sagemaker.describe_model_package_group(ModelPackageGroupName=name))
        if found is None:
            group.create(aws)
        ended = aws.pace.until_it_passes()(wait_until_ended, f"Model package group {name}", look, _UNDER_WAY, waiting)
    if ended.state != _COMPLETED:
        raise RegistrationError(f"Model package group {name} is {ended.state}, and takes no version.", "Name another.")
    return "created" if found is None else "is there"


def registered_version(group: str, archive_sha256: str, aws: Aws) -> Package | None:
    """Return the group's version that was registered from the same archive, or None."""
    with service_errors(f"Looking for the archive in model package group {group}", aws):
        versions = described(aws.sagemaker, group)
    return next((one for one in versions if metadata(one).get(registration.ARCHIVE_KEY) == archive_sha256), None)


def uris_of(found: FoundModel, names: Sequence[str], aws: Aws) -> dict[str, str]:
    """Return where the files of a version go: under the SHA-256 of its archive, so that the same always go there."""
    folder = f"s3://{aws.settings.artifacts_bucket}/registered/{found.archive_sha256}"
    return {name: f"{folder}/{name}" for name in names}


def upload(files: Mapping[str, bytes], uris: Mapping[str, str], aws: Aws) -> None:
    """Put the files into S3; what stays behind after a failure is overwritten by the same bytes."""
    for name, content in files.items():
        bucket, _, key = uris[name].removeprefix("s3://").partition("/")
        with service_errors(f"Uploading {uris[name]}", aws):
            aws.s3.put_object(Bucket=bucket, Key=key, Body=content)
        print(f"{name}: uploaded", file=sys.stderr)


def create_version(request: Mapping[str, Any], aws: Aws, waiting: Waiting) -> Package:
    """Create the version, wait until it is completed, and describe it."""
    with service_errors(f"Registering a version of {request['ModelPackageGroupName']}", aws):
        return created_version(aws, request, waiting)


@contextmanager
def deciding() -> Iterator[None]:
    """Turn what the commands say of a decision into this program's error."""
    try:
        yield
    except RegistryError as error:
        raise RegistrationError(error.message, error.hint) from error


def in_one_line(reason: str) -> str:
    """Return a reason as AWS takes it, before anything is changed."""
    with deciding():
        return reason_line(reason)


def put_in_use(package: Package, reason: str, aws: Aws) -> None:
    """Approve a version as the command does: status, reason, moment and who decided, in one request."""
    with deciding():
        approve(aws, package["ModelPackageGroupName"], package["ModelPackageVersion"], reason)


def model_of(path: Path, settings: Settings, aws: Aws) -> tuple[FoundModel, Archive, bytes]:
    """Read and check the archive: a model of this project, and of the environment's data set."""
    content = existing_file(path, "The model archive").read_bytes()
    found = find_model(str(path), lambda: aws)
    named = found.model.provenance.get("dataset")
    if named not in {None, settings.declared.name}:
        raise ScriptError(
            f"The model is of the data set {named!r}, and {settings.environment!r} is of {settings.declared.name!r}.",
            "Choose its environment with --env.",
        )
    return found, archive_from(content, path.name), content


def evaluation_of(path: Path | None, archive: Archive) -> registration.Evaluation:
    """Read the evaluation of the archive's model, and say what of it the version goes without."""
    found = registration.Evaluation() if path is None else registration.read_evaluation(path)
    registration.refuse_another_models(found, archive)
    for name in found.missing:
        print(f"{name}: not given; the version goes without", file=sys.stderr)
    return found


def standard_of(settings: Settings) -> Standard | None:
    """Return the organisation's standard for model cards, where the environment has one."""
    name = settings.registry.card_standard
    return None if name is None else read_standard(standard_file(name))


def candidate_of(path: Path, evaluation_path: Path | None, image: str | None, aws: Aws) -> Candidate:
    """Read a model archive and its evaluation, and write the card; changes nothing.

    image: of the container; None is the pinned scikit-learn image of the region.
    """
    settings = aws.settings
    found, archive, content = model_of(path, settings, aws)
    evaluation = evaluation_of(evaluation_path, archive)
    image = image or image_uri(settings)
    files = {registration.ARCHIVE: content, **evaluation.files}
    uris = uris_of(found, list(files), aws)
    facts = registration.facts_of(settings, archive, evaluation, image, uris[registration.ARCHIVE])
    card = registration.card_of(archive, evaluation, settings.declared, facts, standard_of(settings))
    known = registration.metadata_of(archive, found.archive_sha256, evaluation, facts)
    return Candidate(found, archive, evaluation, image, files, uris, known, card)


def register(candidate: Candidate, group: str, aws: Aws, waiting: Waiting) -> Package:
    """Upload the files, and create the version, which waits for approval; return its description."""
    upload(candidate.files, candidate.uris, aws)
    specification = registration.inference_specification(
        candidate.image, candidate.uris[registration.ARCHIVE], aws.settings.instances.transform
    )
    request = registration.package_request(
        group,
        candidate.found.source,
        InferenceSpecification=specification,
        CustomerMetadataProperties=candidate.metadata,
        ModelCard={"ModelCardContent": candidate.card, "ModelCardStatus": "PendingReview"},
        **registration.measurements(candidate.uris),
    )
    return create_version(request, aws, waiting)


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = program_parser(__doc__, EXAMPLES, asks_aws=True)
    parser.add_argument("archive", type=Path, help="model.tar.gz that train.py's job wrote")
    evaluation_help = "folder that evaluate.py wrote, or evaluation.json in it: metrics, card, baselines, sample"
    parser.add_argument("--evaluation", type=Path, help=evaluation_help)
    parser.add_argument("--group", help="model package group (default: the environment's)")
    stamped_help = "register in a new group, which has the present time at the end of its name"
    parser.add_argument("--time-stamped-group", action="store_true", help=stamped_help)
    parser.add_argument("--image", help="container image (default: the pinned scikit-learn image of the region)")
    parser.add_argument("--reason", default=_REASON, help="why it is approved; stored with the version")
    parser.add_argument("--leave-pending", action="store_true", help="leave the approval to somebody else")
    parser.add_argument("--timeout-seconds", type=float, default=600, help="of each wait (default: 600)")
    request = parser.parse_args(arguments)
    if not request.timeout_seconds > 0:
        parser.error("--timeout-seconds: more than 0 is needed")
    reason = in_one_line(request.reason)

    # Session and clients; what is registered.
    aws = aws_of(request.env)
    settings = aws.settings
    # With the model card, before anything is changed: the organisation's standard may refuse it.
    candidate = candidate_of(request.archive, request.evaluation, request.image, aws)

    # The group, and whether it has this archive already.
    group = group_name(settings, request.group, time_stamped=request.time_stamped_group)
    done = ready_group(group, aws, Waiting(request.timeout_seconds, progress_of(group)))
    print(f"{group}: {done}", file=sys.stderr)
    other = "" if group == settings.model_package_group_name else f" --group {group}"
    already = registered_version(group, candidate.found.archive_sha256, aws)
    if already is not None:
        status = already.get("ModelApprovalStatus")
        print(f"{request.archive} is registered already: {already['ModelPackageArn']} ({status})")
        number = already["ModelPackageVersion"]
        print(f"Decide on it: {settings.command(f'model approve {number}{other}')}")
        return

    # The version.
    package = register(candidate, group, aws, Waiting(request.timeout_seconds, progress_of("version")))
    version = f"{package['ModelPackageArn']}: {candidate.in_words}"

    # Its approval.
    number = f"{package['ModelPackageVersion']}{other}"
    if not scores_new_rows(package):
        columns = " and ".join(never_known(package))
        print(f"{version}, not put in use: it takes {columns} as inputs, which are never known in advance")
    elif request.leave_pending:
        print(f"{version}, waiting for approval")
        print(f"Approve it: {settings.command(f'model approve {number}')}")
    else:
        put_in_use(package, reason, aws)
        print(f"{version}, approved and in use")
    print(f"Its card: {settings.command(f'model card {number}')}")


if __name__ == "__main__":
    run_program(main)
