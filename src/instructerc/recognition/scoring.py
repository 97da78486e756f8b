"""The default mode: log-likelihoods of every label of a closed set, one row a prompt.

```
prompt ─┬─ joy [SEP]      log p(joy | prompt)  + log p([SEP] | prompt joy)
        ├─ sad ness [SEP] log p(sad | prompt)  + log p(ness | prompt sad) + log p([SEP] | prompt sad ness)
        └─ …              a softmax over these sums gives the probabilities
```

The prompt is read once; each label is then read from its cached keys and values, which are cropped again. Of a model
that reads prompts or their turns in both directions all labels are read at once, as a tree.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.padding import positions_of, prompt_inputs
from instructerc.backbones.tokens import EncodedExample
from instructerc.errors import BackboneError
from instructerc.trees.tree import TokenTree, visible

if TYPE_CHECKING:
    import torch

Progress = Callable[[int], None]
"""Told how many more examples are done."""

ROWS_AT_ONCE = 4
"""Rows of logits that a CPU adds up at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaddedScoring:
    """Scores prompts in left-padded batches of similar length. Works on any causal language model with a cache.

    Attributes:
        batch_size: Prompts a batch.
    """

    batch_size: int = 16

    def score(
        self, backbone: Backbone, examples: Sequence[EncodedExample], *, progress: Progress | None = None
    ) -> list[list[float]]:
        """The log-likelihood of every answer of every example, in order.

        Args:
            backbone: The language model.
            examples: What to score; examples of one batch may have different answers.
            progress: Told how many examples are done.

        Returns:
            For each example a log-likelihood an answer: the sum over the answer's tokens, end token included.
        """
        scores: list[list[float]] = [[] for _ in examples]
        for positions in self._batches(examples):
            batch = [examples[position] for position in positions]
            for position, row in zip(positions, _score_batch(backbone, batch), strict=True):
                scores[position] = row
            if progress:
                progress(len(positions))
        return scores

    def _batches(self, examples: Sequence[EncodedExample]) -> Iterator[list[int]]:
        order = sorted(range(len(examples)), key=lambda i: (examples[i].answers, -len(examples[i].prompt)))
        batch: list[int] = []
        for position in order:
            full = len(batch) == self.batch_size
            if batch and (full or examples[position].answers != examples[batch[0]].answers):
                yield batch
                batch = []
            batch.append(position)
        if batch:
            yield batch


def _score_batch(backbone: Backbone, batch: Sequence[EncodedExample]) -> list[list[float]]:
    """Scores examples that share their answers.

    Shapes: B examples, T tokens of the longest prompt, V words, A answers.
    """
    import torch

    answers = batch[0].answers
    with torch.inference_mode(), backbone.computing():
        inputs = prompt_inputs(backbone, batch)
        mask = inputs["attention_mask"]
        first, cache = _read_prompts(backbone, inputs)  # [B, V]
        if backbone.both_ways:
            columns = _continue_all(backbone, answers, first, mask, cache)
        else:
            columns = _continue_each(backbone, answers, first, mask, cache)
        rows: list[list[float]] = torch.stack(columns, dim=1).double().tolist()  # [B, A]
    return rows


def _continue_each(
    backbone: Backbone, answers: Sequence[Sequence[int]], first: torch.Tensor, mask: torch.Tensor, cache: Any
) -> list[torch.Tensor]:
    """Log-likelihoods [B] of each answer, one read after the other: takes any model with a cache."""
    return [
        first[:, answer[0]] + _continue(backbone, answer, mask, cache) if len(answer) > 1 else first[:, answer[0]]
        for answer in answers
    ]


def _continue_all(
    backbone: Backbone, answers: Sequence[Sequence[int]], first: torch.Tensor, mask: torch.Tensor, cache: Any
) -> list[torch.Tensor]:
    """Log-likelihoods [B] of each answer, all read at once as a tree on top of the prompts."""
    import torch

    tree = TokenTree.from_sequences([answer[:-1] for answer in answers])
    columns = [first[:, answer[0]] for answer in answers]
    if len(tree):
        sight = torch.from_numpy(visible(tree.ends)).to(mask.device)
        prompts = mask.bool()[:, None, None, :].expand(-1, 1, len(tree), -1)
        seen = torch.cat([prompts, sight.expand(len(mask), 1, -1, -1)], dim=-1)  # [B, 1, N, T + N]
        nodes = torch.from_numpy(tree.tokens).to(mask.device).expand(len(mask), -1)
        depths = torch.from_numpy(tree.depths).to(mask.device)
        read = backbone.model(
            input_ids=nodes,
            attention_mask=seen,
            position_ids=mask.sum(dim=1, keepdim=True) + depths,
            use_cache=True,
            **{backbone.cache_argument: cache},
        )
        logits = read.logits  # [B, N, V]: what follows each node; the logarithms of all of it are never kept
        total = log_totals(logits)  # [B, N]
        for number, (path, answer) in enumerate(zip(tree.paths, answers, strict=True)):
            places = torch.from_numpy(path).to(mask.device)
            tokens = torch.tensor(answer[1:], dtype=torch.long, device=mask.device)
            columns[number] = columns[number] + (logits[:, places, tokens].float() - total[:, places]).sum(dim=1)
    return columns


def answer_scores(
    logits: torch.Tensor, places: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
) -> list[float]:
    """The log-likelihood of each answer: the sum over its tokens, end token included.

    Shapes: P places, V words.

    Args:
        logits: [P, V].
        places: For each answer, the rows of `logits` that its tokens follow.
        answers: Token ids.
    """
    import torch

    total = log_totals(logits)  # [P]
    at = torch.tensor([place for rows in places for place in rows], device=logits.device)
    token = torch.tensor([token for answer in answers for token in answer], device=logits.device)
    values = (logits[at, token].float() - total[at]).double().cpu()
    return [float(part.sum()) for part in values.split([len(answer) for answer in answers])]


def log_totals(logits: torch.Tensor) -> torch.Tensor:
    """What logits are less by as log-probabilities: the log-sum-exp over the last dimension, in float32.

    A CPU takes a few rows at once, which stay in its cache: a quarter of the time for a vocabulary of 30,000 words.

    Args:
        logits: [..., V], of any precision.
    """
    import torch

    rows = logits.flatten(0, -2)
    at_once = ROWS_AT_ONCE if logits.device.type == "cpu" else max(len(rows), 1)
    totals = torch.cat([part.float().logsumexp(dim=-1) for part in rows.split(at_once)])
    return totals.view(logits.shape[:-1])


def _read_prompts(backbone: Backbone, inputs: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, Any]:
    arguments: dict[str, Any] = {**inputs, "use_cache": True}
    if backbone.accepts("position_ids"):
        arguments["position_ids"] = positions_of(inputs["attention_mask"])
    if backbone.accepts("logits_to_keep"):
        arguments["logits_to_keep"] = 1
    output = backbone.model(**arguments)
    cache = output.cache if backbone.cache_argument == "cache" and "cache" in output else output.past_key_values
    return output.logits[:, -1].float().log_softmax(dim=-1), cache


def _continue(backbone: Backbone, answer: Sequence[int], mask: torch.Tensor, cache: Any) -> torch.Tensor:
    """Log-likelihood [B] of an answer after its first token, read from the cache, which is left as it was."""
    import torch

    read = answer[:-1]
    longer = torch.cat([mask, mask.new_ones((len(mask), len(read)))], dim=1)
    used = _branch(backbone, cache)
    arguments: dict[str, Any] = {
        "input_ids": torch.tensor([read] * len(mask), device=mask.device),
        "attention_mask": longer,
        "use_cache": True,
        backbone.cache_argument: used,
    }
    if backbone.accepts("position_ids"):
        arguments["position_ids"] = positions_of(longer)[:, -len(read) :]
    logits = backbone.model(**arguments).logits.float().log_softmax(dim=-1)  # [B, tokens, V]
    if used is cache:
        cache.crop(-len(read))
    targets = torch.tensor(answer[1:], device=mask.device).expand(len(mask), -1)
    total: torch.Tensor = logits.gather(2, targets.unsqueeze(-1)).squeeze(-1).sum(dim=1)
    return total


def _branch(backbone: Backbone, cache: Any) -> Any:
    """The cache itself where it can be cropped afterwards; a copy where sliding windows forget what they pass."""
    config = backbone.model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ()
    sliding = any(kind != "full_attention" for kind in kinds) or (not kinds and getattr(config, "sliding_window", None))
    return copy.deepcopy(cache) if sliding else cache


def probabilities(
    log_likelihoods: Sequence[float], *, temperature: float = 1.0, offsets: Sequence[float] = ()
) -> list[float]:
    """A softmax over the log-likelihoods of a closed set.

    Args:
        log_likelihoods: Of each label.
        temperature: What they are divided by: above 1 makes less sure (`fit_temperature`).
        offsets: What is then added to each (`fit_offsets`); none leaves them.

    Raises:
        BackboneError: They are no numbers, as of weights that a training or a coarse number type has broken.

    Example:
        >>> [round(probability, 3) for probability in probabilities([-1.0, -1.0, -2.0])]
        [0.422, 0.422, 0.155]
    """
    import math

    largest = max(log_likelihoods)
    if not all(value < math.inf for value in log_likelihoods) or largest == -math.inf:  # false for NaN, too
        raise BackboneError(
            f"the likelihoods of the labels are no numbers ({', '.join(map(str, log_likelihoods))}): "
            "set backbone.dtype to float32, or train again with a lower training.learning_rate"
        )
    scaled = [(value - largest) / temperature for value in log_likelihoods]
    if offsets:
        scaled = [value + offset for value, offset in zip(scaled, offsets, strict=True)]
    shares = [math.exp(value) for value in scaled]
    total = sum(shares)
    return [share / total for share in shares]
