"""all-MiniLM-L6-v2 run as a causal language model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from instructerc.assets import embedded as assets
from instructerc.backbones.adapters import AdapterSpec, attach, trained_parameters
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.embedded import FROZEN, HEAD
from instructerc.backbones.loading import load_backbone
from instructerc.errors import ChecksumError, OfflineError
from tests.tiny_models import load, logits_alone

pytest.importorskip(assets.PACKAGE, reason="the weights of the embedded backbone are not installed")


@pytest.fixture(scope="module")
def embedded() -> Backbone:
    """To be read only."""
    return load("embedded")


@pytest.fixture(scope="module")
def ids(embedded: Backbone) -> list[int]:
    found: list[int] = embedded.tokenizer("The cat sat on the mat, and nobody was glad of it.")["input_ids"]
    return found


def test_it_reads_512_tokens(embedded: Backbone) -> None:
    assert embedded.context == 512
    with torch.no_grad():
        assert logits_alone(embedded, [1000] * 512).shape == (512, embedded.model.config.vocab_size)


def test_it_comes_with_a_package_and_names_its_own_parts(embedded: Backbone) -> None:
    assert embedded.source == "package"
    names = dict(embedded.model.named_parameters())
    assert set(HEAD) <= set(names)
    assert set(FROZEN) <= set(names)
    assert (embedded.tokenizer.bos_token, embedded.tokenizer.eos_token) == ("[CLS]", "[SEP]")
    assert embedded.tokenizer.pad_token_id not in (None, embedded.tokenizer.eos_token_id)


def test_later_tokens_do_not_change_earlier_logits(embedded: Backbone, ids: list[int]) -> None:
    other = [*ids[:6], *reversed(ids[6:])]
    assert other != ids
    with torch.no_grad():
        first, second = logits_alone(embedded, ids), logits_alone(embedded, other)
    torch.testing.assert_close(first[:6], second[:6], rtol=0, atol=1e-5)
    assert not torch.allclose(first[-1], second[-1], atol=1e-3)


def test_its_hidden_states_are_those_of_the_librarys_own_decoder(embedded: Backbone, ids: list[int]) -> None:
    from transformers import BertModel

    reference = BertModel.from_pretrained(assets.embedded_model_directory(), is_decoder=True).eval()
    with torch.no_grad():
        expected = reference(torch.tensor([ids])).last_hidden_state
        found = embedded.model.bert(torch.tensor([ids])).last_hidden_state
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_its_head_starts_as_the_word_embeddings_themselves(embedded: Backbone, ids: list[int]) -> None:
    words = embedded.model.bert.embeddings.word_embeddings.weight
    with torch.no_grad():
        hidden = embedded.model.bert(torch.tensor([ids])).last_hidden_state[0]
        torch.testing.assert_close(logits_alone(embedded, ids), hidden @ words.T, rtol=1e-4, atol=1e-4)
    transform = embedded.model.cls.predictions.transform
    assert torch.equal(transform.weight, torch.eye(len(transform.weight)))
    assert not transform.bias.any()


def test_its_weights_are_the_packages(embedded: Backbone) -> None:
    tensors = load_file(assets.embedded_model_directory() / assets.WEIGHTS)
    name = "encoder.layer.5.attention.self.query.weight"
    assert torch.equal(embedded.model.bert.get_parameter(name), tensors[name])
    assert torch.equal(
        embedded.model.bert.embeddings.word_embeddings.weight, tensors["embeddings.word_embeddings.weight"]
    )


def test_attention_has_no_dropout(embedded: Backbone) -> None:
    assert embedded.model.config.attention_probs_dropout_prob == 0
    assert embedded.model.config.hidden_dropout_prob > 0


@pytest.mark.parametrize("method", ["lora", "all"])
def test_word_embeddings_are_never_trained(method: str) -> None:
    backbone = load("embedded")
    attach(backbone, AdapterSpec(method=method))  # type: ignore[arg-type]
    trained = {name.removeprefix("base_model.model.") for name in trained_parameters(backbone)}
    assert not trained & set(FROZEN)
    assert set(HEAD) <= trained


def damaged_copy(folder: Path) -> Path:
    copy = Path(shutil.copytree(assets.embedded_model_directory(), folder / "package" / "model"))
    with (copy / assets.WEIGHTS).open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    return copy


def test_weights_that_are_not_the_known_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = damaged_copy(tmp_path)

    class Spec:
        submodule_search_locations = (str(copy.parent),)

    monkeypatch.setattr(assets.importlib.util, "find_spec", lambda name: Spec)
    with pytest.raises(ChecksumError, match=assets.SHA256):
        load_backbone("embedded")


def test_without_the_package_and_offline_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OfflineError, match=r"pip install 'instructerc\[offline\]'"):
        assets.embedded_model_directory()
