"""Whether an ONNX export of the embedded model pays: tokens a second of the same body, in torch and in ONNX Runtime.

pip install onnx onnxruntime
python benchmarks/onnx_export.py [--threads 1] [--json benchmarks/results/onnx-export.json]

The body of the embedded backbone (embeddings and six layers, causal mask; the head reads a few places of it and is left
out) on batches of 8 sequences of 128 tokens: by torch, by ONNX Runtime, and by ONNX Runtime with weights in 8 bits. The
largest difference of the hidden states from torch's says what the export costs in exactness.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from instructerc.backbones.loading import load_backbone

BATCH, LENGTH, ROUNDS = 8, 128, 15


def seconds(work: Callable[[], Any]) -> float:
    """The median of several rounds, after two that warm up."""
    times = []
    for _ in range(ROUNDS + 2):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


class Body(torch.nn.Module):
    """Token ids in, hidden states out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> Any:
        """Shapes: batch × length in, batch × length × width out."""
        return self.model.base_model(input_ids=ids, use_cache=False).last_hidden_state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    torch.set_num_threads(given.threads)
    backbone = load_backbone("embedded", precision="float32", device="cpu")
    backbone.model.config._attn_implementation = "eager"  # the exporter takes it apart; SDPA it does not know in full
    body = Body(backbone.model).eval()
    ids = torch.randint(1000, 30_000, (BATCH, LENGTH), generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        expected = body(ids).numpy()
        whole, small = Path(folder) / "body.onnx", Path(folder) / "body8.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                body, (ids,), str(whole), input_names=["ids"], output_names=["hidden"], dynamo=False, opset_version=17
            )
        quantize_dynamic(str(whole), str(small), weight_type=QuantType.QInt8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = given.threads
        rows = []
        for name, path in (("ONNX Runtime, float32", whole), ("ONNX Runtime, 8 bits", small)):
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            (found,) = session.run(None, {"ids": ids.numpy()})
            passed = seconds(lambda session=session: session.run(None, {"ids": ids.numpy()}))  # type: ignore[misc]
            rows.append({"engine": name, "seconds": passed, "difference": float(np.abs(found - expected).max())})
        backbone.model.config._attn_implementation = "sdpa"
        rows.insert(0, {"engine": "torch, float32", "seconds": seconds(lambda: body(ids)), "difference": 0.0})
    for row in rows:
        row["tokens a second"] = round(BATCH * LENGTH / row["seconds"])
        row["times torch"] = round(rows[0]["seconds"] / row["seconds"], 2)
        row["seconds"] = round(row["seconds"], 4)
    record = {"batch": BATCH, "length": LENGTH, "threads": given.threads, "rows": rows}
    text = json.dumps(record, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
