"""What labelling so many turns would take: tokens, hours of a GPU, money; the arithmetic is shown.

```
turns x tokens a turn x 2 FLOP a parameter  /  (peak of the GPU x what of it is reached)  =  seconds
```

Two FLOP a parameter and token is what a forward pass of a transformer takes (Kaplan et al., 2020, section 2.1, without
attention, which is small at these lengths). What of a GPU's peak is reached is an assumption, unless somebody measured:
`utilisation`, or `tokens_per_second` in place of all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from instructerc.conversation import Conversation
from instructerc.errors import UnknownNameError, UsageError

TERA = 1e12


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU as its maker describes it.

    Attributes:
        name: What it is asked for by.
        title: What it is called.
        teraflops: Peak of dense matrix products in 16 bits, in 10^12 operations a second.
        memory: In GB.
    """

    name: str
    title: str
    teraflops: float
    memory: int


DEVICES: Mapping[str, Device] = {
    device.name: device
    for device in (
        Device("t4", "NVIDIA T4", 65, 16),
        Device("l4", "NVIDIA L4", 121, 24),
        Device("a10", "NVIDIA A10", 125, 24),
        Device("rtx4090", "NVIDIA GeForce RTX 4090", 165, 24),
        Device("a100", "NVIDIA A100 80 GB", 312, 80),
        Device("l40s", "NVIDIA L40S", 362, 48),
        Device("h100", "NVIDIA H100 SXM", 989, 80),
        Device("h200", "NVIDIA H200 SXM", 989, 141),
        Device("mi300x", "AMD Instinct MI300X", 1307, 192),
        Device("b200", "NVIDIA B200", 2250, 180),
    )
}
"""Data sheets of their makers, without sparsity; bfloat16, or float16 on the T4."""

UTILISATION = 0.3
"""Of the peak that a forward pass reaches where nobody measured: careful for models of billions on large batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """Tokens through the model, counted on some conversations.

    Attributes:
        turns: Turns counted.
        alone: Tokens where every prompt is read by itself, labels included.
        trees: Tokens where what prompts share is read once.
    """

    turns: int
    alone: int
    trees: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What it would take.

    Attributes:
        turns: Turns to be labelled.
        tokens_per_turn: Tokens through the model for each.
        parameters: Of the model.
        device: What computes; None where the speed was given.
        devices: How many.
        utilisation: Share of the peak that is reached.
        tokens_per_second: Of one device.
        price: Of an hour of one device, in whatever money; None where nobody said.
    """

    turns: float
    tokens_per_turn: float
    parameters: int
    device: Device | None
    devices: int
    utilisation: float
    tokens_per_second: float
    price: float | None = None

    @property
    def tokens(self) -> float:
        """Of all turns."""
        return self.turns * self.tokens_per_turn

    @property
    def device_hours(self) -> float:
        """Hours of one device, or of several added up."""
        return self.tokens / self.tokens_per_second / 3600

    @property
    def hours(self) -> float:
        """On the clock, where work is shared evenly."""
        return self.device_hours / self.devices

    @property
    def cost(self) -> float | None:
        """In the money of the price."""
        return None if self.price is None else self.device_hours * self.price

    def lines(self) -> list[str]:
        """The arithmetic, for people."""
        lines = [f"{self.turns:,.0f} turns x {self.tokens_per_turn:,.1f} tokens a turn = {self.tokens:.3g} tokens"]
        if self.device is not None:
            lines.append(
                f"{self.device.title}: {self.device.teraflops:,.0f} TFLOP/s x {self.utilisation:.0%} / "
                f"(2 x {self.parameters:,} parameters) = {self.tokens_per_second:,.0f} tokens a second"
            )
        else:
            lines.append(f"{self.tokens_per_second:,.0f} tokens a second, as given")
        lines.append(
            f"{self.tokens:.3g} / {self.tokens_per_second:,.0f} / 3600 = {self.device_hours:,.1f} device hours"
        )
        if self.devices > 1:
            lines.append(f"{self.device_hours:,.1f} / {self.devices} devices = {self.hours:,.1f} hours on the clock")
        if self.cost is not None:
            lines.append(f"{self.device_hours:,.1f} x {self.price:,.2f} an hour = {self.cost:,.2f}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "turns": self.turns,
            "tokens_per_turn": self.tokens_per_turn,
            "tokens": self.tokens,
            "parameters": self.parameters,
            "device": None if self.device is None else self.device.name,
            "devices": self.devices,
            "utilisation": None if self.device is None else self.utilisation,
            "tokens_per_second": self.tokens_per_second,
            "device_hours": self.device_hours,
            "hours": self.hours,
            "price": self.price,
            "cost": self.cost,
        }


def estimate(
    *,
    turns: float,
    tokens_per_turn: float,
    parameters: int,
    device: str | None = None,
    devices: int = 1,
    utilisation: float = UTILISATION,
    tokens_per_second: float | None = None,
    price: float | None = None,
) -> Estimate:
    """What labelling so many turns would take.

    Args:
        turns: How many.
        tokens_per_turn: Tokens through the model for each (`count_tokens`).
        parameters: Of the model.
        device: A name of `DEVICES`.
        devices: How many of it.
        utilisation: Share of its peak that is reached, above 0 and at most 1.
        tokens_per_second: Of one device, measured; takes the place of the arithmetic.
        price: Of an hour of one device.

    Raises:
        UnknownNameError: Nobody knows such a device.
        UsageError: Something is not above 0, or neither a device nor a speed is given.

    Example:
        >>> found = estimate(turns=1e9, tokens_per_turn=100, parameters=600_000_000, device="h100", price=2.5)
        >>> round(found.device_hours, 1), round(found.cost)
        (112.3, 281)
    """
    numbers = {"turns": turns, "tokens a turn": tokens_per_turn, "parameters": parameters, "devices": devices}
    numbers |= {"utilisation": utilisation}
    numbers |= {} if tokens_per_second is None else {"tokens a second": tokens_per_second}
    for name, number in numbers.items():
        if not 0 < number < float("inf"):
            raise UsageError(f"{name} is {number}: give a number above 0")
    if utilisation > 1:
        raise UsageError(f"utilisation is {utilisation}: it is a share of the peak, give at most 1")
    if price is not None and price < 0:
        raise UsageError(f"price is {price}: give 0 or more")
    if device is not None and device not in DEVICES:
        raise UnknownNameError("GPU", device, DEVICES)
    if device is None and tokens_per_second is None:
        raise UsageError(f"neither a GPU nor a speed is given: name one of {', '.join(DEVICES)}, or tokens a second")
    found = None if tokens_per_second is not None or device is None else DEVICES[device]
    if tokens_per_second is None:
        assert found is not None
        tokens_per_second = found.teraflops * TERA * utilisation / (2 * parameters)
    return Estimate(
        turns=turns,
        tokens_per_turn=tokens_per_turn,
        parameters=parameters,
        device=found,
        devices=devices,
        utilisation=utilisation,
        tokens_per_second=tokens_per_second,
        price=price,
    )


def count_tokens(conversations: Iterable[Conversation], spec: Any, tokenizer: Any, *, longest: int) -> TokenCount:
    """Tokens through the model for each turn of some conversations, by the prompts that recognition makes.

    Args:
        conversations: A sample of what is to be labelled.
        spec: A `PromptSpec`.
        tokenizer: Of the model.
        longest: Tokens of the longest prompt.

    Raises:
        UsageError: There is no turn among them.
    """
    from instructerc.backbones.tokens import PromptEncoder
    from instructerc.trees import TokenTree

    encoder = PromptEncoder(tokenizer, longest, stride=spec.window.stride)
    turns = alone = trees = 0
    for conversation in conversations:
        examples = encoder.encode_all(spec.examples(conversation))
        paths: Sequence[Sequence[int]] = [(*one.prompt, *answer[:-1]) for one in examples for answer in one.answers]
        turns += len(examples)
        alone += sum(len(one.prompt) + sum(len(answer) - 1 for answer in one.answers) for one in examples)
        trees += len(TokenTree.from_sequences(paths)) if paths else 0
    if not turns:
        raise UsageError("the sample holds no turn: name conversations like those that are to be labelled")
    return TokenCount(turns=turns, alone=alone, trees=trees)
