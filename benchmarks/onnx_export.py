"""Whether an ONNX export of the embedded model pays: tokens a second of the same body, in torch and in ONNX Runtime.

pip install onnx onnxruntime
python benchmarks/onnx_export.py [--threads 1] [--json benchmarks/results/onnx-export.json]

The body of the embedded backbone (embeddings and six layers, causal mask; the head reads a few places of it and is left
out) on batches of 8 sequences of 128 tokens: by torch, by ONNX Runtime, and by ONNX Runtime with weights in 8 bits. The
largest difference of the hidden states from torch's says what the export costs in exactness.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from instructerc.backbones.loading import load_backbone
from measuring import Column, Stopwatch, finish, median, parser_of, use_threads

BATCH, LENGTH, ROUNDS = 8, 128, 15


def seconds(work: Callable[[], Any]) -> float:
    """The median of several rounds in processor time, after two that warm up."""
    times = []
    for _ in range(ROUNDS + 2):
        with Stopwatch() as watch:
            work()
        times.append(watch.elapsed.processor)
    return median(times[2:])


class Body(torch.nn.Module):
    """Token ids in, hidden states out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> Any:
        """Shapes: batch × length in, batch × length × width out."""
        return self.model.base_model(input_ids=ids, use_cache=False).last_hidden_state


COLUMNS = (
    Column("engine", "engine"),
    Column("seconds", "processor", ".3f", " s"),
    Column("tokens", "tokens a second", ",.0f"),
    Column("times", "times torch", ".2f"),
    Column("difference", "largest difference", ".2g"),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row an engine."""
    arguments = parser_of(__doc__).parse_args(argv)
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    use_threads(arguments.threads)
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
        options.intra_op_num_threads = arguments.threads
        rows: list[Any] = []
        for name, path in (("ONNX Runtime, float32", whole), ("ONNX Runtime, 8 bits", small)):
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            (found,) = session.run(None, {"ids": ids.numpy()})
            passed = seconds(lambda session=session: session.run(None, {"ids": ids.numpy()}))  # type: ignore[misc]
            rows.append({"engine": name, "seconds": passed, "difference": float(np.abs(found - expected).max())})
        backbone.model.config._attn_implementation = "sdpa"
        rows.insert(0, {"engine": "torch, float32", "seconds": seconds(lambda: body(ids)), "difference": 0.0})
    scale = float(np.abs(expected).mean())
    for row in rows:
        row["tokens"] = BATCH * LENGTH / row["seconds"]
        row["times"] = rows[0]["seconds"] / row["seconds"]
    notes = [
        f"batches of {BATCH} sequences of {LENGTH} tokens; hidden states are {scale:.2f} in size on average",
        f"ONNX Runtime {onnxruntime.__version__}",
    ]
    finish(arguments, argv, COLUMNS, rows, notes=notes)


if __name__ == "__main__":
    main()
