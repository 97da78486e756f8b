"""From examples to token ids: prompts, answers, and what goes when a prompt is too long (method §7)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from instructerc.backbones.backbone import Backbone, Reading, Style
from instructerc.backbones.chat import frame_of
from instructerc.backbones.plain_text import Frame, TextEncoder
from instructerc.errors import PromptError, PromptTooLongError
from instructerc.prompts.example import Example
from instructerc.prompts.segments import Segments
from instructerc.prompts.spec import PromptSpec


@dataclass(frozen=True, slots=True)
class EncodedExample:
    """An example as token ids.

    ```
    prompt   [CLS] emotions : joy , anger . a : done ! b : great . b feels :
    answers                                                                    joy [SEP]
                                                                               anger [SEP]
    ```

    Attributes:
        prompt: Ids of the prompt, with what the tokenizer or its chat template puts around it.
        answers: Ids of every candidate answer, each with the token that ends it.
        target: Which of the answers is right; None where it is not known, or none of them.
        weight: What its loss counts.
        shares: What each answer counts in that, together 1, where more than the target is learned; else empty.
        dropped_turns: Turns that were left out because the prompt was too long.
        dropped_demonstrations: Demonstrations that were left out because the prompt was too long without any history.
        cut_tokens: Tokens that an opaque prompt lost at its front for the same reason.
        conversation: Id of the conversation: its examples are likely to share their beginning.
        focus: Tokens at the prompt's end from the turn that is asked about on; 0 where the backbone need not know.
        spans: Tokens of each stretch of the prompt that is read by itself in both directions (the instruction, each
            turn, the question); none where the backbone reads otherwise.
    """

    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]
    target: int | None
    weight: float
    dropped_turns: int = 0
    cut_tokens: int = 0
    conversation: str = ""
    dropped_demonstrations: int = 0
    focus: int = 0
    spans: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()


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
    them, and the end token follows (method §7). No space between prompt and label is guessed: what is written there is
    what the family's tokenizer makes of a text that stands alone.

    ```
    SentencePiece     … ▁feel s :   ▁joy ful </s>     a word start of its own: reads "A feels: joyful"
    WordPiece         … feels :     joy ##ful [SEP]   words stand apart anyway: reads "a feels : joyful"
    byte-level BPE    … Ġfeels :    joy ful <eos>     no space, none is made up: reads "A feels:joyful"
    ```

    For a chat model the text is a user's message and the label the assistant's, both as its template has them (`chat`).
    Text never becomes a control token.

    Where a prompt is too long, its oldest turns go: as few as have to, rounded up to whole blocks of `stride` turns.
    Neighbouring targets then start at the same turn, and share what follows it.

    ```
    turn        0 1 2 3 4 5 6 7 8 9     target 9, too long with turns 0 and 1
    stride 1        2 3 4 5 6 7 8 9     as few as have to go
    stride 4            4 5 6 7 8 9     the next of 0, 4, 8 …
    stride 8            4 5 6 7 8 9     8 would cost 6 of the 7 turns of history that fit, more than half of them:
                                        blocks of 8 // 2, and so on down to 1, so that no stride empties a history
    ```

    Turns after the target (`Window.context` "both") go when all of the history is gone, one by one. A prompt that is
    still too long loses its demonstrations, the farthest first, and has its history again where that makes room.

    Attributes:
        tokenizer: The backbone's tokenizer, prepared by `loading.prepare_tokenizer`.
        limit: Longest sequence of prompt and answer, in tokens.
        stride: Turns a block, counted from the conversation's beginning; `Window.stride`.
        style: Whether prompts go through the tokenizer's chat template.
        reading: How the backbone reads prompts: where not forward, it has to know what is asked about.
    """

    tokenizer: Any
    limit: int
    stride: int = 1
    style: Style = "plain"
    reading: Reading = "forward"
    _text: TextEncoder = field(init=False, repr=False)
    _frame: Frame = field(init=False, repr=False)
    _ids: dict[int, int] = field(init=False, repr=False, default_factory=dict)
    _length: Callable[[str], int] = field(init=False, repr=False)
    _answers: Callable[[tuple[str, ...]], tuple[tuple[int, ...], ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._text = TextEncoder(self.tokenizer)
        self._frame = frame_of(self.tokenizer, self.style)
        self._length = functools.lru_cache(maxsize=65536)(lambda text: len(self._text.encode(text)))
        self._answers = functools.lru_cache(maxsize=1024)(self._encode_answers)

    @classmethod
    def of(cls, backbone: Backbone, spec: PromptSpec, max_length: int | None = None) -> PromptEncoder:
        """What a backbone reads the prompts of a spec with, at most `max_length` tokens where that is given."""
        limit = longest_sequence(backbone.context, max_length)
        stride = spec.window.stride
        return cls(backbone.tokenizer, limit, stride=stride, style=backbone.style, reading=backbone.reading)

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
        shown = len(example.demonstrations)
        while len(prompt) > room and (shorter := example.without_last_demonstration()) is not None:
            example = shorter
            prompt, dropped = self._fit(example, room)
        excess = len(prompt) - room
        if excess > 0:
            prompt = self._cut_front(example, prompt, room)
        kept = map(self._ids.setdefault, prompt, prompt)  # one object an id, not one a token: a fifth of the memory
        return EncodedExample(
            prompt=tuple(kept),
            answers=answers,
            target=target,
            weight=example.weight,
            shares=example.shares if target is not None else (),
            dropped_turns=dropped,
            cut_tokens=max(excess, 0),
            conversation=example.conversation,
            dropped_demonstrations=shown - len(example.demonstrations),
            focus=0 if self.reading == "forward" else self._focus(example, len(prompt)),
            spans=self._spans(example, len(prompt)) if self.reading == "turns" else (),
        )

    def encode_all(self, examples: Iterable[Example]) -> list[EncodedExample]:
        """Every example as token ids, in order."""
        return [self.encode(example) for example in examples]

    def _fit(self, example: Example, room: int) -> tuple[list[int], int]:
        """The prompt without the turns that have to go, and their number; without all of them where none fits."""

        @functools.cache
        def prompt(dropped: int) -> list[int]:
            return self.encode_prompt(example.without_oldest(dropped).prompt)

        dropped = self._fewest(example, prompt, room)
        if dropped:
            dropped = self._whole_blocks(example, prompt, room, dropped)
        return prompt(dropped), dropped

    def _fewest(self, example: Example, prompt: Callable[[int], list[int]], room: int) -> int:
        """As few turns as have to go. Borders count: tokens may merge across them, so that no sum of lengths is exact.

        A prompt of all turns is never made, unless it is likely to fit: work does not grow with a history's length.
        """
        droppable = example.droppable
        dropped = self._estimate(example, room) if droppable else 0
        while dropped < droppable and len(prompt(dropped)) > room:
            dropped += 1
        while dropped and len(prompt(dropped - 1)) <= room:
            dropped -= 1
        return dropped

    def _estimate(self, example: Example, room: int) -> int:
        """About how many turns have to go: from the newest one back, only what may fit is looked at."""
        droppable = example.droppable
        bare = example.without_oldest(droppable)
        free = room - len(self._frame.opening) - len(self._frame.closing)
        free -= sum(self._length(segment.text) for segment in bare.segments)
        for kept, segment in enumerate(itertools.chain(example.future, reversed(example.history))):
            free -= self._length(segment.text)
            if free < 0:
                return droppable - kept
        return 0

    def _whole_blocks(self, example: Example, prompt: Callable[[int], list[int]], room: int, fewest: int) -> int:
        """Rounds up what has to go, so that neighbouring targets start at the same turn (see the class)."""
        history = example.history[fewest:]
        if not history or history[0].turn is None:
            return fewest
        block = self.stride
        while block > 1:
            more = -history[0].turn % block
            if 2 * more <= len(history) and len(prompt(fewest + more)) <= room:
                return fewest + more
            block //= 2
        return fewest

    def _cut_front(self, example: Example, prompt: list[int], room: int) -> list[int]:
        """An opaque prompt keeps its end, where the question stands; any other one must not be cut."""
        opening = self._frame.opening
        if example.segments[0].kind == "opaque" and room > len(opening) + len(self._frame.closing):
            return [*opening, *prompt[len(prompt) - room + len(opening) :]]
        raise PromptTooLongError(
            f"conversation {example.conversation!r}, turn {example.turn}: instruction, target turn and label statement "
            f"are {len(prompt)} tokens, {max(room, 0)} fit: split the turn, or choose a backbone with a longer context"
        )

    def _focus(self, example: Example, length: int) -> int:
        """Tokens from the target's turn on; of a prompt that shows no such turn, those of its question, or all."""
        parts = Segments.of(example.segments)
        asked = parts.turns[parts.around(example.turn)[0] :]
        text = "".join(segment.text for segment in (*asked, *parts.after))
        counted = len(self._text.encode(text)) + len(self._frame.closing)
        return min(counted, length) if text else length

    def _spans(self, example: Example, length: int) -> tuple[int, ...]:
        """Tokens of each segment, what stands around the text with the first and the last."""
        sizes = [size for segment in example.segments if (size := self._length(segment.text))] or [0]
        sizes[0] += len(self._frame.opening)
        sizes[-1] += len(self._frame.closing)
        # Where segments are no words of their own, or the prompt was cut, it is read as one.
        return tuple(sizes) if sum(sizes) == length else (length,)

    def encode_prompt(self, text: str) -> list[int]:
        """Ids of a prompt with all that stands in front of the answer, without an end token."""
        frame = self._frame
        return [*frame.opening, *self._text.encode(text, frame.text), *frame.closing]

    def _encode_answers(self, candidates: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        frame = self._frame
        answers = tuple((*self._text.encode(candidate, frame.answer), frame.answer_end) for candidate in candidates)
        alike = [name for name, ids in zip(candidates, answers, strict=True) if answers.count(ids) > 1]
        if alike:
            raise PromptError(
                f"labels {', '.join(map(repr, alike))} are the same tokens to this backbone, which could never tell "
                "them apart: rename them in the data (speakers: set prompt.speakers to index), or choose another "
                "backbone"
            )
        return answers
