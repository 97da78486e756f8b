"""The published mode: greedy generation of the label word, read by the released answer rule (method §8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import EncodedExample
from instructerc.recognition.scoring import Progress, pad_left


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
            ids, mask = pad_left([example.prompt for example in batch], tokenizer.pad_token_id, backbone.device)
            longest = max(len(answer) for example in batch for answer in example.answers)
            settings = GenerationConfig(
                do_sample=False,
                num_beams=1,
                max_new_tokens=longest + self.extra_tokens,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
            with torch.inference_mode(), backbone.computing():
                output = backbone.model.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
            texts = tokenizer.batch_decode(output[:, ids.shape[1] :], skip_special_tokens=True)
            for position, text in zip(positions, texts, strict=True):
                answers[position] = text.strip()
            if progress:
                progress(len(positions))
        return answers
