"""Scoring by token trees: all labels under all prompts of a conversation, one forward pass a row.

```
history ── turn ── statement ─┬─ joy
        │                     ├─ sad ── ness        every shared token is computed once; the end token is never a
        │                     └─ …                  query, only a target
        └─ turn ── turn ── statement ─┬─ …
```
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import row_budget, row_inputs, row_logits, spans_of, to_device
from instructerc.backbones.tokens import EncodedExample
from instructerc.recognition.scoring import Progress, answer_scores
from instructerc.trees.packing import Row, pack


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeScoring:
    """Scores prompts as packed token trees. Only for backbones that take them.

    Attributes:
        budget: Tokens a row; None takes what suits the device.
    """

    budget: int | None = None

    def score(
        self, backbone: Backbone, examples: Sequence[EncodedExample], *, progress: Progress | None = None
    ) -> list[list[float]]:
        """The log-likelihood of every answer of every example, in order; equal to `PaddedScoring`."""
        owners: list[tuple[int, int]] = []  # example and answer of each sequence
        sequences: list[tuple[int, ...]] = []
        groups: dict[str, list[int]] = {}
        for position, example in enumerate(examples):
            for number, answer in enumerate(example.answers):
                groups.setdefault(example.conversation, []).append(len(sequences))
                owners.append((position, number))
                sequences.append((*example.prompt, *answer[:-1]))
        scores: list[list[float]] = [[0.0] * len(example.answers) for example in examples]
        waiting = [len(example.answers) for example in examples]
        budget = self.budget or row_budget(backbone, sequences)
        spans = spans_of(backbone, [(examples[one], len(examples[one].answers[number]) - 1) for one, number in owners])
        rows = deque(pack(list(groups.values()), sequences, budget=budget, spans=spans))
        del sequences, spans  # they and the paths of rows are as large as all prompts, each counted once an answer
        while rows:
            row = rows.popleft()
            asked = [(examples[owners[sequence][0]], owners[sequence][1]) for sequence in row.sequences]
            for sequence, value in zip(row.sequences, _score_row(backbone, row, asked), strict=True):
                position, number = owners[sequence]
                scores[position][number] = value
                waiting[position] -= 1
                if progress and not waiting[position]:
                    progress(1)
        return scores


def _score_row(backbone: Backbone, row: Row, asked: Sequence[tuple[EncodedExample, int]]) -> list[float]:
    """Log-likelihood of each answer: at the last tokens of its path, the probability of what comes next."""
    import torch

    answers = [example.answers[number] for example, number in asked]
    parents = [path[-len(answer) :].tolist() for path, answer in zip(row.paths, answers, strict=True)]
    needed = sorted({node for nodes in parents for node in nodes})
    place = {node: number for number, node in enumerate(needed)}
    inputs = to_device(row_inputs(backbone, row, [example for example, _ in asked]), backbone.device)
    with torch.inference_mode(), backbone.computing():
        logits = row_logits(backbone, backbone.model, inputs, needed)  # [P, V]
    return answer_scores(logits, [[place[node] for node in nodes] for nodes in parents], answers)
