"""Register a model.tar.gz of this machine as a new version in the model registry.

The archive is read first, so that only a model of this project is registered; nothing in it is run. The version waits
for a person's approval. The same archive is registered once: a second call names the version that is there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.lib.exports.sources import find_model
from scripts.lib.program import add_environment, aws_of, existing_file, program_parser, run_program
from scripts.lib.registration import image_uri, read_evaluation, register, registered_version

EXAMPLES = """\
examples:
  python scripts/register_model.py model.tar.gz --evaluation evaluation.json
  python scripts/register_model.py model.tar.gz --env dev --group another-group

Then: bikeshare model list
exit codes: 0 registered (or there already), 2 wrong call, 9 no model, 11 refused by the registry, 1 anything else
"""


def main(arguments: Sequence[str]) -> None:
    parser = program_parser(__doc__, EXAMPLES)
    parser.add_argument("archive", type=Path, help="model.tar.gz that train.py's job wrote")
    parser.add_argument("--evaluation", type=Path, help="evaluation.json of evaluate.py, shown with the version")
    parser.add_argument("--group", help="model package group (default: the environment's)")
    parser.add_argument("--image", help="container image (default: the pinned scikit-learn image of the region)")
    add_environment(parser)
    request = parser.parse_args(arguments)
    aws = aws_of(request.env)
    archive = existing_file(request.archive, "The model archive")
    found = find_model(str(archive), lambda: aws)
    evaluation = read_evaluation(request.evaluation) if request.evaluation else None
    group = request.group or aws.settings.model_package_group_name
    already = registered_version(group, found.archive_sha256, aws)
    if already is not None:
        print(f"{archive} is registered already: {already}")
        return
    image = request.image or image_uri(aws.settings)
    arn = register(found, archive.read_bytes(), evaluation, aws, group=group, image=image)
    quality = f", R-squared on test rows {evaluation.r_squared:.4f}" if evaluation else ""
    print(f"{arn}: profile {found.model.profile}{quality}, waiting for approval")
    print("Approve it: bikeshare model approve --help")


if __name__ == "__main__":
    run_program(main)
