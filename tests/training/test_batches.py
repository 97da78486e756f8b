"""Steps and micro-batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.prompts import Example, PromptSpec
from instructerc.prompts.example import Segment
from instructerc.testing import TINY_LABELS, tiny_corpus
from instructerc.training.batches import PaddedBatching, StepDataset, target_answer, token_weight
from instructerc.training.grouping import ByExample
from tests.training.runs import encoded

PAD = 99


def made(prompt: int, answer: tuple[int, ...] = (1, 2), weight: float = 1.0) -> EncodedExample:
    """An example with a prompt of that many tokens."""
    return EncodedExample(tuple(range(10, 10 + prompt)), ((7, 2), answer), 1, weight)


def dataset_of(examples: list[EncodedExample], *, batch_size: int = 4, seed: int = 1, epoch: int = 0) -> StepDataset:
    return StepDataset(examples, ByExample(), PaddedBatching(micro_batch=2, pad=PAD), batch_size, seed, epoch)


def met(dataset: StepDataset) -> list[int]:
    return [position for step in dataset.plan() for position in step]


def test_sequences_are_padded_on_the_left_and_end_before_their_last_token() -> None:
    (batch,) = PaddedBatching(micro_batch=2, pad=PAD).micro_batches([made(2, (1, 2)), made(3, (4, 5, 2))])
    assert batch.inputs["input_ids"].tolist() == [[10, 11, 12, 4, 5], [PAD, PAD, 10, 11, 1]]
    assert batch.inputs["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]]
    assert batch.inputs["position_ids"].tolist() == [[0, 1, 2, 3, 4], [0, 0, 0, 1, 2]]
    assert batch.targets.tolist() == [[4, 5, 2], [0, 1, 2]]
    assert batch.weights[0].tolist() == pytest.approx([1 / 3] * 3)
    assert batch.weights[1].tolist() == pytest.approx([0, 1 / 2, 1 / 2])


def test_only_the_answer_and_its_end_token_count(llama: Backbone) -> None:
    examples = encoded(llama)
    for batch in PaddedBatching(micro_batch=5, pad=0).micro_batches(examples):
        for targets, weights in zip(batch.targets.tolist(), batch.weights.tolist(), strict=True):
            counted = tuple(target for target, weight in zip(targets, weights, strict=True) if weight)
            assert counted in examples[0].answers
            assert counted[-1] == llama.tokenizer.eos_token_id


def test_an_end_token_that_pads_as_well_still_counts() -> None:
    example = made(2, (1, PAD))
    (batch,) = PaddedBatching(micro_batch=2, pad=PAD).micro_batches([example, made(4, (1, 3, PAD))])
    assert batch.targets[1].tolist()[-2:] == [1, PAD]
    assert batch.weights[1].tolist() == pytest.approx([0, 1 / 2, 1 / 2])


def test_weights_are_by_answer_or_by_token() -> None:
    example = made(3, (1, 4, 2), weight=0.3)
    assert token_weight(example, target_answer(example), "answer") == pytest.approx(0.1)
    assert token_weight(example, target_answer(example), "token") == pytest.approx(0.3)
    (by_answer,) = PaddedBatching(micro_batch=1, pad=PAD).micro_batches([example])
    (by_token,) = PaddedBatching(micro_batch=1, pad=PAD, loss_weighting="token").micro_batches([example])
    assert float(by_answer.weights.sum()) == pytest.approx(0.3)
    assert float(by_token.weights.sum()) == pytest.approx(0.9)


def test_the_longest_come_first_so_that_memory_peaks_at_once() -> None:
    batches = PaddedBatching(micro_batch=2, pad=PAD).micro_batches([made(length) for length in (2, 9, 4, 7, 5)])
    assert [batch.inputs["input_ids"].shape[1] for batch in batches] == [10, 6, 3]


def test_a_step_knows_the_weight_of_all_of_it() -> None:
    dataset = dataset_of([made(3, weight=0.5), made(5, (1, 3, 2)), made(2)], batch_size=3)
    step = dataset[0]
    assert len(step["micro_batches"]) == 2
    assert step["weight"] == pytest.approx(2.5)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5), st.integers(0, 3))
def test_every_example_is_met_once_an_epoch(count: int, batch_size: int, seed: int, epoch: int) -> None:
    dataset = dataset_of([made(2)] * count, batch_size=batch_size, seed=seed, epoch=epoch)
    assert sorted(met(dataset)) == list(range(count))
    assert len(dataset.plan()) == len(dataset)
    assert all(dataset.plan())
    seen = [row for step in range(len(dataset)) for batch in dataset[step]["micro_batches"] for row in batch.targets]
    assert len(seen) == count


def test_the_order_depends_on_seed_and_epoch_only() -> None:
    examples = [made(2)] * 30
    first = met(dataset_of(examples))
    assert met(dataset_of(examples)) == first
    assert met(dataset_of([made(length % 7 + 1) for length in range(30)])) == first
    assert met(dataset_of(examples, seed=2)) != first
    assert met(dataset_of(examples, epoch=1)) != first
    dataset = dataset_of(examples)
    dataset.epoch = 1
    assert met(dataset) == met(dataset_of(examples, epoch=1))
    dataset.epoch = 0
    assert met(dataset) == first


@pytest.mark.parametrize("step", [-1, 3, 100])
def test_a_step_that_does_not_exist_is_an_index_error(step: int) -> None:
    with pytest.raises(IndexError):
        dataset_of([made(2)] * 10)[step]


@pytest.mark.parametrize("limit", [40, 60, 100])
def test_the_target_turn_and_the_answer_are_never_cut(llama: Backbone, limit: int) -> None:
    spec = PromptSpec(labels=TINY_LABELS, wording="compact")
    chat = tiny_corpus().train[0]
    encoder = PromptEncoder(llama.tokenizer, limit)
    for example in spec.labelled_examples(chat):
        ids = encoder.encode(example)
        ((row,),) = ([batch] for batch in PaddedBatching(micro_batch=1, pad=0).micro_batches([ids]))
        text = llama.tokenizer.decode(row.inputs["input_ids"][0])
        assert chat.utterances[example.turn].text in text
        assert text.startswith("<s>Emotions: joy, anger, neutral.")
        assert row.inputs["input_ids"].shape[1] <= limit
        assert tuple(row.targets[0].tolist()) == target_answer(ids)


def test_an_opaque_prompt_keeps_its_end(llama: Backbone) -> None:
    example = Example("c", 0, "recognition", (Segment("opaque", "word " * 200 + "the end:"),), ("joy",), "joy")
    ids = PromptEncoder(llama.tokenizer, 50).encode(example)
    assert ids.cut_tokens > 0
    assert llama.tokenizer.decode(ids.prompt).endswith("the end:")
    assert len(ids.prompt) + len(ids.answers[0]) == 50
