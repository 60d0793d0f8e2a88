"""What AWS's PyTorch containers do where a user's program lacks a function, and how they serve a TorchScript model.

A module for the model server, which runs in the sandbox of a transform job, in the image's environment.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

_CSV, _JSON, _NPY = "text/csv", "application/json", "application/x-npy"


def model_fn(model_dir: str) -> Any:
    """Load the one TorchScript file of the artefact, or ``model.pt`` of several.

    Raises:
        ValueError: there is no such file, or more than one.
    """
    files = [path for path in Path(model_dir).iterdir() if path.suffix in (".pt", ".pth")]
    files = [path for path in files if path.name == "model.pt"] or files
    if len(files) != 1:
        raise ValueError(
            f"Exactly one .pth or .pt file is required for PyTorch models: {[path.name for path in files]}"
        )
    return torch.jit.load(files[0], map_location="cpu")


def default_input_fn(body: str | bytes, content_type: str) -> torch.Tensor:
    """Return the numbers of a request as a tensor."""
    if content_type == _NPY:
        return torch.from_numpy(np.load(io.BytesIO(body if isinstance(body, bytes) else body.encode())))
    text = body.decode() if isinstance(body, bytes) else body
    if content_type == _JSON:
        return torch.tensor(json.loads(text), dtype=torch.float32)
    if content_type == _CSV:
        rows = [[float(value) for value in row] for row in csv.reader(io.StringIO(text)) if row]
        return torch.tensor(rows).squeeze()
    raise ValueError(f"Content type {content_type} is not supported by this framework: the program needs an input_fn.")


def default_predict_fn(data: torch.Tensor, model: Any) -> Any:
    """Call the model in evaluation mode, without gradients."""
    model.eval()
    with torch.no_grad():
        return model(data)


def default_output_fn(prediction: Any, accept: str) -> tuple[str | bytes, str]:
    """Format predictions as JSON, CSV or NPY."""
    values = prediction.detach().numpy() if isinstance(prediction, torch.Tensor) else np.asarray(prediction)
    if accept == _JSON:
        return json.dumps(values.tolist()), accept
    if accept == _CSV:
        text = io.StringIO()
        rows = values.reshape(-1, 1) if values.ndim <= 1 else values
        csv.writer(text, lineterminator="\n").writerows(rows.tolist())
        return text.getvalue(), accept
    if accept == _NPY:
        packed = io.BytesIO()
        np.save(packed, values)
        return packed.getvalue(), accept
    raise ValueError(f"Content type {accept} is not supported by this framework: the program needs an output_fn.")
