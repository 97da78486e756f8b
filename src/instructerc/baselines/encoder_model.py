"""Any encoder of transformers with a linear head, and turns as its input.

```
history 2      [CLS] turn t-2 [SEP] turn t-1 [SEP] turn t [SEP]
                                                   └──────────┴─ mean of the last hidden states ── linear ── labels
```

The turns stand oldest first, each closed by the tokenizer's separator (the end token where it has none). Only texts are
read, no speakers. What the head sees is the target turn and what closes it, read in the light of what was said before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.assets import offline, offline_switch
from instructerc.assets.embedded import embedded_model_directory
from instructerc.conversation import Conversation
from instructerc.demonstrations.encoder import DEFAULT_NAMES
from instructerc.errors import BackboneError, UnknownNameError

if TYPE_CHECKING:
    import torch

EMBEDDED_NAMES = ("embedded", *DEFAULT_NAMES)
"""Names of the verified weights that come as a package."""

UNUSED = ("pooler.",)
"""Weights that the head never reads, and that many checkpoints lack."""

ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
"""What families call the dropout that forces attention on a CPU onto a slow path; it is switched off."""

SORTED_TOGETHER = 32
"""Batches whose turns are sorted by length together: little padding, and still a random order."""


@dataclass(frozen=True, slots=True)
class TurnTokens:
    """A turn as an encoder reads it.

    Attributes:
        ids: Token ids of history and turn.
        target: Where the target turn begins in them.
    """

    ids: tuple[int, ...]
    target: int

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEncoding:
    """Turns of conversations as token ids.

    Attributes:
        tokenizer: Of the encoder.
        history: Turns before the target that are shown.
        longest: Tokens of the longest input; history goes oldest first, then the end of the turn.
        prefix: Control tokens in front.
        suffix: Control tokens behind.
        separator: Stands between two turns.
    """

    tokenizer: Any = field(repr=False)
    history: int
    longest: int
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    separator: int

    @classmethod
    def of(cls, tokenizer: Any, *, history: int, longest: int, name: str) -> TurnEncoding:
        """The encoding that goes with a tokenizer.

        Raises:
            BackboneError: It has neither separator nor end token, or `longest` leaves no room for a turn.
        """
        separator = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
        if separator is None:
            raise BackboneError(
                f"{name}: its tokenizer has neither a separator nor an end token to put between turns: "
                "choose another encoder"
            )
        # Which control tokens a model expects around a text, its tokenizer alone knows.
        around = tokenizer("a", return_special_tokens_mask=True)
        ids, special = around["input_ids"], around["special_tokens_mask"]
        first, last = special.index(0), len(special) - special[::-1].index(0)
        prefix, suffix = tuple(ids[:first]), tuple(ids[last:])
        if longest <= len(prefix) + len(suffix):
            raise BackboneError(f"{name}: {longest} tokens leave no room for a turn: allow more")
        # What users write is never a control token.
        tokenizer.split_special_tokens = True
        return cls(
            tokenizer=tokenizer, history=history, longest=longest, prefix=prefix, suffix=suffix, separator=separator
        )

    def turns(self, conversation: Conversation) -> list[TurnTokens]:
        """Every turn of a conversation, with its history."""
        texts = [utterance.text for utterance in conversation.utterances]
        if not texts:
            return []
        said = [tuple(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]
        return [self._turn(said[max(0, turn - self.history) : turn], said[turn]) for turn in range(len(said))]

    def _turn(self, before: Sequence[tuple[int, ...]], target: tuple[int, ...]) -> TurnTokens:
        room = self.longest - len(self.prefix) - len(self.suffix)
        target = target[:room]
        history: tuple[int, ...] = ()
        for ids in reversed(before):
            longer = (*ids, self.separator, *history)
            if len(longer) + len(target) > room:
                break
            history = longer
        start = len(self.prefix) + len(history)
        ids = (*self.prefix, *history, *target, *self.suffix)
        # A turn without words is what closes it, or the token before it where nothing closes it.
        return TurnTokens(ids or (self.separator,), min(start, max(len(ids) - 1, 0)))


@dataclass(slots=True, kw_only=True)
class EncoderModel:
    """An encoder and its head.

    Attributes:
        encoder: A base model of transformers, float32 weights.
        head: Linear, from the hidden size to the labels.
        pad: Id of the token that fills up a batch; it is masked.
        autocast: Compute in bfloat16.
    """

    encoder: Any
    head: Any
    pad: int
    autocast: bool

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        found: torch.device = self.head.weight.device
        return found

    def parameters(self) -> list[Any]:
        """What is trained: everything."""
        return [*self.encoder.parameters(), *self.head.parameters()]

    def train(self, mode: bool) -> None:
        """Switches dropout on or off."""
        self.encoder.train(mode)
        self.head.train(mode)

    def state(self) -> list[Any]:
        """A copy of every weight, on the CPU."""
        return [parameter.detach().to("cpu", copy=True) for parameter in self.parameters()]

    def restore(self, state: Sequence[Any]) -> None:
        """Takes the weights of `state` again."""
        import torch

        with torch.no_grad():
            for parameter, saved in zip(self.parameters(), state, strict=True):
                parameter.copy_(saved)

    def logits(self, turns: Sequence[TurnTokens]) -> torch.Tensor:
        """A score for every label.

        Shapes: B turns, T tokens of the longest, H hidden units.

        Returns:
            float32, [B, labels].
        """
        import torch

        longest = max(map(len, turns))
        ids = torch.tensor([[*turn.ids, *[self.pad] * (longest - len(turn))] for turn in turns])
        places = torch.arange(longest)
        lengths = torch.tensor([[len(turn)] for turn in turns])
        seen = places < lengths  # [B, T]
        judged = seen & (places >= torch.tensor([[turn.target] for turn in turns]))
        ids, seen, judged = (tensor.to(self.device) for tensor in (ids, seen, judged))
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.autocast):
            hidden = self.encoder(input_ids=ids, attention_mask=seen.long()).last_hidden_state  # [B, T, H]
        weights = judged.float().unsqueeze(-1)
        scores: torch.Tensor = self.head((hidden.float() * weights).sum(1) / weights.sum(1))
        return scores

    def classify(self, turns: Sequence[TurnTokens], batch_size: int) -> list[int]:
        """The number of the best label of every turn, in order."""
        import torch

        answers = [0] * len(turns)
        order = sorted(range(len(turns)), key=lambda position: -len(turns[position]))
        self.train(False)
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                positions = order[start : start + batch_size]
                best = self.logits([turns[position] for position in positions]).argmax(1).tolist()
                for position, answer in zip(positions, best, strict=True):
                    answers[position] = answer
        return answers


def batches_of_like_length(lengths: Sequence[int], batch_size: int, order: random.Random) -> Iterator[list[int]]:
    """Positions of every batch of an epoch: of about one length each, in random order.

    Example:
        >>> sorted(map(sorted, batches_of_like_length([9, 1, 8, 2], 2, random.Random(0))))
        [[0, 2], [1, 3]]
    """
    positions = list(range(len(lengths)))
    order.shuffle(positions)
    batches = []
    for start in range(0, len(positions), batch_size * SORTED_TOGETHER):
        together = sorted(positions[start : start + batch_size * SORTED_TOGETHER], key=lambda place: lengths[place])
        batches += [together[first : first + batch_size] for first in range(0, len(together), batch_size)]
    order.shuffle(batches)
    yield from batches


def load_encoder_config(name: str, revision: str | None) -> tuple[Any, Any]:
    """Configuration and tokenizer of an encoder; no weights are loaded, but those of the package are verified.

    Raises:
        UnknownNameError: It names no folder and no hub repository.
        BackboneError: The folder or repository holds no model that can be loaded.
        AssetError: The weights of the package could not be had.
    """
    from transformers import AutoConfig, AutoTokenizer

    source = _source_of(name)
    try:
        # Code that a checkpoint brings along is never run.
        arguments = _arguments(revision)
        return AutoConfig.from_pretrained(source, **arguments), AutoTokenizer.from_pretrained(source, **arguments)
    except Exception as error:  # OSError, ValueError, KeyError, RuntimeError and the hub's own
        raise BackboneError(_why(name, source, error)) from error


def load_encoder(name: str, revision: str | None, *, labels: int, device: str, autocast: bool) -> EncoderModel:
    """The encoder with its own weights in float32, and a head with random ones.

    Raises:
        As `load_encoder_config`.
    """
    import torch
    from transformers import AutoModel

    config, tokenizer = load_encoder_config(name, revision)
    for dropout in ATTENTION_DROPOUTS:
        if hasattr(config, dropout):
            setattr(config, dropout, 0.0)
    source = _source_of(name)
    try:
        # Weights-only: a pickle inside a checkpoint may hold nothing but tensors.
        pair: Any = AutoModel.from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            weights_only=True,
            output_loading_info=True,
            **_arguments(revision),
        )
    except Exception as error:  # as above
        raise BackboneError(_why(name, source, error)) from error
    model, loaded = pair
    _refuse_random_weights(name, loaded["missing_keys"])
    encoder = model.get_encoder() if getattr(config, "is_encoder_decoder", False) else model
    head = torch.nn.Linear(config.get_text_config().hidden_size, labels)
    torch.nn.init.normal_(head.weight, std=0.02)
    torch.nn.init.zeros_(head.bias)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    return EncoderModel(encoder=encoder.to(device), head=head.to(device), pad=pad, autocast=autocast)


def context_of(config: Any, tokenizer: Any) -> int:
    """Tokens that the encoder can read."""
    stated = getattr(config.get_text_config(), "max_position_embeddings", None) or tokenizer.model_max_length
    return int(min(stated, tokenizer.model_max_length))


def _arguments(revision: str | None) -> dict[str, Any]:
    return {"revision": revision or "main", "local_files_only": offline(), "trust_remote_code": False}


def _source_of(name: str) -> str:
    if name in EMBEDDED_NAMES:
        return str(embedded_model_directory())
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise BackboneError(f"{name}: has no config.json: give a folder that holds a transformers checkpoint")
        return name
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or name.endswith("/"):
        raise UnknownNameError("encoder (no folder, no hub id)", name, EMBEDDED_NAMES)
    return name


def _refuse_random_weights(name: str, missing: Sequence[str]) -> None:
    """The library fills what a checkpoint lacks with random numbers, and only warns."""
    lacking = sorted(key for key in missing if not key.startswith(UNUSED))
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise BackboneError(
            f"{name}: its weights lack {', '.join(lacking[:3])}{more}: copy the checkpoint again, or choose another"
        )


def _why(name: str, source: str, error: Exception) -> str:
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if "Weights only load failed" in str(error):  # the library's own text goes on to recommend loading it all the same
        return (
            f"{name}: its weights are a pickle that holds more than tensors, and could run code: refused; "
            "give a checkpoint with safetensors weights"
        )
    if Path(source).is_dir():
        return f"{name}: cannot be loaded as an encoder ({reason}): check the files of the folder"
    switch = offline_switch()
    remedy = f"unset {switch}, or give a local folder" if switch else "check the id, the network and your login"
    return f"{name}: the hub did not deliver {source} ({reason}): {remedy}"
