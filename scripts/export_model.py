"""Write the trained coefficients of a model to .pickle and .joblib, each with a SHA-256 file beside it.

The model is read from a model.tar.gz on this machine or in S3, or from a version in the model registry. Nothing in the
archive is executed. Both files hold the same plain dictionary, described in docs/exports.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from scripts.lib.exports.files import checksum_file, document_of, write_exports
from scripts.lib.exports.sources import find_model, version_in_use
from scripts.lib.program import ModelSourceError, aws_of, program_parser, run_program

EXAMPLES = """\
examples:
  python scripts/export_model.py model.tar.gz
  python scripts/export_model.py s3://bucket/runs/abc/Train/output/model.tar.gz --output-dir exports
  python scripts/export_model.py arn:aws:sagemaker:us-east-1:123456789012:model-package/my-group/3 --env dev
  python scripts/export_model.py --in-use --env prod

exit codes: 0 written, 2 wrong call, 9 no such model, 1 anything else that the message names
"""


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = program_parser(__doc__, EXAMPLES, asks_aws=True)
    parser.add_argument("model", nargs="?", help="model.tar.gz: path, s3:// URI, or ARN of a model package")
    in_use_help = "take the version of this model package group that is in use (default: the environment's)"
    parser.add_argument("--in-use", nargs="?", const="", metavar="GROUP", help=in_use_help)
    parser.add_argument("--output-dir", type=Path, default=Path("exports"), help="gets the files (default: exports)")
    parser.add_argument("--name", help="name of the files without ending (default: after the model)")
    request = parser.parse_args(arguments)
    if (request.model is None) == (request.in_use is None):
        parser.error("give either a model or --in-use")

    source = request.model
    if source is None:
        aws = aws_of(request.env)
        source = version_in_use(request.in_use or aws.settings.model_package_group_name, aws)
    if not source:
        raise ModelSourceError("The model's name is empty.", "See --help for what it may be.")
    found = find_model(source, lambda: aws_of(request.env))
    document = document_of(found.model, found.source, found.archive_sha256)
    written = write_exports(document, request.output_dir, request.name or found.name)
    print(f"{found.source}: profile {found.model.profile}, {len(found.model.selected)} coefficients and an intercept")
    for path in written:
        print(f"  {path}  ({checksum_file(path).name} beside it)")
    print(f"Try it: python scripts/predict_from_export.py {written[0]} DATA.csv")


if __name__ == "__main__":
    run_program(main)
