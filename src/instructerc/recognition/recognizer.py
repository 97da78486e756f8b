"""`EmotionRecognizer`: what users hold in their hands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol, get_args

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.batching import Batching, logger, use_trees
from instructerc.backbones.exhaustion import naming_remedies
from instructerc.backbones.loading import Attention, Precision
from instructerc.backbones.settling import settle
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.backbones.unknown import unknown_notice
from instructerc.conversation import Conversation
from instructerc.demonstrations.demonstrator import Demonstrator
from instructerc.errors import UsageError
from instructerc.prompts.example import Example, Task
from instructerc.prompts.spec import PromptSpec
from instructerc.recognition.answers import read_answer
from instructerc.recognition.artefact import (
    HERE,
    Artefact,
    Mode,
    load_artefact,
    load_demonstrator,
    model_hash,
    read_artefact,
    require_own,
)
from instructerc.recognition.asking import asked_hash, with_labels
from instructerc.recognition.cached_scoring import CachedScoring
from instructerc.recognition.generation import GreedyGeneration
from instructerc.recognition.predictions import TurnPrediction, decided
from instructerc.recognition.publishing import find_model
from instructerc.recognition.scoring import PaddedScoring, Progress, probabilities
from instructerc.recognition.session import RecognitionSession, begun
from instructerc.recognition.tree_scoring import TreeScoring

Engine = Literal["transformers", "vllm"]
"""What runs a model: the library that trains it, or vLLM, faster on a GPU."""

REMEDIES = (
    "lower recognition.batch_size (in Python batch_size) together with batching padded, take a shorter window, or load "
    "the weights in fewer bits (backbone.quantization)"
)
"""What takes less memory in recognition."""

CHUNK = 512
"""Examples that are encoded and sorted by length at once: bounds memory, keeps padding low."""

CHUNK_TOKENS = 2**21
"""Tokens that they may have, each prompt counted once an answer: some 40 bytes each, less than 100 MiB."""


class Recognizer(Protocol):
    """What a run needs of a recogniser, wherever its model runs.

    Attributes:
        model_hash: Names the model in every prediction.
    """

    model_hash: str

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that it can name."""

    def recognize_all(
        self, conversations: Iterable[Conversation], *, progress: Progress | None = None
    ) -> Iterator[tuple[TurnPrediction, ...]]:
        """The predictions of each conversation, in order, as they come."""

    def answer(self, examples: Sequence[Example], *, progress: Progress | None = None) -> list[TurnPrediction]:
        """Answers examples, whoever wrote their prompts."""


class ServingEngine(Protocol):
    """What computes instead of the backbone: `VllmEngine`."""

    def score(self, examples: Sequence[EncodedExample], *, progress: Progress | None = None) -> list[list[float]]:
        """The log-likelihood of every answer of every example, in order."""

    def generate(self, examples: Sequence[EncodedExample], *, progress: Progress | None = None) -> list[str]:
        """The answer to every example, in order."""


@dataclass(slots=True, kw_only=True)
class EmotionRecognizer:
    """Names the emotion of every turn of a conversation.

    Attributes:
        backbone: The language model.
        prompt: What it is asked with.
        mode: `score` (default) or `generate`.
        batch_size: Prompts that go through the model at once.
        max_length: Longest sequence, in tokens; by default what the backbone can take.
        batching: Whether tokens that prompts share are computed once; `auto` does so where that is exact.
        model_hash: Names the model in every prediction.
        demonstrator: Finds the demonstrations of a prompt that shows some.
        tasks: What the model learned; empty for a backbone as it came, which may be asked anything.
        engine: What computes instead of the backbone, which then needs no weights; None where nothing does.
        warns: Whether it logs a warning, once, where the backbone does not know the words that it is to read.
        temperature: What log-likelihoods are divided by before they become probabilities.
        threshold: Least probability of an emotion; a turn whose likeliest label has less is `UNCERTAIN`.
        offsets: What is added to the log-probability of each label; of a label that is not in it, nothing.

    Example:
        ```python
        recognizer = EmotionRecognizer.from_pretrained("embedded")
        for turn in recognizer.recognize(conversation):
            print(turn.speaker, turn.text, turn.emotion, turn.probabilities)
        ```
    """

    backbone: Backbone
    prompt: PromptSpec
    mode: Mode = "score"
    batch_size: int = 16
    max_length: int | None = None
    batching: Batching = "auto"
    model_hash: str = ""
    demonstrator: Demonstrator | None = None
    tasks: tuple[Task, ...] = ()
    engine: ServingEngine | None = None
    warns: bool = True
    temperature: float = 1.0
    threshold: float = 0.0
    offsets: Mapping[str, float] = field(default_factory=dict)
    _encoder: PromptEncoder = field(init=False, repr=False)
    _prompt_hash: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise UsageError(f"recognition.mode is {self.mode!r}: choose one of {', '.join(get_args(Mode))}")
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"threshold is {self.threshold}: it is a probability, give 0 to 1")
        if self.threshold and self.mode == "generate":
            raise UsageError("a threshold needs probabilities, which mode 'generate' has none of: choose mode 'score'")
        if self.engine is not None:
            self.batching = "padded"  # it shares what prompts have in common by itself
        self._encoder = PromptEncoder.of(self.backbone, self.prompt, self.max_length)
        self._prompt_hash = self.prompt.hash

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        mode: Mode | None = None,
        batch_size: int = 16,
        batching: Batching = "auto",
        device: str | None = None,
        attention: Attention = "auto",
        precision: Precision | None = None,
        allow_oracle: bool = False,
        engine: Engine = "transformers",
        revision: str | None = None,
        labels: Sequence[str] | Mapping[str, str] | None = None,
        threshold: float = 0.0,
    ) -> EmotionRecognizer:
        """Loads what a training has written, or the model that ships with the package.

        Args:
            folder: `embedded`, a run folder, the folder of a trained or merged model, or the id of one on a model hub.
            mode: How to recognise; by default as the training evaluated.
            batch_size: Prompts that go through the model at once.
            batching: Whether tokens that prompts share are computed once.
            device: Where to compute; by default the first accelerator, else the CPU.
            attention: How attention is computed; a model is not tied to what it was trained with.
            precision: What is computed in (`load_backbone`); by default as in training.
            allow_oracle: Whether demonstrations may be chosen by the right answers, as an upper bound is measured.
            engine: What runs the model. `vllm` needs an untrained or a merged one, batches by its own rules, and takes
                neither `batch_size` nor `batching`, `device`, `attention` nor `precision`.
            revision: Commit, tag or branch of a model on a hub.
            labels: Other labels than the model's, in the order in which prompts state them; or what each means, by
                label. A model that was not trained on them answers as it can, and a warning says so.
            threshold: Least probability of an emotion; a turn whose likeliest label has less is `uncertain`.

        Raises:
            AssetError: There is no such folder, and the hub has no such model, or may not be asked.
            ArtefactError: The folder holds no trained model, or a damaged one, or lacks the pool of demonstrations.
            BackboneError: Its backbone cannot be loaded.
            UsageError: Demonstrations are chosen by the right answers, or sentence-transformers is missing.
        """
        place = find_model(folder, revision=revision)
        demonstrator = load_demonstrator(*read_artefact(place), allow_oracle=allow_oracle)
        if engine not in get_args(Engine):
            raise UsageError(f"recognition.engine is {engine!r}: choose one of {', '.join(get_args(Engine))}")
        serving: ServingEngine | None = None
        if engine == "vllm":
            artefact, backbone, name, serving = _load_into_vllm(place)
        else:
            artefact, backbone, name = load_artefact(place, device=device, attention=attention, precision=precision)
            settle(backbone)
        recognizer = cls(
            backbone=backbone,
            prompt=artefact.prompt,
            mode=mode or artefact.mode,
            batch_size=batch_size,
            batching=batching,
            max_length=artefact.max_length,
            model_hash=name,
            demonstrator=demonstrator,
            tasks=artefact.tasks if artefact.trained else (),
            engine=serving,
            temperature=artefact.temperature,
            offsets=artefact.offsets,
        )
        asked = recognizer.asking(labels=labels, threshold=threshold)
        if artefact.trained and asked.prompt != artefact.prompt:
            logger.warning(
                "the model was trained on %s, and is asked for %s: measure it on some of your own turns before you "
                "rely on it, or train on them (instructerc run own-data)",
                ", ".join(recognizer.labels),
                ", ".join(asked.labels),
            )
        return asked

    def asking(
        self, *, labels: Sequence[str] | Mapping[str, str] | None = None, threshold: float | None = None
    ) -> EmotionRecognizer:
        """The same model, asked for other labels or for more certainty; it takes no further memory.

        Args:
            labels: As in `from_pretrained`; None leaves them.
            threshold: As in `from_pretrained`; None leaves it.

        Raises:
            UsageError: There are fewer than two labels, one is blank or stands twice, or the threshold is no
                probability.
        """
        prompt = self.prompt if labels is None else with_labels(self.prompt, labels)
        least = self.threshold if threshold is None else threshold
        if prompt == self.prompt and least == self.threshold:
            return self
        return replace(
            self,
            prompt=prompt,
            threshold=least,
            model_hash=asked_hash(self.model_hash, prompt, least),
            # They were fitted to the labels that the model learned.
            temperature=self.temperature if prompt.labels == self.prompt.labels else 1.0,
            offsets=self.offsets if prompt.labels == self.prompt.labels else {},
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that it can name."""
        return self.prompt.labels

    def recognize(self, conversation: Conversation) -> tuple[TurnPrediction, ...]:
        """The emotion of every turn, in order.

        Raises:
            PromptTooLongError: One turn alone is longer than the backbone can read.
        """
        return next(iter(self.recognize_all([conversation])), ())

    def session(
        self,
        id: str | None = None,  # noqa: A002 — as a conversation calls it
        *,
        conversation: Conversation | None = None,
    ) -> RecognitionSession:
        """Opens a live conversation, which takes one turn at a time and reads only what is new.

        Args:
            id: Names the conversation; by default something that nothing else is called.
            conversation: What was said before. It is read with the next turn, and gets no predictions.

        Raises:
            UsageError: Prompts show turns after the target (`window.context` both), or both arguments are given.
            DataError: The id is no text.

        Example:
            ```python
            session = recognizer.session(id="call-17")
            turn = session.add("Agent", "How can I help?")
            print(turn.emotion, turn.probabilities)
            ```
        """
        return RecognitionSession(self, begun(id, conversation))

    def predict_next(self, conversation: Conversation, speaker: str) -> TurnPrediction:
        """What a speaker will feel at a turn that has not been said yet, from the history alone.

        Args:
            conversation: What was said so far.
            speaker: Who speaks next; somebody who has not spoken yet is welcome.

        Returns:
            A row for the turn after the last, without text.

        Raises:
            UsageError: The model did not learn this, its wording has no words for it, or nothing was said yet.
            PromptTooLongError: One turn alone is longer than the backbone can read.

        Example:
            ```python
            next_turn = recognizer.predict_next(conversation, "Customer")
            print(next_turn.emotion, next_turn.probabilities)
            ```
        """
        if self.tasks and "prediction" not in self.tasks:
            raise UsageError(
                f"this model learned {', '.join(self.tasks)}, and not to predict the next emotion: train it with a "
                "stage whose tasks are {recognition: 1, prediction: 0.1}"
            )
        (row,) = self.answer([self.prompt.next_example(conversation, speaker)])
        return replace(row, speaker=speaker)

    def recognize_all(
        self, conversations: Iterable[Conversation], *, progress: Progress | None = None
    ) -> Iterator[tuple[TurnPrediction, ...]]:
        """The predictions of each conversation, in order, as they come; `CHUNK` and `CHUNK_TOKENS` bound memory.

        Args:
            conversations: Any number of them, lazily read.
            progress: Told how many more turns are done.
        """
        waiting: list[Conversation] = []
        for conversation in conversations:
            waiting.append(conversation)
            if sum(map(len, waiting)) >= CHUNK:
                yield from self._recognize_chunk(waiting, progress)
                waiting = []
        yield from self._recognize_chunk(waiting, progress)

    def _recognize_chunk(
        self, conversations: Sequence[Conversation], progress: Progress | None
    ) -> Iterator[tuple[TurnPrediction, ...]]:
        self.look_for_unknown([utterance.text for chat in conversations for utterance in chat.utterances])
        rows = self._answer_slices(self._examples(conversations), progress)
        for conversation in conversations:
            yield tuple(
                replace(next(rows), speaker=utterance.speaker, text=utterance.text)
                for utterance in conversation.utterances
            )

    def look_for_unknown(self, texts: Sequence[str]) -> None:
        """Warns, once, where more than 5 % of the tokens of some texts are unknown to the backbone."""
        if self.warns and (notice := unknown_notice(self.backbone, texts)) is not None:
            self.warns = False
            logger.warning("%s", notice)

    def _examples(self, conversations: Sequence[Conversation]) -> Iterator[Example]:
        if self.demonstrator is None:
            for conversation in conversations:
                yield from self.prompt.examples(conversation)
            return
        chosen = self.demonstrator.for_conversations(conversations, training=False)
        for conversation, shown in zip(conversations, chosen, strict=True):
            yield from self.prompt.examples(conversation, demonstrations=shown)

    def _answer_slices(self, examples: Iterator[Example], progress: Progress | None) -> Iterator[TurnPrediction]:
        """Answers in slices, since the prompts of one long conversation alone can fill the memory."""
        for part in self._slices(examples):
            asked, encoded = zip(*part, strict=True)
            yield from self.answer_encoded(asked, encoded, progress=progress)

    def _slices(self, examples: Iterator[Example]) -> Iterator[list[tuple[Example, EncodedExample]]]:
        """At most `CHUNK` examples, and at most `CHUNK_TOKENS` tokens where one example alone has no more."""
        part: list[tuple[Example, EncodedExample]] = []
        tokens = 0
        for example in examples:
            encoded = self._encoder.encode(example)
            size = sum(len(encoded.prompt) + len(answer) for answer in encoded.answers)
            if part and (len(part) >= CHUNK or tokens + size > CHUNK_TOKENS):
                yield part
                part, tokens = [], 0
            part.append((example, encoded))
            tokens += size
        if part:
            yield part

    def answer(self, examples: Sequence[Example], *, progress: Progress | None = None) -> list[TurnPrediction]:
        """Answers examples, whoever wrote their prompts; speaker and text stay empty.

        Raises:
            PromptTooLongError: A prompt is too long even without its history.
        """
        return self.answer_encoded(examples, self.encode(examples), progress=progress)

    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """Examples as token ids; the oldest turns go first where a prompt is too long.

        Raises:
            PromptTooLongError: A prompt is too long even without its history.
        """
        return self._encoder.encode_all(examples)

    def answer_encoded(
        self,
        examples: Sequence[Example],
        encoded: Sequence[EncodedExample],
        *,
        scoring: CachedScoring | None = None,
        progress: Progress | None = None,
    ) -> list[TurnPrediction]:
        """As `answer`, for examples that are encoded already; `scoring` takes the place of what `batching` says."""
        if self.mode == "generate":
            return self._generated(examples, encoded, progress)
        scores = self._scores(encoded, scoring, progress)
        return [self._scored(example, ids, row) for example, ids, row in zip(examples, encoded, scores, strict=True)]

    def scores(self, examples: Sequence[Example], *, progress: Progress | None = None) -> list[list[float]]:
        """The log-likelihood of every label, for each example, as the model has it: what a temperature is fitted on.

        Raises:
            PromptTooLongError: A prompt is too long even without its history.
        """
        parts = (zip(*part, strict=True) for part in self._slices(iter(examples)))
        return [row for _, encoded in parts for row in self._scores(encoded, None, progress)]

    def _scores(
        self, encoded: Sequence[EncodedExample], scoring: CachedScoring | None, progress: Progress | None
    ) -> list[list[float]]:
        if self.engine is not None:
            return self.engine.score(encoded, progress=progress)
        with naming_remedies("recognising", REMEDIES):
            return (scoring or self._scoring()).score(self.backbone, encoded, progress=progress)

    def _scoring(self) -> TreeScoring | PaddedScoring:
        trees = use_trees(self.backbone, self.batching)
        return TreeScoring() if trees else PaddedScoring(batch_size=self.batch_size)

    def _scored(self, example: Example, encoded: EncodedExample, row: Sequence[float]) -> TurnPrediction:
        fitted = self.offsets if example.task == "recognition" else {}  # a speaker may be called as an emotion is
        offsets = [fitted.get(label, 0.0) for label in example.candidates] if fitted else []
        found = probabilities(row, temperature=self.temperature, offsets=offsets)
        shares = dict(zip(example.candidates, found, strict=True))
        return self._prediction(example, encoded, decided(shares, self.threshold), shares=shares)

    def _generated(
        self, examples: Sequence[Example], encoded: Sequence[EncodedExample], progress: Progress | None
    ) -> list[TurnPrediction]:
        if self.engine is not None:
            answers = self.engine.generate(encoded, progress=progress)
        else:
            generation = GreedyGeneration(batch_size=self.batch_size)
            with naming_remedies("recognising", REMEDIES):
                answers = generation.generate(self.backbone, encoded, progress=progress)
        rows = []
        for example, ids, answer in zip(examples, encoded, answers, strict=True):
            verdict = read_answer(answer, example.candidates)
            rows.append(self._prediction(example, ids, verdict.label, answer=answer, out_of_label=verdict.out_of_label))
        return rows

    def _prediction(
        self,
        example: Example,
        encoded: EncodedExample,
        emotion: str,
        *,
        shares: dict[str, float] | None = None,
        answer: str | None = None,
        out_of_label: bool = False,
    ) -> TurnPrediction:
        return TurnPrediction(
            conversation=example.conversation,
            turn=example.turn,
            emotion=emotion,
            gold=example.target,
            probabilities=shares,
            answer=answer,
            out_of_label=out_of_label,
            dropped_turns=encoded.dropped_turns,
            model=self.model_hash,
            prompt=self._prompt_hash,
        )


def _load_into_vllm(folder: Path) -> tuple[Artefact, Backbone, str, ServingEngine]:
    """An untrained or merged model in vLLM: artefact, backbone without weights, hash, engine.

    Raises:
        UsageError: The model has an adapter, or vLLM is not installed.
    """
    from instructerc.recognition.vllm_engine import load_vllm

    artefact, place = read_artefact(folder)
    require_own(artefact, folder)
    if artefact.adapter is not None:
        raise UsageError(
            f"{folder}: this model is an adapter beside its backbone, and vLLM reads whole models: merge the two "
            "first (instructerc merge), and give the folder of the merged model"
        )
    backbone, engine = load_vllm(
        str(place) if artefact.backbone == HERE else artefact.backbone,
        revision=artefact.revision,
        dtype=artefact.training_dtype,
        quantization=artefact.quantization,
        style=artefact.style,
        max_length=artefact.max_length,
    )
    return artefact, backbone, model_hash(artefact, place), engine
