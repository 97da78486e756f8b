"""How far ChatGLM and ChatGLM2 are from the numbers of their original implementations, on tiny random weights.

INSTRUCTERC_SHARED=FOLDER python benchmarks/chatglm_parity.py [--references FOLDER/oracles]
    [--json benchmarks/results/chatglm-parity.json]

The references were written by the original code in float32 on a CPU: prompts alone, padded on either side, without a
mask, with labels, and greedy continuations with a cache. Each is computed here from the same token ids, and from a mask
of padding where the original was given one. Compared are the logits of all tokens that are no padding, the loss, and
every generated token. P-Tuning prefixes are left out: such checkpoints are not loaded.
"""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from instructerc.backbones.chatglm.checkpoint import find_checkpoint
from measuring import SHARED_VARIABLE, Column, Row, finish, parser_of, use_threads

MODELS = {"ChatGLM": "chatglm", "ChatGLM2": "chatglm2"}
"""What people call it, and the folder of its references."""

ATTENTIONS = ("sdpa", "eager")

COLUMNS = (
    Column("model", "model"),
    Column("attention", "attention"),
    Column("cases", "cases"),
    Column("logits", "logits, largest difference", ".1e"),
    Column("loss", "loss, largest difference", ".1e"),
    Column("greedy", "greedy cases"),
    Column("steps", "logits of their steps", ".1e"),
    Column("tokens", "tokens"),
    Column("equal", "of them equal"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the original was given, and what it gave.

    Shapes: B sequences, T tokens, V words.

    Attributes:
        name: Of the case.
        about: What its record says: what was passed, how long a continuation is.
        tensors: By name: `input_ids` [B, T], `logits` [B, T, V], `loss`, `labels`, `sequences`, `step_logits` …
        pad: Id of the padding token.
    """

    name: str
    about: dict[str, Any]
    tensors: dict[str, torch.Tensor]
    pad: int

    @property
    def greedy(self) -> bool:
        """Whether it is a continuation."""
        return self.about.get("kind") == "greedy"

    @property
    def ids(self) -> torch.Tensor:
        """[B, T]."""
        return self.tensors["input_ids"]

    @property
    def real(self) -> torch.Tensor:
        """Which tokens are no padding, [B, T]."""
        return self.ids != self.pad

    def inputs(self) -> dict[str, Any]:
        """What the model is given.

        The original's own mask is made from ids here: where it got none, it sees padding. Positions are the model's
        own, but for the one case in which the original's tokenizer and model disagree about them.
        """
        passed = self.about.get("passed_to_forward") or self.about["passed_to_generate"]
        mask = self.real if "attention_mask" in passed else torch.ones_like(self.ids)
        inputs: dict[str, Any] = {"input_ids": self.ids, "attention_mask": mask.long()}
        two_rows = self.tensors.get("position_ids", self.ids).dim() == 3
        by_model = two_rows and self.name != "both_masks_tokenizer"
        if "position_ids" in passed and not self.greedy and not by_model:
            inputs["position_ids"] = self.tensors["position_ids"]
        return inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far a case is off.

    Attributes:
        logits: Largest absolute difference of logits; of a continuation, those of its steps.
        loss: Absolute difference; None where there are no labels.
        tokens: Generated tokens.
        equal: How many of them are the original's.
    """

    logits: float
    loss: float | None = None
    tokens: int = 0
    equal: int = 0


def cases_of(folder: Path) -> Iterator[Case]:
    """The cases of a folder, prefixes left out."""
    from safetensors.torch import load_file

    tensors = load_file(folder / "cases.safetensors")
    pad = json.loads((folder / "config.json").read_text(encoding="utf-8"))["pad_token_id"]
    for name, about in json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"].items():
        if not name.startswith("prefix"):
            own = {key: tensors[f"{name}.{key}"] for key in about["tensors"]}
            yield Case(name=name, about=about, tensors=own, pad=pad)


def model_of(folder: Path, attention: str) -> Any:
    """The model of a folder of references, in float32; such folders have no tokenizer that fits."""
    checkpoint = find_checkpoint(folder.name, str(folder), None)
    if checkpoint is None:
        raise SystemExit(f"{folder}: holds no ChatGLM")
    model, _ = checkpoint.load_model(checkpoint.config(), dtype=torch.float32, attn_implementation=attention)
    return model.eval()


def difference(model: Any, case: Case) -> Difference:
    """How far the model is from what the original gave."""
    with torch.no_grad():
        return _continuation(model, case) if case.greedy else _forward(model, case)


def _forward(model: Any, case: Case) -> Difference:
    output = model(**case.inputs(), labels=case.tensors.get("labels"))
    logits = float((output.logits - case.tensors["logits"])[case.real].abs().max())
    loss = None if output.loss is None else float((output.loss - case.tensors["loss"]).abs().max())
    return Difference(logits=logits, loss=loss)


def _continuation(model: Any, case: Case) -> Difference:
    from transformers import GenerationConfig

    settings = GenerationConfig(
        do_sample=False,
        max_new_tokens=case.about["max_new_tokens"],
        eos_token_id=case.about["eos_token_id"],
        pad_token_id=case.about["pad_token_id"],
        output_logits=True,
        return_dict_in_generate=True,
    )
    output = model.generate(**case.inputs(), generation_config=settings)
    steps = torch.stack(output.logits, dim=1)
    # What follows the end of a row is computed on padding, and means nothing.
    lengths = [len(row) for row in case.about["new_tokens"]]
    far = [
        float((steps[row, :length] - case.tensors["step_logits"][row, :length]).abs().max())
        for row, length in enumerate(lengths)
    ]
    start = case.ids.shape[1]
    wanted, given = case.tensors["sequences"][:, start:], output.sequences[:, start:]
    equal = sum(int((wanted[row, :length] == given[row, :length]).sum()) for row, length in enumerate(lengths))
    return Difference(logits=max(far), tokens=sum(lengths), equal=equal)


def row_of(model: str, folder: Path, attention: str) -> Row:
    """All cases of a model."""
    loaded = model_of(folder, attention)
    found = [(case, difference(loaded, case)) for case in cases_of(folder)]
    forward = [one for case, one in found if not case.greedy]
    greedy = [one for case, one in found if case.greedy]
    return {
        "model": model,
        "attention": attention,
        "cases": len(forward),
        "logits": max(one.logits for one in forward),
        "loss": max(one.loss for one in forward if one.loss is not None),
        "greedy": len(greedy),
        "steps": max(one.logits for one in greedy),
        "tokens": sum(one.tokens for one in greedy),
        "equal": sum(one.equal for one in greedy),
    }


def rows_of(given: Namespace) -> list[Row]:
    """A row a model and kind of attention."""
    folder = given.references
    if folder is None:
        if not os.environ.get(SHARED_VARIABLE):
            raise SystemExit(f"neither --references nor {SHARED_VARIABLE} says where the references are")
        folder = Path(os.environ[SHARED_VARIABLE]) / "oracles"
    return [row_of(model, folder / place, attention) for model, place in MODELS.items() for attention in ATTENTIONS]


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a model and kind of attention."""
    parser = parser_of(__doc__)
    parser.add_argument("--references", type=Path, help="holds chatglm and chatglm2, as the original code wrote them")
    given = parser.parse_args(argv)
    use_threads(given.threads)
    finish(given, argv, COLUMNS, rows_of(given), notes=["Absolute differences, float32, on a CPU."])


if __name__ == "__main__":
    main()
