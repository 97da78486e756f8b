"""From examples to token ids: prompts, answers, and what goes when a prompt is too long (method §7)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from instructerc.errors import PromptTooLongError
from instructerc.prompts.example import Example


@dataclass(frozen=True, slots=True)
class EncodedExample:
    """An example as token ids.

    ```
    prompt   [CLS] emotions : joy , anger . a : done ! b : great . b feels :
    answers                                                                    joy [SEP]
                                                                               anger [SEP]
    ```

    Attributes:
        prompt: Ids of the prompt, the tokenizer's own opening tokens included.
        answers: Ids of every candidate answer, each with the end token.
        target: Which of the answers is right; None where it is not known.
        weight: What its loss counts.
        dropped_turns: Turns that were left out because the prompt was too long.
        cut_tokens: Tokens that an opaque prompt lost at its front for the same reason.
    """

    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]
    target: int | None
    weight: float
    dropped_turns: int = 0
    cut_tokens: int = 0


@dataclass(slots=True)
class PromptEncoder:
    """Encodes examples for one tokenizer.

    The prompt is tokenised as one text with the tokenizer's opening tokens; a label is tokenised alone, without
    them, and the end token follows (method §7: a SentencePiece label so gets its own word start, and no stray
    space between prompt and label has to be guessed). Text never becomes a control token.

    Attributes:
        tokenizer: The backbone's tokenizer, prepared by `loading.prepare_tokenizer`.
        limit: Longest sequence of prompt and answer, in tokens.
    """

    tokenizer: Any
    limit: int
    _length: Callable[[str], int] = field(init=False, repr=False)
    _answers: Callable[[tuple[str, ...]], tuple[tuple[int, ...], ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._length = functools.lru_cache(maxsize=65536)(lambda text: len(self._plain(text)))
        self._answers = functools.lru_cache(maxsize=1024)(self._encode_answers)

    def encode(self, example: Example) -> EncodedExample:
        """The example as token ids; the oldest turns go first where it is too long.

        Raises:
            PromptTooLongError: Instruction, target turn and label statement alone are too long.
        """
        answers = self._answers(example.candidates)
        target = None if example.target is None else example.candidates.index(example.target)
        room = self.limit - max(map(len, answers), default=1)
        prompt, dropped = self._fit(example, room)
        excess = len(prompt) - room
        if excess > 0:
            prompt = self._cut_front(example, prompt, room)
        return EncodedExample(tuple(prompt), answers, target, example.weight, dropped, max(excess, 0))

    def encode_all(self, examples: Iterable[Example]) -> list[EncodedExample]:
        """Every example as token ids, in order."""
        return [self.encode(example) for example in examples]

    def _fit(self, example: Example, room: int) -> tuple[list[int], int]:
        """The prompt without as many of its oldest turns as have to go, which may not be enough."""
        droppable = len(example.droppable)
        dropped = self._estimate(example, room) if droppable else 0
        while True:
            prompt = self.encode_prompt(example.without_oldest(dropped).prompt)
            if len(prompt) <= room or dropped == droppable:
                return prompt, dropped
            dropped += 1

    def _estimate(self, example: Example, room: int) -> int:
        """Turns that certainly have to go, so that a long history is not tokenised once for every dropped turn."""
        lengths = [self._length(segment.text) for segment in example.segments]
        excess = sum(lengths) - room - len(lengths)  # tokens may merge across a border: stay on the careful side
        for dropped, position in enumerate(example.droppable):
            if excess <= 0:
                return dropped
            excess -= lengths[position]
        return len(example.droppable)

    def _cut_front(self, example: Example, prompt: list[int], room: int) -> list[int]:
        """An opaque prompt keeps its end, where the question stands; any other one must not be cut."""
        opening = self.encode_prompt("")
        if example.segments[0].kind == "opaque" and room > len(opening):
            return opening + prompt[len(prompt) - room + len(opening) :]
        raise PromptTooLongError(
            f"conversation {example.conversation!r}, turn {example.turn}: instruction, target turn and label statement "
            f"are {len(prompt)} tokens, {room} fit: split the turn, or choose a backbone with a longer context"
        )

    def encode_prompt(self, text: str) -> list[int]:
        """Ids of a prompt with the tokenizer's opening tokens, without an end token."""
        ids: list[int] = self.tokenizer(_encodable(text), add_special_tokens=True, verbose=False)["input_ids"]
        # BERT's tokenizer closes a text with its end token; the answer has to come before that.
        return ids[:-1] if ids and ids[-1] == self.tokenizer.eos_token_id else ids

    def _encode_answers(self, candidates: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        end = self.tokenizer.eos_token_id
        return tuple((*self._plain(candidate), end) for candidate in candidates)

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(_encodable(text), add_special_tokens=False, verbose=False)["input_ids"]
        return ids


def _encodable(text: str) -> str:
    """Half a surrogate pair is no text that a tokenizer can take; it becomes the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
