"""The shipped fakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from instructerc.conversation import Corpus
from instructerc.prompts import PromptSpec
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus, tiny_llama
from tests.tiny_models import load


def test_the_tiny_llama_is_the_same_everywhere(tmp_path: Path) -> None:
    first, second = tiny_llama(tmp_path / "first"), tiny_llama(tmp_path / "second")
    names = sorted(file.name for file in first.iterdir())
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(names)
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    files = [tiny_llama(tmp_path / str(seed), seed=seed) / "model.safetensors" for seed in (0, 1)]
    assert files[0].read_bytes() != files[1].read_bytes()


def test_building_it_leaves_the_callers_random_state_alone(tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    tiny_llama(tmp_path)
    assert torch.equal(before, torch.random.get_rng_state())


def test_it_is_a_real_llama_with_a_real_tokenizer(tmp_path: Path) -> None:
    backbone = load(tiny_llama(tmp_path))
    assert type(backbone.model).__name__ == "LlamaForCausalLM"
    assert (backbone.model.config.num_hidden_layers, backbone.model.config.hidden_size) == (2, 32)
    assert backbone.context == 256
    tokenizer = backbone.tokenizer
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.unk_token) == ("<s>", "</s>", "<unk>")
    assert tokenizer("joy")["input_ids"][0] == tokenizer.bos_token_id
    assert len(tokenizer) == backbone.model.config.vocab_size


@pytest.mark.parametrize("text", ["Great.", "Ça va ?\n", "🙂 שלום", 'a\t"b"'])
def test_its_tokenizer_takes_any_text_and_gives_it_back(tmp_path: Path, text: str) -> None:
    tokenizer = load(tiny_llama(tmp_path)).tokenizer
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_its_labels_are_words_of_several_tokens(tmp_path: Path) -> None:
    tokenizer = load(tiny_llama(tmp_path)).tokenizer
    lengths = [len(tokenizer(label, add_special_tokens=False)["input_ids"]) for label in TINY_LABELS]
    assert min(lengths) > 1


def test_the_tiny_corpus_has_every_label_in_every_split() -> None:
    corpus = tiny_corpus()
    for _, part in corpus.splits():
        assert {utterance.emotion for chat in part for utterance in chat.utterances} == set(TINY_LABELS)
    assert [len(part) for _, part in corpus.splits()] == [12, 6, 6]
    assert Corpus.from_json(corpus.to_json()) == corpus


def test_one_of_its_turns_can_be_understood_from_its_context_only() -> None:
    meanings = {
        utterance.emotion for chat in tiny_corpus().train for utterance in chat.utterances if utterance.text == "Great."
    }
    assert meanings == {"joy", "anger"}


def test_conversation_ids_are_unique() -> None:
    ids = [chat.id for _, part in tiny_corpus().splits() for chat in part]
    assert len(set(ids)) == len(ids)


def test_its_prompts_fit_the_tiny_llama(tmp_path: Path) -> None:
    backbone = load(tiny_llama(tmp_path))
    longest = max(
        len(backbone.tokenizer(example.prompt)["input_ids"])
        for wording in ("released", "compact")
        for chat in (*tiny_corpus().train, tiny_conversation())
        for example in PromptSpec(labels=TINY_LABELS, wording=wording).examples(chat)
    )
    assert longest + 4 <= backbone.context


def test_the_tiny_conversation_has_no_labels() -> None:
    assert [utterance.emotion for utterance in tiny_conversation().utterances] == [None] * 4
