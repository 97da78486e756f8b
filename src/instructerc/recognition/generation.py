"""The published mode: greedy generation of the label word, read by the released answer rule (method §8)."""

from __future__ import annotations

import itertools
from collections.abc import Container, Sequence
from dataclasses import dataclass

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.padding import prompt_inputs
from instructerc.backbones.tokens import EncodedExample
from instructerc.recognition.scoring import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class GreedyGeneration:
    """Generates answers in left-padded batches of similar length.

    Attributes:
        batch_size: Prompts a batch.
        extra_tokens: Tokens that an answer may have beyond the longest label.
    """

    batch_size: int = 16
    extra_tokens: int = 1

    def generate(
        self, backbone: Backbone, examples: Sequence[EncodedExample], *, progress: Progress | None = None
    ) -> list[str]:
        """The answer to every example, in order, without special tokens and outer white space.

        Greedy, and said so: a checkpoint's own sampling settings do not apply (method §7).
        """
        import torch
        from transformers import GenerationConfig

        answers = [""] * len(examples)
        order = sorted(range(len(examples)), key=lambda i: -len(examples[i].prompt))
        tokenizer = backbone.tokenizer
        for start in range(0, len(order), self.batch_size):
            positions = order[start : start + self.batch_size]
            batch = [examples[position] for position in positions]
            inputs = prompt_inputs(backbone, batch)
            longest = max(len(answer) for example in batch for answer in example.answers)
            # What ends the answers of a chat model is its template's own token; the end token stops it all the same.
            ends = {answer[-1] for example in batch for answer in example.answers} - {tokenizer.eos_token_id}
            settings = GenerationConfig(
                do_sample=False,
                num_beams=1,
                max_new_tokens=longest + self.extra_tokens,
                eos_token_id=[tokenizer.eos_token_id, *sorted(ends)],
                pad_token_id=tokenizer.pad_token_id,
            )
            with torch.inference_mode(), backbone.computing():
                output = backbone.model.generate(**inputs, generation_config=settings)
            written = [_until(row, ends) for row in output[:, inputs["input_ids"].shape[1] :].tolist()]
            texts = tokenizer.batch_decode(written, skip_special_tokens=True)
            for position, text in zip(positions, texts, strict=True):
                answers[position] = text.strip()
            if progress:
                progress(len(positions))
        return answers


def _until(tokens: Sequence[int], ends: Container[int]) -> list[int]:
    """What stands before the first token of a template that ends an answer: it need not be flagged as special."""
    return list(itertools.takewhile(lambda token: token not in ends, tokens))
