"""ChatGLM from training to recognition, by LoRA and with all parameters, and padding against single sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import EncodedExample
from instructerc.recognition.generation import GreedyGeneration
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.recognition.scoring import PaddedScoring
from instructerc.testing import tiny_corpus
from instructerc.training.batches import PaddedBatching
from instructerc.training.objective import weighted_loss
from tests.chatglm_models import TINY
from tests.tiny_models import load, log_likelihoods_alone
from tests.training.runs import ALL, LORA, encoded, train

VERSIONS = [1, 2]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    return {version: TINY[version](tmp_path_factory.mktemp("chatglm")) for version in VERSIONS}


@pytest.fixture
def examples(folders: dict[int, Path]) -> list[EncodedExample]:
    """Of the first version, of several lengths."""
    return encoded(load(folders[1]))[:5]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_padded_scores_are_those_of_single_sequences(
    folders: dict[int, Path], examples: list[EncodedExample], attention: str
) -> None:
    backbone = load(folders[1])
    assert len({len(example.prompt) for example in examples}) > 2
    expected = [log_likelihoods_alone(backbone, example) for example in examples]
    backbone.model.set_attn_implementation(attention)
    assert backbone.model.config._attn_implementation == attention
    scores = PaddedScoring(batch_size=5).score(backbone, examples)
    torch.testing.assert_close(torch.tensor(scores), torch.tensor(expected), atol=1e-4, rtol=0)


def losses(backbone: Backbone, examples: list[EncodedExample], size: int) -> float:
    parts = PaddedBatching(micro_batch=size, pad=backbone.tokenizer.pad_token_id).micro_batches(examples)
    with torch.no_grad():
        return sum(float(weighted_loss(backbone, backbone.model, part)) for part in parts)


def test_padded_batches_have_the_loss_and_gradients_of_single_sequences(
    folders: dict[int, Path], examples: list[EncodedExample]
) -> None:
    backbone = load(folders[1])
    model = backbone.model

    def gradients(size: int) -> torch.Tensor:
        model.zero_grad()
        for part in PaddedBatching(micro_batch=size, pad=backbone.tokenizer.pad_token_id).micro_batches(examples):
            weighted_loss(backbone, model, part).backward()
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])

    expected = 0.0
    for example in examples:
        assert example.target is not None
        expected -= log_likelihoods_alone(backbone, example)[example.target] / len(example.answers[example.target])
    assert losses(backbone, examples, 5) == pytest.approx(expected, rel=1e-5)
    together, single = gradients(5), gradients(1)
    assert float((together - single).norm() / single.norm()) < 1e-5


@pytest.mark.parametrize("version", VERSIONS)
def test_generation_reads_padded_batches_as_single_prompts(folders: dict[int, Path], version: int) -> None:
    backbone = load(folders[version])
    examples = encoded(backbone)[:4]
    together = GreedyGeneration(batch_size=4, extra_tokens=4).generate(backbone, examples)
    assert together == GreedyGeneration(batch_size=1, extra_tokens=4).generate(backbone, examples)


def test_scores_with_an_adapter_are_those_of_single_sequences(
    folders: dict[int, Path], examples: list[EncodedExample]
) -> None:
    backbone = load(folders[1])
    attach(backbone, AdapterSpec(rank=2))
    with torch.no_grad():
        for name, parameter in backbone.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    assert not backbone.accepts("position_ids")
    backbone.model.eval()
    expected = [log_likelihoods_alone(backbone, example) for example in examples]
    scores = PaddedScoring(batch_size=5).score(backbone, examples)
    torch.testing.assert_close(torch.tensor(scores), torch.tensor(expected), atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("adapter", [LORA, ALL], ids=["lora", "all"])
@pytest.mark.parametrize("version", VERSIONS)
def test_it_trains_and_is_saved_loaded_and_asked(
    folders: dict[int, Path], version: int, adapter: AdapterSpec, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"epochs": 4, "learning_rate": 5e-3}
    result = train(folders[version], tmp_path / "score", adapter=adapter, **settings)
    seen = [row["loss"] for row in result.curves if "loss" in row]
    assert seen[-1] < seen[0]
    chat = tiny_corpus().test[0]
    first = EmotionRecognizer.from_pretrained(tmp_path / "score", device="cpu").recognize(chat)
    again = EmotionRecognizer.from_pretrained(tmp_path / "score", device="cpu").recognize(chat)
    assert [turn.probabilities for turn in first] == [turn.probabilities for turn in again]
    assert all(turn.probabilities for turn in first)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_asked_to_write_its_answers(folders: dict[int, Path], version: int, tmp_path: Path) -> None:
    train(folders[version], tmp_path / "generate", adapter=LORA, mode="generate", epochs=1)
    recognizer = EmotionRecognizer.from_pretrained(tmp_path / "generate", device="cpu")
    turns = recognizer.recognize(tiny_corpus().test[0])
    assert {turn.emotion for turn in turns} <= {*recognizer.labels}


@pytest.mark.slow
def test_gradient_checkpointing_trains_the_same(folders: dict[int, Path], tmp_path: Path) -> None:
    runs = [
        train(
            folders[1],
            tmp_path / str(on),
            adapter=AdapterSpec(rank=4, dropout=0.0),
            epochs=1,
            gradient_checkpointing=on,
        )
        for on in (False, True)
    ]
    plain, checkpointed = ([row["loss"] for row in run.curves if "loss" in row] for run in runs)
    assert checkpointed == pytest.approx(plain, rel=1e-4)
