"""`EndpointRecognizer`: conversations in, emotions out, by a model that somebody else runs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from instructerc.conversation import Conversation
from instructerc.demonstrations.demonstrator import Demonstrator
from instructerc.errors import UsageError
from instructerc.prompts.example import Example
from instructerc.prompts.spec import PromptSpec
from instructerc.recognition.answers import Verdict, read_answer
from instructerc.recognition.artefact import load_demonstrator, model_hash, read_artefact
from instructerc.recognition.endpoint.client import ChatClient, TooLongError
from instructerc.recognition.endpoint.journal import Answered, AnswerJournal, Tally
from instructerc.recognition.endpoint.settings import EndpointSettings
from instructerc.recognition.endpoint.usage import Usage
from instructerc.recognition.predictions import TurnPrediction
from instructerc.recognition.scoring import Progress

CHUNK = 512
"""Turns whose demonstrations are looked for at once."""

AHEAD = 4
"""Questions that are rendered and handed out per one that is under way: one slow answer does not hold up the others."""

_END_OF_THOUGHT = "</think>"


@dataclass(slots=True, kw_only=True)
class EndpointRecognizer:
    """Names the emotion of every turn of a conversation by asking a server.

    The prompt is the one that a local model gets, as one message of the user. An answer that names no label is nearest
    to one and marked out of label, as in generation. A prompt that the server calls too long loses its oldest turns.

    Attributes:
        settings: Which server and model.
        prompt: What they are asked with.
        demonstrator: Finds the demonstrations of a prompt that shows some.
        model_hash: Names the model in every prediction; by default a hash of settings and prompt.
        journal: File that keeps every answer; a question that stands in it is not asked again. None keeps none.

    Raises:
        UsageError: The environment variable of the key is not set, or the library openai is missing.
        OfflineError: An offline switch is on, and the server is not on this machine.

    Example:
        ```python
        settings = EndpointSettings(model="gpt-4o-mini")
        spec = PromptSpec(labels=("joy", "anger", "neutral"), wording="released")
        with EndpointRecognizer(settings=settings, prompt=spec) as recognizer:
            for turn in recognizer.recognize(conversation):
                print(turn.speaker, turn.text, turn.emotion, turn.answer)
            print(recognizer.usage.to_text())
        ```
    """

    settings: EndpointSettings
    prompt: PromptSpec
    demonstrator: Demonstrator | None = None
    model_hash: str = ""
    journal: Path | None = None
    _client: ChatClient = field(init=False, repr=False)
    _answers: AnswerJournal = field(init=False, repr=False)
    _prompt_hash: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.prompt.demonstrations is not None and self.demonstrator is None:
            raise UsageError("the prompt shows demonstrations, and nothing finds them: give a demonstrator")
        self._prompt_hash = self.prompt.hash
        if not self.model_hash:
            text = json.dumps([self.settings.to_json(), self._prompt_hash], sort_keys=True)
            self.model_hash = hashlib.sha256(text.encode()).hexdigest()[:12]
        self._client = ChatClient(self.settings)
        self._answers = AnswerJournal(self.journal)

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        settings: EndpointSettings | None = None,
        journal: Path | None = None,
        allow_oracle: bool = False,
    ) -> EndpointRecognizer:
        """What a run with `recognition.engine: endpoint` has measured: the same model, prompt and demonstrations.

        Args:
            folder: The run folder.
            settings: How to ask, instead of as the run did: other concurrency, for one.
            journal: File that keeps every answer.
            allow_oracle: Whether demonstrations may be chosen by the right answers, as an upper bound is measured.

        Raises:
            ArtefactError: The folder holds no run of ours, or a damaged one.
            UsageError: The run used no endpoint, or the key is missing.
        """
        artefact, place = read_artefact(Path(folder))
        if artefact.endpoint is None:
            raise UsageError(f"{folder}: holds a model of its own, no endpoint: use EmotionRecognizer.from_pretrained")
        return cls(
            settings=settings or artefact.endpoint,
            prompt=artefact.prompt,
            demonstrator=load_demonstrator(artefact, place, allow_oracle=allow_oracle),
            model_hash=model_hash(artefact, place),
            journal=journal,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that it can name."""
        return self.prompt.labels

    @property
    def tally(self) -> Tally:
        """What all answers came to, with those that stood in the journal."""
        return self._answers.tally

    @property
    def usage(self) -> Usage:
        """What they have cost."""
        return self.tally.usage

    @property
    def price(self) -> float | None:
        """What they have cost in money; None where no price is known."""
        return self.usage.price(self.settings.price_input, self.settings.price_output)

    def close(self) -> None:
        """Closes connections and the journal."""
        self._client.close()
        self._answers.close()

    def __enter__(self) -> EndpointRecognizer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def recognize(self, conversation: Conversation) -> tuple[TurnPrediction, ...]:
        """The emotion of every turn, in order.

        Raises:
            EndpointError: The server cannot be reached or refuses.
        """
        return next(iter(self.recognize_all([conversation])), ())

    def predict_next(self, conversation: Conversation, speaker: str) -> TurnPrediction:
        """What a speaker will feel at a turn that has not been said yet, from the history alone.

        Args:
            conversation: What was said so far.
            speaker: Who speaks next; somebody who has not spoken yet is welcome.

        Raises:
            UsageError: The wording has no words for it, or nothing was said yet.
            EndpointError: The server cannot be reached or refuses.
        """
        (row,) = self.answer([self.prompt.next_example(conversation, speaker)])
        return replace(row, speaker=speaker)

    def recognize_all(
        self, conversations: Iterable[Conversation], *, progress: Progress | None = None
    ) -> Iterator[tuple[TurnPrediction, ...]]:
        """The predictions of each conversation, in order, as they come; several questions are under way at once.

        Args:
            conversations: Any number of them, lazily read.
            progress: Told how many more turns are done.

        Raises:
            EndpointError: The server cannot be reached or refuses; answers that came before are in the journal.
        """
        asked: deque[Conversation] = deque()
        rows: list[TurnPrediction] = []
        for row in self._answered(self._examples(conversations, asked), progress):
            while not len(asked[0]):
                asked.popleft()
                yield ()
            utterance = asked[0].utterances[row.turn]
            rows.append(replace(row, speaker=utterance.speaker, text=utterance.text))
            if len(rows) == len(asked[0]):
                asked.popleft()
                yield tuple(rows)
                rows = []
        yield from (() for _ in asked)

    def answer(self, examples: Sequence[Example], *, progress: Progress | None = None) -> list[TurnPrediction]:
        """Answers examples, whoever wrote their prompts; speaker and text stay empty.

        Raises:
            EndpointError: The server cannot be reached or refuses.
        """
        return list(self._answered(examples, progress))

    def _examples(self, conversations: Iterable[Conversation], asked: deque[Conversation]) -> Iterator[Example]:
        """Every example of every conversation, which is put down in `asked` before its first one comes."""
        chunk: list[Conversation] = []
        for conversation in conversations:
            chunk.append(conversation)
            # Without demonstrations there is nothing to gain from waiting for more.
            if self.demonstrator is None or sum(map(len, chunk)) >= CHUNK:
                yield from self._chunk_examples(chunk, asked)
                chunk = []
        yield from self._chunk_examples(chunk, asked)

    def _chunk_examples(self, chunk: Sequence[Conversation], asked: deque[Conversation]) -> Iterator[Example]:
        finder = self.demonstrator
        shown = [None] * len(chunk) if finder is None else finder.for_conversations(chunk, training=False)
        for conversation, demonstrations in zip(chunk, shown, strict=True):
            asked.append(conversation)
            yield from self.prompt.examples(conversation, demonstrations=demonstrations)

    def _answered(self, examples: Iterable[Example], progress: Progress | None) -> Iterator[TurnPrediction]:
        """A row an example, in order; questions are handed out a few ahead of the answer that is waited for."""
        broken = threading.Event()
        waiting: deque[tuple[Example, Future[Answered]]] = deque()
        count = max(1, self.settings.concurrency)
        with ThreadPoolExecutor(max_workers=count, thread_name_prefix="endpoint") as pool:
            try:
                for example in examples:
                    waiting.append((example, pool.submit(self._answer_once, example, broken)))
                    if len(waiting) >= AHEAD * count:
                        yield self._next_row(waiting, progress)
                while waiting:
                    yield self._next_row(waiting, progress)
            finally:  # whoever looks on may stop in the middle: nothing more is asked then
                broken.set()
                for _, future in waiting:
                    future.cancel()

    def _next_row(self, waiting: deque[tuple[Example, Future[Answered]]], progress: Progress | None) -> TurnPrediction:
        example, future = waiting[0]
        answered = future.result()
        waiting.popleft()
        if progress:
            progress(1)
        return self._row(example, answered)

    def _answer_once(self, example: Example, broken: threading.Event) -> Answered:
        """The answer of the journal, or the server's; after an error elsewhere nothing is asked any more."""
        question = self._question(example)
        known = self._answers.get(question)
        if known is not None:
            return known
        if broken.is_set():
            raise RuntimeError("stopped")  # nobody waits for it: an earlier question has failed
        try:
            answered = self._ask(example)
        except BaseException:
            broken.set()
            raise
        self._answers.add(question, answered)
        return answered

    def _question(self, example: Example) -> str:
        """A hash of all that an answer depends on; turns that read alike are questions of their own."""
        parts = [self.settings.to_json(), example.conversation, example.turn, example.task, example.candidates]
        text = json.dumps([*parts, example.prompt], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _ask(self, example: Example) -> Answered:
        """Asks; where the prompt is too long, again without 1, 2, 4, 8 … of its oldest turns, then demonstrations."""
        dropped, shown = 0, len(example.demonstrations)
        refused = Usage()
        while True:
            try:
                reply = self._client.ask(example.without_oldest(dropped).prompt, example.candidates)
            except TooLongError as error:
                refused += Usage(requests=error.requests)
                if dropped < example.droppable:
                    dropped = min(max(2 * dropped, 1), example.droppable)
                elif (shorter := example.without_last_demonstration()) is not None:
                    example = shorter
                else:
                    lost = shown - len(example.demonstrations)
                    return Answered(
                        text="",
                        reason="prompt too long",
                        dropped_turns=dropped,
                        dropped_demonstrations=lost,
                        usage=refused,
                    )
                continue
            return Answered(
                text=reply.text,
                reason=reply.reason,
                structured=reply.structured,
                dropped_turns=dropped,
                dropped_demonstrations=shown - len(example.demonstrations),
                usage=refused + reply.usage,
            )

    def _row(self, example: Example, answered: Answered) -> TurnPrediction:
        verdict = verdict_of(answered, example.candidates)
        return TurnPrediction(
            conversation=example.conversation,
            turn=example.turn,
            emotion=verdict.label,
            gold=example.target,
            answer=f"({answered.reason}) {answered.text}".strip() if answered.reason else answered.text,
            out_of_label=verdict.out_of_label,
            dropped_turns=answered.dropped_turns,
            model=self.model_hash,
            prompt=self._prompt_hash,
        )


def verdict_of(answered: Answered, labels: Sequence[str]) -> Verdict:
    """What the answer rule makes of a server's answer; one that was refused names no label, whatever it says.

    A structured answer's label is taken out of its object. Of an answer that begins with the model's thoughts, what
    stands behind them counts.

    Example:
        >>> verdict_of(Answered(text='{"emotion": "sad"}'), ["happy", "sad"])
        Verdict(label='sad', out_of_label=False)
        >>> verdict_of(Answered(text="<think>happy?</think> sad"), ["happy", "sad"])
        Verdict(label='sad', out_of_label=False)
        >>> verdict_of(Answered(text="I cannot be sad", reason="refusal"), ["happy", "sad"]).out_of_label
        True
    """
    if answered.reason:
        return replace(read_answer(answered.text, labels), out_of_label=True)
    text = answered.text.rpartition(_END_OF_THOUGHT)[2].strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    named = found.get("emotion") if isinstance(found, dict) else None
    return read_answer(named if isinstance(named, str) else text, labels)
