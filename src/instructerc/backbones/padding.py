"""Sequences of several lengths as one batch, padded on the left; and what a model that reads both ways is told of them.

```
input_ids        PAD  [CLS]  a : hi  b : oh no  b feels :   sad        a prompt with an answer behind it
attention_mask   0    1      1 1 1   1 1 1  1   1 1     1   1
token_type_ids   0    0      0 0 0   1 1 1  1   1 1     1   0          the focus: target turn and question
                 0    0      2 2 2   5 5 5  5   7 7     7   0          and twice the number of the span that each token
                                                                       is in, where turns are read one by one
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import EncodedExample

if TYPE_CHECKING:
    import torch

FOCUS = ("focus_nodes", "focus_owners", "focus_places")
"""Arguments that say what the P prompts of a row of trees ask about: K nodes, and the number of the prompt that each
belongs to, [K] both; and the nodes at which the prompts end, [P] (`rows.row_inputs`)."""


def pad_left(sequences: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids [B, T] and their mask [B, T], padded on the left: every prompt ends in the last column."""
    import torch

    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, longest - len(sequence) :] = torch.tensor(sequence, dtype=torch.long)
        mask[row, longest - len(sequence) :] = 1
    return ids.to(device), mask.to(device)


def positions_of(mask: torch.Tensor) -> torch.Tensor:
    """Position of each token inside its own sequence; padding sits at 0, where nothing looks."""
    return (mask.cumsum(dim=-1) - 1).clamp(min=0)


def prompt_inputs(backbone: Backbone, prompts: Sequence[EncodedExample]) -> dict[str, torch.Tensor]:
    """Prompts as arguments of a forward pass, on the backbone's device.

    Returns:
        `input_ids`, `attention_mask`, and of a model that reads both ways `token_type_ids`, each [B, T].
    """
    ids, mask = pad_left([example.prompt for example in prompts], backbone.tokenizer.pad_token_id, backbone.device)
    inputs = {"input_ids": ids, "attention_mask": mask}
    if backbone.both_ways:
        inputs["token_type_ids"] = _types(mask, prompts)
    return inputs


def answer_inputs(
    prompts: Sequence[EncodedExample], read: Sequence[Sequence[int]], pad: int, *, both_ways: bool
) -> dict[str, Any]:
    """Prompts with what is read of an answer behind each, as arguments of a forward pass, on the CPU.

    Args:
        prompts: B prompts.
        read: Tokens of an answer each; of several lengths.
        pad: Id of the padding token.
        both_ways: Whether the model reads prompts in both directions, which answers must not become a part of.

    Returns:
        `input_ids` [B, T], `position_ids` [B, T] and `attention_mask`, [B, T] or [B, 1, T, T]; of a model that reads
        both ways also `token_type_ids` [B, T].
    """
    import torch

    sequences = [(*example.prompt, *answer) for example, answer in zip(prompts, read, strict=True)]
    ids, mask = pad_left(sequences, pad, torch.device("cpu"))
    inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions_of(mask)}
    if not both_ways:
        return inputs
    tails = [len(answer) for answer in read]
    types = _types(mask, prompts, tails)
    return {**inputs, "attention_mask": prefix_mask(mask, tails, spans=types // 2), "token_type_ids": types}


def _types(mask: torch.Tensor, prompts: Sequence[EncodedExample], answers: int | Sequence[int] = 0) -> torch.Tensor:
    """Token types [B, T]: what is asked about, and the spans of prompts that are not read whole."""
    focus = focus_types(mask, [example.focus for example in prompts], answers)
    return focus + 2 * span_numbers(mask, [example.spans for example in prompts], answers)


def prefix_mask(
    mask: torch.Tensor, answers: int | Sequence[int] = 0, *, spans: torch.Tensor | None = None
) -> torch.Tensor:
    """Who sees whom where prompts are read in both directions, [B, 1, T, T], true where a query may look.

    Args:
        mask: Which tokens are there, padding on the left, [B, T].
        answers: Tokens at the end of each row that are part of an answer: they see what is before them, and no prompt
            sees them.
        spans: Number of the span that each token of a prompt is in, [B, T]: only a span is read in both directions;
            None makes a prompt one span.

    Example:
        >>> import torch
        >>> prefix_mask(torch.tensor([[0, 1, 1, 1]]), 1)[0, 0].int().tolist()
        [[0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]]
        >>> prefix_mask(torch.tensor([[1, 1, 1, 1]]), spans=torch.tensor([[0, 0, 1, 1]]))[0, 0].int().tolist()
        [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    """
    import torch

    length = mask.shape[1]
    tails = torch.as_tensor(answers, device=mask.device).expand(len(mask))
    places = torch.arange(length, device=mask.device)
    prompt_ends = (length - tails)[:, None, None]  # [B, 1, 1]
    before = places[None, :, None] >= places[None, None, :]
    together = (places[None, :, None] < prompt_ends) & (places[None, None, :] < prompt_ends)
    if spans is not None:
        together = together & (spans[:, :, None] == spans[:, None, :])
    return ((before | together) & mask.bool()[:, None, :])[:, None]


def focus_types(mask: torch.Tensor, focus: Sequence[int], answers: int | Sequence[int] = 0) -> torch.Tensor:
    """Token types [B, T]: 1 for what is asked about, at the end of a prompt, 0 for all else.

    Args:
        mask: Which tokens are there, padding on the left, [B, T].
        focus: Tokens of each prompt that are asked about.
        answers: Tokens behind each prompt that are part of an answer.

    Example:
        >>> import torch
        >>> focus_types(torch.tensor([[0, 1, 1, 1, 1]]), [2], 1).tolist()
        [[0, 0, 1, 1, 0]]
    """
    import torch

    length = mask.shape[1]
    ends = length - torch.as_tensor(answers, device=mask.device).expand(len(mask))[:, None]
    begins = ends - torch.as_tensor(focus, device=mask.device)[:, None]
    places = torch.arange(length, device=mask.device)[None]
    return ((places >= begins) & (places < ends)).long() * mask


def span_numbers(mask: torch.Tensor, spans: Sequence[Sequence[int]], answers: int | Sequence[int] = 0) -> torch.Tensor:
    """Number of the span that each token of a prompt is in, [B, T]; 0 for all else.

    Args:
        mask: Which tokens are there, padding on the left, [B, T].
        spans: Tokens of each span of each prompt; none for a prompt that is one.
        answers: Tokens behind each prompt that are part of an answer.

    Example:
        >>> import torch
        >>> span_numbers(torch.tensor([[0, 1, 1, 1, 1]]), [[1, 2]], 1).tolist()
        [[0, 0, 1, 1, 0]]
    """
    import torch

    numbers = torch.zeros(mask.shape, dtype=torch.long)
    tails = [answers] * len(mask) if isinstance(answers, int) else answers
    for row, (sizes, tail) in enumerate(zip(spans, tails, strict=True)):
        end = mask.shape[1] - tail
        own = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes, dtype=torch.long))
        numbers[row, end - len(own) : end] = own
    return numbers.to(mask.device)
