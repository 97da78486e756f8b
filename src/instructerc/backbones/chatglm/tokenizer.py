"""The tokenizers of ChatGLM, made from the SentencePiece files of their checkpoints.

```
              file              prompt                      answer
version 1     ice_text.model    text [gMASK] <sop>          joy <eop>
version 2, 3  tokenizer.model   [gMASK] sop text            joy </s>
```

They are tokenizers of the `tokenizers` library with the same pieces, scores and rules: they are saved and loaded
as those of other models, and equal SentencePiece (`tests/backbones/chatglm`). What differs from the original classes is
that text of users never becomes a control token: there "<sop>" in a text is the start of an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from instructerc.backbones.chatglm.sentencepiece_model import Algorithm, Kind, SentencePieceModel, read_model
from instructerc.errors import BackboneError

FILES = {1: "ice_text.model", 2: "tokenizer.model"}
"""What the file is called in the checkpoints of each version."""

WORD_START = "▁"

NEVER = -1e4
"""Score of pieces that text must not become."""

LONGEST_BLANK = 80
"""Spaces in the longest piece that stands for spaces alone (version 1)."""

MASKS = ("[MASK]", "[gMASK]", "[sMASK]", "sop", "eop")
"""What version 2 has behind the pieces of its file, in this order."""


def tokenizer_from(path: Path, version: int) -> Any:
    """The tokenizer of a checkpoint.

    Args:
        path: Its SentencePiece file.
        version: 1 or 2, which is also the third's.

    Returns:
        A `PreTrainedTokenizerFast`.

    Raises:
        BackboneError: The file is no SentencePiece model, or lacks what this version needs.
    """
    model = read_model(path)
    return _first(model, path) if version == 1 else _second(model, path)


def _first(model: SentencePieceModel, path: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    _require(model, path, Algorithm.UNIGRAM, ("<unk>", "</s>", "<pad>", "<n>", "[MASK]", "[gMASK]", "<sop>", "<eop>"))
    backend = _backend(model, written_as=_blanks(model))
    control = [piece.text for piece in model.pieces if piece.kind in (Kind.CONTROL, Kind.UNKNOWN)]
    _add(backend, control)
    backend.post_processor = _frame(backend, front=(), behind=("[gMASK]", "<sop>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<sop>",  # noqa: S106 — a token, not a secret
        eos_token="<eop>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        mask_token="[MASK]",  # noqa: S106
        padding_side="left",
        split_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )


def _second(model: SentencePieceModel, path: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    _require(model, path, Algorithm.BPE, ("<unk>", "<s>", "</s>"))
    backend = _backend(model, written_as=())
    control = [piece.text for piece in model.pieces if piece.kind in (Kind.CONTROL, Kind.UNKNOWN)]
    _add(backend, [*control, *MASKS])
    backend.post_processor = _frame(backend, front=("[gMASK]", "sop"), behind=())
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="</s>",  # noqa: S106 — a token, not a secret
        unk_token="<unk>",  # noqa: S106
        pad_token="<unk>",  # noqa: S106
        padding_side="left",
        split_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )


def _require(model: SentencePieceModel, path: Path, algorithm: Algorithm, tokens: Sequence[str]) -> None:
    known = {piece.text for piece in model.pieces}
    lacking = [token for token in tokens if token not in known]
    if lacking or model.algorithm is not algorithm:
        fault = f"lacks {', '.join(lacking)}" if lacking else f"is a {model.algorithm.name} model, not {algorithm.name}"
        raise BackboneError(f"{path}: {fault}: copy the file again from the original checkpoint")


def _blanks(model: SentencePieceModel) -> list[tuple[str, str]]:
    """White space, and the piece that it is written as, the longest run of spaces first."""
    known = {piece.text for piece in model.pieces}
    rules = [("\n", "<n>"), ("\t", "<|tab|>")]
    rules += [(" " * count, f"<|blank_{count}|>") for count in range(LONGEST_BLANK, 1, -1)]
    return [(blank, piece) for blank, piece in rules if piece in known]


def _backend(model: SentencePieceModel, *, written_as: Sequence[tuple[str, str]]) -> Any:
    """A tokenizer that cuts text as SentencePiece does.

    Args:
        model: The model.
        written_as: White space, and what it is written as before SentencePiece sees it.
    """
    from tokenizers import Regex, Tokenizer, decoders, normalizers

    tokenizer = Tokenizer(_unigram(model) if model.algorithm is Algorithm.UNIGRAM else _merging(model))
    steps: list[Any] = [normalizers.Replace(blank, piece) for blank, piece in written_as]
    if model.charsmap:
        steps.append(normalizers.Precompiled(model.charsmap))
    if model.squeeze_spaces:
        steps += [normalizers.Replace(Regex(" +"), " "), normalizers.Replace(Regex("^ +| +$"), "")]
    if model.dummy_prefix:
        steps.append(normalizers.Prepend(WORD_START))
    steps.append(normalizers.Replace(" ", WORD_START))
    tokenizer.normalizer = normalizers.Sequence(steps)
    parts: list[Any] = [decoders.Replace(WORD_START, " "), decoders.ByteFallback(), decoders.Fuse()]
    if model.dummy_prefix:
        parts.append(decoders.Strip(" ", 1, 0))
    parts += [decoders.Replace(piece, blank) for blank, piece in written_as]
    tokenizer.decoder = decoders.Sequence(parts)
    return tokenizer


def _unigram(model: SentencePieceModel) -> Any:
    from tokenizers import models

    unlikely = (Kind.CONTROL, Kind.UNKNOWN, Kind.BYTE, Kind.UNUSED)
    vocabulary = [(piece.text, NEVER if piece.kind in unlikely else piece.score) for piece in model.pieces]
    unknown = next(place for place, piece in enumerate(model.pieces) if piece.kind is Kind.UNKNOWN)
    return models.Unigram(vocabulary, unk_id=unknown, byte_fallback=model.byte_fallback)


def _merging(model: SentencePieceModel) -> Any:
    """Every pair of pieces that make a third may be merged, those with the best score first."""
    from tokenizers import models

    normal = {piece.text: place for place, piece in enumerate(model.pieces) if piece.kind is Kind.NORMAL}
    merges: list[tuple[float, int, int, str, str]] = []
    for text, place in normal.items():
        score = model.pieces[place].score
        for cut in range(1, len(text)):
            first, second = text[:cut], text[cut:]
            if first in normal and second in normal:
                merges.append((-score, normal[first], normal[second], first, second))
    return models.BPE(
        vocab={piece.text: place for place, piece in enumerate(model.pieces)},
        merges=[(first, second) for *_, first, second in sorted(merges)],
        unk_token=next(piece.text for piece in model.pieces if piece.kind is Kind.UNKNOWN),
        fuse_unk=True,
        byte_fallback=model.byte_fallback,
    )


def _add(backend: Any, tokens: Iterable[str]) -> None:
    """Marks tokens as control tokens; those that the vocabulary lacks get the next ids."""
    from tokenizers import AddedToken

    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])


def _frame(backend: Any, *, front: Sequence[str], behind: Sequence[str]) -> Any:
    """Puts tokens around every text."""
    from tokenizers import processors

    return processors.TemplateProcessing(
        single=[*front, "$A", *behind],
        pair=[*front, "$A", *behind, "$B"],
        special_tokens=[(token, backend.token_to_id(token)) for token in (*front, *behind)],
    )
