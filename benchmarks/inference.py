"""Time the serving functions against the default ones of AWS's container toolkit with a scikit-learn model.

::

    python -m benchmarks.inference [--rows 100000] [--rounds 7] [--json FILE]

The model and its rows are those of the sample, whose rows are repeated. Both handlers get the same body and answer it
with CSV: steps/inference.py with prediction, interval and mark; sagemaker-containers (built from its source, by a C
compiler) with the prediction alone, as scikit-learn's LinearRegression of the same columns gives it. They take
turns, in one process of the image's environment. (sagemaker-inference, the newer toolkit, can't decode the body for
scikit-learn: columns of whole and of other numbers become an array of records.)
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import Comparison, Sample, Series, load, print_table, write_json

ROOT = Path(__file__).resolve().parents[1]
STEPS = ROOT / "steps"
TOOLKIT = "sagemaker-containers==2.8.6.post2"
CSV = "text/csv"
OURS = "steps/inference.py"


def main() -> None:
    """Prepare a model and an environment, measure there, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="of the body (default: 100,000)")
    parser.add_argument("--rounds", type=int, default=7, help="answers of each handler (default: 7)")
    parser.add_argument("--json", type=Path, help="file that gets all samples")
    arguments = parser.parse_args()
    before = load()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        python = _environment(root / "environment")
        _prepare(python, root)
        command = [
            str(python),
            "-m",
            "benchmarks.inference",
            "--inside",
            str(root),
            str(arguments.rows),
            str(arguments.rounds),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT, env=_variables())
    seconds = json.loads(done.stdout)
    series = [Series(name, arguments.rows, tuple(map(Sample, values))) for name, values in seconds.items()]
    found = Comparison("inference", "rows", series, load=before)
    print_table(found)
    if arguments.json is not None:
        write_json([found], arguments.json)


def _variables() -> dict[str, str]:
    from pipeline.datasets.shipped import declaration_file

    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # as for one worker a processor
    return {**os.environ, **threads, "PYTHONPATH": str(STEPS), "DATASET_FILE": str(declaration_file("bike_sharing"))}


def _environment(folder: Path) -> Path:
    """Add the toolkit to a copy of the image's environment with what the steps need; return its interpreter."""
    from localmaker.images.environments import create_layer, derived_environment, image_environment
    from localmaker.images.table import DEFAULT_IMAGE, find_image

    image = image_environment(find_image(DEFAULT_IMAGE), print)
    create_layer(folder, str(folder), derived_environment(image, (STEPS / "requirements.txt").read_text(), print))
    python = folder / "bin" / "python3"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run([python, "-m", "pip", "install", *options, TOOLKIT], check=True)
    return python


def _prepare(python: Path, root: Path) -> None:
    """Write ``model/model.json``, and the features of the sample as the transform gets them."""
    from pipeline.demo.sample import write_sample

    output = root / "output"
    options = {
        "preprocess.py": {"input-file": write_sample(root / "raw"), "output-dir": output},
        "train.py": {"train-dir": output / "train", "model-dir": root / "model", "output-data-dir": root / "data"},
    }
    for script, given in options.items():
        words = [f"--{name}={value}" for name, value in given.items()]
        subprocess.run([python, STEPS / script, *words], check=True, capture_output=True, env=_variables())


def _measure(root: Path, rows: int, rounds: int) -> dict[str, list[float]]:
    """Let the handlers answer in turns, each first in its turn; return the seconds."""
    import numpy as np
    from sagemaker_containers import _encoders
    from sklearn.linear_model import LinearRegression

    import inference

    lines = (root / "output" / "scoring" / "features.csv").read_text().splitlines()
    body = "\n".join((lines * (rows // len(lines) + 1))[:rows])
    model = inference.model_fn(str(root / "model"))
    known = inference.input_fn("\n".join(lines))
    theirs = LinearRegression().fit(known, model.fitted(known))

    handlers: dict[str, Callable[[], str]] = {
        OURS: lambda: inference.output_fn(inference.predict_fn(inference.input_fn(body, CSV), model), CSV)[0],
        TOOLKIT: lambda: _encoders.encode(theirs.predict(_encoders.decode(body, CSV).astype(np.float32)), CSV),
    }
    answers = {name: [float(line.split(",")[0]) for line in ask().splitlines()] for name, ask in handlers.items()}
    # The toolkit computes with half the digits, and knows no lower bound.
    np.testing.assert_allclose(np.maximum(answers[TOOLKIT], 0.0), answers[OURS], rtol=1e-3, atol=1.0)
    seconds: dict[str, list[float]] = {name: [] for name in handlers}
    order = list(handlers)
    for _ in range(rounds):
        for name in order:
            start = time.perf_counter()
            handlers[name]()
            seconds[name].append(time.perf_counter() - start)
        order.append(order.pop(0))
    return seconds


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        folder_of_main, *numbers = sys.argv[2:]
        print(json.dumps(_measure(Path(folder_of_main), *map(int, numbers))))
    else:
        main()
