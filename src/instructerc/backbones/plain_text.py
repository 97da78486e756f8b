"""Text → token ids, none of which is a control token, whatever the text says."""

from __future__ import annotations

from typing import Any


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

    Args:
        tokenizer: The backbone's tokenizer, prepared by `loading.prepare_tokenizer`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._control = _control_ids(tokenizer)
        self._spelled: dict[int, list[int]] = {}
        self.opening, self.closing = self._frame()

    def encode(self, text: str) -> list[int]:
        """Ids of the text alone, without anything in front or behind."""
        ids = self._raw(_encodable(text))
        if self._control.isdisjoint(ids):
            return ids
        return [part for token in ids for part in (self._spell(token) if token in self._control else (token,))]

    def _raw(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _spell(self, token: int) -> list[int]:
        if token not in self._spelled:
            characters = self._tokenizer.convert_ids_to_tokens(token)
            spelled = [part for character in characters for part in self._letter(character)]
            self._spelled[token] = [part for part in spelled if part not in self._control]
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
