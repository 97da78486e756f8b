"""From examples to token ids: prompts, answers, and what goes when a prompt is too long (method §7)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from instructerc.backbones.plain_text import TextEncoder
from instructerc.errors import PromptError, PromptTooLongError
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
        target: Which of the answers is right; None where it is not known, or none of them.
        weight: What its loss counts.
        dropped_turns: Turns that were left out because the prompt was too long.
        cut_tokens: Tokens that an opaque prompt lost at its front for the same reason.
        conversation: Id of the conversation: its examples are likely to share their beginning.
    """

    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]
    target: int | None
    weight: float
    dropped_turns: int = 0
    cut_tokens: int = 0
    conversation: str = ""


def longest_sequence(context: int, max_length: int | None) -> int:
    """Tokens that prompt and answer may have: what was asked for, at most what the backbone can take.

    Example:
        >>> longest_sequence(512, None), longest_sequence(512, 1024)
        (512, 512)
    """
    return min(max_length or context, context)


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
    _text: TextEncoder = field(init=False, repr=False)
    _ids: dict[int, int] = field(init=False, repr=False, default_factory=dict)
    _length: Callable[[str], int] = field(init=False, repr=False)
    _answers: Callable[[tuple[str, ...]], tuple[tuple[int, ...], ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._text = TextEncoder(self.tokenizer)
        self._length = functools.lru_cache(maxsize=65536)(lambda text: len(self._text.encode(text)))
        self._answers = functools.lru_cache(maxsize=1024)(self._encode_answers)

    def encode(self, example: Example) -> EncodedExample:
        """The example as token ids; the oldest turns go first where it is too long.

        Raises:
            PromptTooLongError: Instruction, target turn and label statement alone are too long.
            PromptError: Two candidates are the same tokens.
        """
        answers = self._answers(example.candidates)
        # A gold label of another label set is nothing to learn from, and no reason not to answer.
        known = example.target is not None and example.target in example.candidates
        target = example.candidates.index(str(example.target)) if known else None
        room = self.limit - max(map(len, answers), default=1)
        prompt, dropped = self._fit(example, room)
        excess = len(prompt) - room
        if excess > 0:
            prompt = self._cut_front(example, prompt, room)
        kept = map(self._ids.setdefault, prompt, prompt)  # one object an id, not one a token: a fifth of the memory
        return EncodedExample(
            tuple(kept), answers, target, example.weight, dropped, max(excess, 0), example.conversation
        )

    def encode_all(self, examples: Iterable[Example]) -> list[EncodedExample]:
        """Every example as token ids, in order."""
        return [self.encode(example) for example in examples]

    def _fit(self, example: Example, room: int) -> tuple[list[int], int]:
        """The prompt without as few of its oldest turns as have to go; without all of them where that is not enough."""
        droppable = len(example.droppable)
        dropped = self._estimate(example, room)
        prompt = self._without(example, dropped)
        while len(prompt) > room and dropped < droppable:
            dropped += 1
            prompt = self._without(example, dropped)
        while dropped and len(longer := self._without(example, dropped - 1)) <= room:
            dropped, prompt = dropped - 1, longer
        return prompt, dropped

    def _estimate(self, example: Example, room: int) -> int:
        """About how many turns have to go, so that a long history is not tokenised once for every dropped turn.

        Not exact: tokens may merge across the border of two segments.
        """
        droppable = example.droppable
        lengths = [self._length(segment.text) for segment in example.segments] if droppable else []
        excess = sum(lengths) + len(self._text.opening) + len(self._text.closing) - room
        for dropped, position in enumerate(droppable):
            if excess <= 0:
                return dropped
            excess -= lengths[position]
        return len(droppable)

    def _without(self, example: Example, dropped: int) -> list[int]:
        return self.encode_prompt(example.without_oldest(dropped).prompt)

    def _cut_front(self, example: Example, prompt: list[int], room: int) -> list[int]:
        """An opaque prompt keeps its end, where the question stands; any other one must not be cut."""
        opening = self._text.opening
        if example.segments[0].kind == "opaque" and room > len(opening):
            return opening + prompt[len(prompt) - room + len(opening) :]
        raise PromptTooLongError(
            f"conversation {example.conversation!r}, turn {example.turn}: instruction, target turn and label statement "
            f"are {len(prompt)} tokens, {max(room, 0)} fit: split the turn, or choose a backbone with a longer context"
        )

    def encode_prompt(self, text: str) -> list[int]:
        """Ids of a prompt with the tokenizer's opening tokens, without an end token."""
        return [*self._text.opening, *self._text.encode(text), *self._text.closing]

    def _encode_answers(self, candidates: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        end = self.tokenizer.eos_token_id
        answers = tuple((*self._text.encode(candidate), end) for candidate in candidates)
        alike = [name for name, ids in zip(candidates, answers, strict=True) if answers.count(ids) > 1]
        if alike:
            raise PromptError(
                f"labels {', '.join(map(repr, alike))} are the same tokens to this backbone, which could never tell "
                "them apart: rename them in the data, or choose another backbone"
            )
        return answers
