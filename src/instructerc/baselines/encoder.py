"""A sequence-classification head on any encoder, all of it fine-tuned (Devlin et al. 2019, section 4)."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from instructerc.backbones.loading import best_device, computes_bfloat16, quiet_transformers
from instructerc.baselines.baseline import SILENT, FittedBaseline, Watcher, by_conversation, labelled_turns
from instructerc.baselines.encoder_model import (
    EncoderModel,
    TurnEncoding,
    TurnTokens,
    batches_of_like_length,
    context_of,
    load_encoder,
    load_encoder_config,
)
from instructerc.baselines.majority import Majority
from instructerc.conversation import Conversation
from instructerc.demonstrations.encoder import DEFAULT_ENCODER
from instructerc.errors import NonFiniteLossError, UsageError
from instructerc.evaluation import evaluate

REPORTED_EVERY = 10
"""Steps between two losses that a watcher is told."""

WARMUP = 0.1
"""Share of the steps in which the learning rate rises; then it falls to 0 in a straight line."""

WEIGHT_DECAY = 0.01

GRADIENT_CLIP = 1.0

BATCHES_AT_ONCE = 4
"""Recognition needs no gradients: it reads as many batches at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedEncoder:
    """A fine-tuned encoder.

    Attributes:
        model: The encoder and its head.
        encoding: Makes token ids of turns.
        labels: What the head's outputs stand for.
        batch_size: Turns that are read at once.
        best_epoch: The epoch whose weights these are, from 1.
        validation: Weighted F1 on the validation turns after each epoch, fractions; empty where there are none.
    """

    model: EncoderModel = field(repr=False)
    encoding: TurnEncoding = field(repr=False)
    labels: tuple[str, ...]
    batch_size: int
    best_epoch: int
    validation: tuple[float, ...]

    def predict(self, conversations: Sequence[Conversation]) -> tuple[tuple[str, ...], ...]:
        """One label for every turn of every conversation."""
        turns = [turn for conversation in conversations for turn in self.encoding.turns(conversation)]
        answers = self.model.classify(turns, self.batch_size)
        return by_conversation([self.labels[answer] for answer in answers], conversations)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderClassifier:
    """Fine-tunes an encoder with a linear head; the epoch with the best weighted F1 on validation is kept.

    The input is that of `encoder_model`: turns before the target, oldest first, then the target, with separators.
    AdamW, warm-up over the first tenth of the steps, then a linear decay; all weights are trained, in float32.

    Args:
        name: `all-MiniLM-L6-v2`, whose verified weights come from the package, a local folder, or a hub id.
        revision: Commit, tag or branch of a hub repository.
        history: Turns before the target that are shown, 0 or more.
        epochs: Passes over the training turns.
        learning_rate: The highest; 2e-5 to 5e-5 for encoders of the size of BERT (Devlin et al. 2019, appendix A.3).
        batch_size: Turns a step.
        longest: Tokens of the longest input, at most what the encoder can read.
        seed: Of the head's first weights, the order and the dropout.
        device: "cpu", "cuda" …; None is the first accelerator, else the CPU.
    """

    name: str = DEFAULT_ENCODER
    revision: str | None = None
    history: int = 3
    epochs: int = 3
    learning_rate: float = 5e-5
    batch_size: int = 16
    longest: int = 256
    seed: int = 0
    device: str | None = None

    def __post_init__(self) -> None:
        least = {"history": 0, "epochs": 1, "batch_size": 1, "longest": 1, "seed": 0}
        wrong = [
            f"{key} is {getattr(self, key)}: give {low} or more"
            for key, low in least.items()
            if getattr(self, key) < low
        ]
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            wrong.append(f"learning_rate is {self.learning_rate}: give a number above 0")
        if wrong:
            raise UsageError(f"encoder baseline: {'; '.join(wrong)}")

    def require(self) -> None:
        """Whether configuration and tokenizer can be had.

        Raises:
            UnknownNameError: The name is no folder and no hub id.
            AssetError: Weights of the package could not be had.
            BackboneError: There is no model that can be loaded.
        """
        quiet_transformers()
        self._encoding(*load_encoder_config(self.name, self.revision))

    def fit(
        self,
        conversations: Sequence[Conversation],
        validation: Sequence[Conversation] = (),
        *,
        watcher: Watcher = SILENT,
    ) -> FittedBaseline:
        """Learns from every labelled turn. One label only leaves nothing to learn: it is then the answer.

        The random state of the caller is left as it was.

        Raises:
            DataError: No turn carries a label.
            UnknownNameError: The name is no folder and no hub id.
            AssetError: Weights of the package could not be had.
            BackboneError: There is no model that can be loaded.
            NonFiniteLossError: The loss became NaN or infinite.
        """
        import torch

        _, golds = labelled_turns(conversations)
        labels = tuple(sorted(set(golds)))
        if len(labels) == 1:
            return Majority().fit(conversations)
        quiet_transformers()
        device = self.device or best_device()
        encoding = self._encoding(*load_encoder_config(self.name, self.revision))
        with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
            torch.manual_seed(self.seed)
            model = load_encoder(
                self.name, self.revision, labels=len(labels), device=device, autocast=computes_bfloat16(device)
            )
            course = _Course(model, self, _examples(encoding, conversations), watcher)
            figures = course.run(labels, _examples(encoding, validation))
        return FittedEncoder(
            model=model,
            encoding=encoding,
            labels=labels,
            batch_size=self.batch_size * BATCHES_AT_ONCE,
            best_epoch=course.best_epoch,
            validation=tuple(figures),
        )

    def _encoding(self, config: Any, tokenizer: Any) -> TurnEncoding:
        longest = min(self.longest, context_of(config, tokenizer))
        return TurnEncoding.of(tokenizer, history=self.history, longest=longest, name=self.name)


Labelled = tuple[TurnTokens, str]
"""A turn and its gold label."""


def _examples(encoding: TurnEncoding, conversations: Sequence[Conversation]) -> list[Labelled]:
    """Every labelled turn with its history."""
    found = []
    for conversation in conversations:
        turns = zip(encoding.turns(conversation), conversation.utterances, strict=True)
        found += [(turn, said.emotion) for turn, said in turns if said.emotion is not None]
    return found


class _Course:
    """The epochs of a fine-tuning; ends with the best one's weights in the model."""

    def __init__(
        self, model: EncoderModel, settings: EncoderClassifier, examples: Sequence[Labelled], watcher: Watcher
    ) -> None:
        import torch
        from transformers import get_linear_schedule_with_warmup

        self.model, self.settings, self.examples, self.watcher = model, settings, examples, watcher
        self.best_epoch, self.done = settings.epochs, 0
        self.steps = settings.epochs * math.ceil(len(examples) / settings.batch_size)
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=WEIGHT_DECAY)
        warm = math.ceil(WARMUP * self.steps)
        self.schedule = get_linear_schedule_with_warmup(self.optimiser, warm, self.steps)

    def run(self, labels: Sequence[str], held_out: Sequence[Labelled]) -> list[float]:
        """Trains; the weighted F1 on the held-out turns after each epoch."""
        self.watcher.started(steps=self.steps, done=0)
        order, figures, best = random.Random(self.settings.seed), [], None  # noqa: S311 — an order of batches
        for epoch in range(1, self.settings.epochs + 1):
            self._epoch({label: number for number, label in enumerate(labels)}, order)
            if not held_out:
                continue
            figures.append(self._weighted_f1(labels, held_out))
            leads = figures[-1] > max(figures[:-1], default=-1.0)
            self.watcher.validated(epoch, {"weighted_f1": figures[-1]}, best=leads)
            if leads:
                self.best_epoch, best = epoch, self.model.state()
        if best is not None and self.best_epoch < self.settings.epochs:
            self.model.restore(best)
        return figures

    def _epoch(self, numbers: dict[str, int], order: random.Random) -> None:
        import torch

        self.model.train(True)
        lengths = [len(turn) for turn, _ in self.examples]
        for positions in batches_of_like_length(lengths, self.settings.batch_size, order):
            batch = [self.examples[position] for position in positions]
            golds = torch.tensor([numbers[gold] for _, gold in batch], device=self.model.device)
            loss = torch.nn.functional.cross_entropy(self.model.logits([turn for turn, _ in batch]), golds)
            self._step(loss)

    def _step(self, loss: Any) -> None:
        import torch

        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_CLIP)
        self.optimiser.step()
        self.schedule.step()
        self.done += 1
        reported = self.done % REPORTED_EVERY == 0 or self.done == self.steps
        value = loss.item() if reported else None
        if value is not None and not math.isfinite(value):
            raise NonFiniteLossError(
                f"encoder baseline: the loss became {value} at step {self.done} of {self.steps}: lower the learning "
                f"rate ({self.settings.learning_rate:g})"
            )
        self.watcher.step(self.done, value)

    def _weighted_f1(self, labels: Sequence[str], held_out: Sequence[Labelled]) -> float:
        answers = self.model.classify([turn for turn, _ in held_out], self.settings.batch_size * BATCHES_AT_ONCE)
        golds = [gold for _, gold in held_out]
        return evaluate(
            golds=golds,
            predictions=[labels[answer] for answer in answers],
            labels=tuple(dict.fromkeys((*labels, *golds))),
        ).weighted_f1
