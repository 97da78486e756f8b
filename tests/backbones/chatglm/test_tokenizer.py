"""The tokenizers of ChatGLM, held against SentencePiece itself and against the original classes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.backbones.chatglm.sentencepiece_model import Algorithm, Kind, parse_model, read_model
from instructerc.backbones.chatglm.tokenizer import FILES, MASKS, tokenizer_from
from instructerc.backbones.loading import prepare_tokenizer
from instructerc.backbones.plain_text import TextEncoder
from instructerc.backbones.tokens import PromptEncoder
from instructerc.errors import BackboneError
from tests.chatglm_models import FIRST_CONTROL, SENTENCES, pieces, sentencepiece_model

VERSIONS = [1, 2]
FOLDERS = {1: "chatglm", 2: "chatglm2"}
REAL = {1: "chatglm_6b", 2: "chatglm2_6b"}

CONTROL = ("<sop>", "<eop>", "[gMASK]", "[MASK]", "sop", "eop", "</s>", "<pad>", "<unk>", "<s>", "<dBLOCK>")

TEXTS = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [*SENTENCES, "\n", "\t", "  ", " " * 7, " " * 83, "▁", "<n>", "<|tab|>", "joy", "１２３", "é", "🎉"]
        ),
        st.sampled_from(CONTROL),
    ),
    max_size=6,
).map("".join)
"""Texts of all kinds: white space in runs, control tokens spelled out, other scripts."""


def make(folder: Path, *, signs: bool = True) -> dict[int, Any]:
    for version in VERSIONS:
        (folder / FILES[version]).write_bytes(sentencepiece_model(version, signs=signs))
    return {version: tokenizer_from(folder / FILES[version], version) for version in VERSIONS}


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    return make(tmp_path_factory.mktemp("sentencepiece"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """They lack the characters that control tokens are written with."""
    return make(tmp_path_factory.mktemp("bare"), signs=False)


def reference(version: int, text: str) -> tuple[list[int], str]:
    """Ids of a text, and the text of the ids, by SentencePiece and the rules of the original classes."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model(version))
    rules = [("\n", "<n>"), ("\t", "<|tab|>"), *((" " * count, f"<|blank_{count}|>") for count in range(80, 1, -1))]
    for blank, piece in rules if version == 1 else ():
        text = text.replace(blank, piece)
    ids = processor.encode(text)
    decoded = processor.decode(ids)
    for blank, piece in rules if version == 1 else ():
        decoded = decoded.replace(piece, blank)
    return ids, decoded


def plain(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


@pytest.mark.parametrize("version", VERSIONS)
@given(text=TEXTS)
def test_text_becomes_the_tokens_that_sentencepiece_makes_of_it(
    tokenizers: dict[int, Any], version: int, text: str
) -> None:
    ids, decoded = reference(version, text)
    assert plain(tokenizers[version], text) == ids
    unknown = tokenizers[version].unk_token_id in ids
    assert unknown or tokenizers[version].decode(ids, skip_special_tokens=True) == decoded


@pytest.mark.parametrize("version", VERSIONS)
@given(text=TEXTS)
def test_text_never_becomes_a_control_token(
    tokenizers: dict[int, Any], bare: dict[int, Any], version: int, text: str
) -> None:
    for tokenizer in (tokenizers[version], bare[version]):
        control = {tokenizer.convert_tokens_to_ids(token) for token in (*CONTROL, *FIRST_CONTROL)}
        control.discard(tokenizer.unk_token_id)
        assert control.isdisjoint(TextEncoder(tokenizer).encode(text))


def test_prompts_end_with_the_blank_and_the_start_of_the_answer(tokenizers: dict[int, Any]) -> None:
    ids, tokenizer = pieces(1), tokenizers[1]
    assert tokenizer("joy")["input_ids"][-2:] == [ids["[gMASK]"], ids["<sop>"]]
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.bos_token_id) == (
        ids["<eop>"],
        ids["<pad>"],
        ids["<sop>"],
    )
    assert PromptEncoder(tokenizer, 100).encode_prompt("joy") == tokenizer("joy")["input_ids"]


def test_prompts_of_the_second_version_begin_with_them(tokenizers: dict[int, Any]) -> None:
    tokenizer, count = tokenizers[2], len(pieces(2))
    assert [tokenizer.convert_tokens_to_ids(token) for token in MASKS] == list(range(count, count + 5))
    assert tokenizer("joy")["input_ids"][:2] == [count + 1, count + 3]
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (2, 0)
    assert PromptEncoder(tokenizer, 100).encode_prompt("joy") == tokenizer("joy")["input_ids"]
    assert len(tokenizer) == count + 5


@pytest.mark.parametrize("version", VERSIONS)
def test_a_generated_answer_is_read_without_its_end(tokenizers: dict[int, Any], version: int) -> None:
    tokenizer = tokenizers[version]
    answer = [*plain(tokenizer, "anger"), tokenizer.eos_token_id, tokenizer.pad_token_id]
    assert tokenizer.batch_decode([answer], skip_special_tokens=True) == ["anger"]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_saved_and_loaded_as_others_are(tokenizers: dict[int, Any], version: int, tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    tokenizers[version].save_pretrained(tmp_path)
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    prepare_tokenizer(again)
    text = "  two </s> lines\n\tof [gMASK] sop   joy "
    assert again(text)["input_ids"] == tokenizers[version](text)["input_ids"]
    assert (again.eos_token_id, again.pad_token_id) == (
        tokenizers[version].eos_token_id,
        tokenizers[version].pad_token_id,
    )


def compare(tokenizer: Any, file: Path) -> int:
    """Holds a tokenizer against what the original class made of texts; gives their number."""
    compared = 0
    for row in json.loads(file.read_text(encoding="utf-8"))["texts"]:
        # There, a few control tokens are taken from text; and texts are tidied up when they are decoded.
        if any(token in row["text"] for token in ("<sop>", "<pad>")):
            continue
        assert tokenizer(row["text"])["input_ids"] == row["ids"], row["text"]
        assert plain(tokenizer, row["text"]) == row["ids_plain"]
        decoded = tokenizer.decode(row["ids"], skip_special_tokens=True)
        assert decoded.replace(" ...", "...") == row["decode_skip"].replace(" ...", "...")
        compared += 1
    return compared


@pytest.mark.parametrize("version", VERSIONS)
def test_it_equals_the_original_class(shared: Path, version: int) -> None:
    folder = shared / "oracles" / FOLDERS[version] / "tiny_tokenizer"
    assert compare(tokenizer_from(folder / FILES[version], version), folder / "tokenizer_cases.json") >= 30


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_the_released_file_equals_the_original_class(shared: Path, version: int) -> None:
    path = shared / "tokenizers" / REAL[version] / FILES[version]
    if not path.is_file():
        pytest.skip(f"{path} is not at hand")
    cases = shared / "oracles" / FOLDERS[version] / "tokenizer_cases.json"
    known = json.loads(cases.read_text(encoding="utf-8"))["meta"]["sha256"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == known
    assert compare(tokenizer_from(path, version), cases) >= 30


@pytest.mark.parametrize("version", VERSIONS)
def test_the_file_is_read_as_sentencepiece_reads_it(version: int) -> None:
    import sentencepiece

    data = sentencepiece_model(version)
    model, processor = parse_model(data), sentencepiece.SentencePieceProcessor(model_proto=data)
    assert len(model.pieces) == processor.get_piece_size()
    for number, piece in enumerate(model.pieces):
        assert piece.text == processor.id_to_piece(number)
        assert piece.score == processor.get_score(number)
        assert (piece.kind is Kind.CONTROL) == processor.is_control(number)
        assert (piece.kind is Kind.UNKNOWN) == processor.is_unknown(number)
        assert (piece.kind is Kind.BYTE) == processor.is_byte(number)
    assert model.algorithm is (Algorithm.UNIGRAM if version == 1 else Algorithm.BPE)
    assert model.byte_fallback
    assert model.dummy_prefix
    assert model.squeeze_spaces == (version == 1)
    assert bool(model.charsmap) == (version == 1)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"IQ== 0\nIg== 1\n", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b", b"\x08\x01", b"\x0a\x02\x08\x01", b"\x80"],
    ids=["empty", "json", "tiktoken", "too long", "group", "number for a piece", "number for a text", "torn number"],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(content)
    with pytest.raises(BackboneError, match=r"tokenizer\.model: is no SentencePiece model, or a damaged one"):
        read_model(path)


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ice_text.model"
    path.write_bytes(sentencepiece_model(1)[:-50])
    with pytest.raises(BackboneError, match="or a damaged one"):
        tokenizer_from(path, 1)


def test_the_file_of_the_other_version_is_refused(tmp_path: Path) -> None:
    for version in VERSIONS:
        (tmp_path / FILES[version]).write_bytes(sentencepiece_model(3 - version))
    with pytest.raises(BackboneError, match=r"ice_text\.model: lacks <pad>, <n>, .*: copy the file again"):
        tokenizer_from(tmp_path / FILES[1], 1)
    with pytest.raises(BackboneError, match=r"tokenizer\.model: is a UNIGRAM model, not BPE"):
        tokenizer_from(tmp_path / FILES[2], 2)
