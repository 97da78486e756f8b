"""Words that a backbone does not know: what it reads in their place is one and the same token, whatever they say.

Tokenizers that fall back to bytes know every text. WordPiece, the embedded backbone's, knows the characters of its
vocabulary: Cyrillic, Arabic and kana among them, so that such texts are spelled out, and some hundred Chinese ones. A
Chinese text loses about every second character, and an emoji is always lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from instructerc.backbones.backbone import Backbone

LARGEST_SHARE = 0.05
"""Above this a notice says so."""

SAMPLE = 500
"""Texts that are looked at."""

FEWEST = 40
"""Tokens below which a share says little: one emoji, say, is half of a short greeting."""


def sampled(texts: Sequence[str], count: int = SAMPLE) -> list[str]:
    """At most `count` texts, evenly spaced.

    Example:
        >>> sampled("abcdefg", 3)
        ['a', 'c', 'e']
    """
    taken = min(count, len(texts))
    return [texts[place * len(texts) // taken] for place in range(taken)]


def unknown_share(tokenizer: Any, texts: Iterable[str]) -> float:
    """The share of unknown tokens among the tokens of some texts, in [0, 1]; 0 where they have fewer than `FEWEST`."""
    unknown = tokenizer.unk_token_id
    if unknown is None:
        return 0.0
    encoded = tokenizer(list(texts) or [""], add_special_tokens=False, verbose=False)["input_ids"]
    ids = [token for one in encoded for token in one]
    return ids.count(unknown) / len(ids) if len(ids) >= FEWEST else 0.0


def unknown_notice(backbone: Backbone, texts: Sequence[str]) -> str | None:
    """What to tell the user of a backbone that knows too little of the texts; None where it knows them.

    Args:
        backbone: Its tokenizer is asked, on a sample of the texts.
        texts: What is said in the conversations.
    """
    share = unknown_share(backbone.tokenizer, sampled(texts))
    if share <= LARGEST_SHARE:
        return None
    reads = ", which reads English" if backbone.source == "package" else ""
    return (
        f"{share:.0%} of the tokens of these texts are unknown to the backbone {backbone.name}{reads}: take one that "
        "knows every character, such as backbone.name: qwen3-0.6b."
    )
