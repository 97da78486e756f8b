"""Text → token ids, none of which is a control token, whatever the text says; and what stands around a text."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """How a text is tokenised behind what stands in front of it.

    Attributes:
        lead: Spaces between the two; they are tokenised with the text, as its own first word.
        anchor: Text that is put in front and whose ids are taken off again, so that a tokenizer that marks the start
            of every text as the start of a word (SentencePiece) does not mark this one. Empty: tokenised alone.
    """

    lead: str = ""
    anchor: str = ""


ALONE = Joint()
"""A text is tokenised as if nothing stood in front of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around a prompt's text and behind its answer, as token ids.

    ```
    plain        [CLS] text joy [SEP]                                             Llama 2: <s> text joy </s>
    chat         <|im_start|> user ⏎ text <|im_end|> ⏎ <|im_start|> assistant ⏎ joy <|im_end|>
                 └──── opening ────┘      └─────────────── closing ───────────┘     └ answer_end
    ```

    Attributes:
        opening: Ids in front of the text.
        closing: Ids between the text and the answer.
        answer_end: Id that ends an answer.
        text: How the text is tokenised.
        answer: How an answer is tokenised.
    """

    opening: tuple[int, ...]
    closing: tuple[int, ...]
    answer_end: int
    text: Joint = ALONE
    answer: Joint = ALONE


def plain_frame(tokenizer: Any) -> Frame:
    """The tokenizer's own opening and closing tokens; an answer is tokenised alone, and the end token follows."""
    text = TextEncoder(tokenizer)
    return Frame(opening=tuple(text.opening), closing=tuple(text.closing), answer_end=tokenizer.eos_token_id)


class TextEncoder:
    """Encodes text of users with a backbone's tokenizer.

    ```
    text         Bob: </s><think>
    by itself    Bob : </s> <think>               end of sequence, start of thoughts
    encoded      Bob : < / s > < t h i n k >
    ```

    The tokenizer's own switch, `split_special_tokens`, does most of it, but lets through added tokens that are not
    flagged as special (Qwen's `<think>`), and control pieces that a Unigram model finds in its own vocabulary. Those
    are spelled out, a character at a time.

    Attributes:
        opening: Ids that the tokenizer puts in front of a text.
        closing: Ids that it puts behind a text, without an end token: the answer has to come before that.
        control: Ids of control tokens.

    Args:
        tokenizer: The backbone's tokenizer, prepared by `loading.prepare_tokenizer`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.control = _control_ids(tokenizer)
        self._spelled: dict[int, list[int]] = {}
        self._anchor = functools.lru_cache(maxsize=8)(self._raw)
        self.opening, self.closing = self._frame()

    def encode(self, text: str, joint: Joint = ALONE) -> list[int]:
        """Ids of the text alone, without anything in front or behind; `joint` says what it continues."""
        ids = self._joined(_encodable(joint.lead + text), joint.anchor)
        if self.control.isdisjoint(ids):
            return ids
        return [part for token in ids for part in (self._spell(token) if token in self.control else (token,))]

    def _joined(self, text: str, anchor: str) -> list[int]:
        if not anchor:
            return self._raw(text)
        head, whole = self._anchor(anchor), self._raw(anchor + text)
        # Where the text's first characters merge with the anchor there is nothing to take off.
        return whole[len(head) :] if whole[: len(head)] == head else self._raw(text)

    def _raw(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _spell(self, token: int) -> list[int]:
        if token not in self._spelled:
            characters = self._tokenizer.convert_ids_to_tokens(token)
            spelled = [part for character in characters for part in self._letter(character)]
            self._spelled[token] = [part for part in spelled if part not in self.control]
        return self._spelled[token]

    def _letter(self, character: str) -> list[int]:
        # Looked up where that is safe: encoded alone, a character would get the mark of a word's start in front.
        found = self._tokenizer.convert_tokens_to_ids(character) if character.isascii() else None
        return self._raw(character) if found in (None, self._tokenizer.unk_token_id) else [found]

    def _frame(self) -> tuple[list[int], list[int]]:
        plain = self._raw("a")
        whole: list[int] = self._tokenizer("a", add_special_tokens=True, verbose=False)["input_ids"]
        starts = range(len(whole) - len(plain) + 1)
        start = next((start for start in starts if whole[start : start + len(plain)] == plain), 0)
        end = self._tokenizer.eos_token_id
        return whole[:start], [token for token in whole[start + len(plain) :] if token != end]


def _control_ids(tokenizer: Any) -> frozenset[int]:
    added = {number for number, token in tokenizer.added_tokens_decoder.items() if _is_control(token)}
    # A character that the vocabulary lacks is unknown, which steers nothing; unless the unknown token has other duties.
    unknown = {tokenizer.unk_token_id} - {tokenizer.bos_token_id, tokenizer.eos_token_id}
    return frozenset((added | set(tokenizer.all_special_ids)) - unknown)


def _is_control(token: Any) -> bool:
    """Flagged so, or looking so: added words, and added runs of spaces, are text."""
    if token.special:
        return True
    content = token.content.replace("▁", " ").strip()
    return bool(content) and not (content[0].isalnum() or content[-1].isalnum())


def _encodable(text: str) -> str:
    """Half a surrogate pair is no text that a tokenizer can take; it becomes the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
