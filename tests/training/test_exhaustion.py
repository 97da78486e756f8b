"""A step that does not fit into memory is done again in smaller passes, or says what to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from instructerc.backbones.exhaustion import is_exhausted, naming_remedies
from instructerc.errors import MemoryExhaustedError
from instructerc.training import objective, trainer
from tests.training.runs import Log, train, validations, weights


@contextmanager
def memory_of(tokens: int, monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> Iterator[list[int]]:
    """A device on which a pass of more tokens finds no memory; lists what was tried."""
    tried: list[int] = []
    loss = objective.weighted_loss

    def measured(backbone: Any, model: Any, batch: Any, **named: Any) -> torch.Tensor:
        tried.append(batch.size)
        if batch.size > tokens:
            raise error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return loss(backbone, model, batch, **named)

    monkeypatch.setattr(trainer, "weighted_loss", measured)
    yield tried


@pytest.mark.parametrize(("batching", "tokens"), [("tree", 120), ("padded", 150)])
@pytest.mark.parametrize("error", [RuntimeError, torch.OutOfMemoryError])
def test_smaller_passes_learn_the_same(
    llama_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batching: str,
    tokens: int,
    error: type[Exception],
) -> None:
    whole, tight, notes = tmp_path / "whole", tmp_path / "tight", Log()
    train(llama_folder, whole, batching=batching)
    with memory_of(tokens, monkeypatch, error) as tried:
        train(llama_folder, tight, batching=batching, auto_batch=True, watcher=notes)
    assert max(tried) > tokens, "there was something to mend"
    assert [text for text in notes.notes if text.startswith("memory ran out at")]
    assert sum(size > tokens for size in tried) < 8, "what was learned holds for the steps that follow"
    for found, expected in zip(validations(tight), validations(whole), strict=True):
        assert found["validation"] == pytest.approx(expected["validation"])


@pytest.mark.parametrize(("batching", "key"), [("tree", "training.row_tokens"), ("padded", "training.micro_batch")])
def test_unasked_it_says_what_to_lower_and_a_resume_may_lower_it(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batching: str, key: str
) -> None:
    with (
        memory_of(100, monkeypatch, RuntimeError),
        pytest.raises(MemoryExhaustedError, match=rf"lower {key} or set training.auto_batch \(--auto-batch\)"),
    ):
        train(llama_folder, tmp_path / "run", batching=batching)


def test_a_single_sequence_that_does_not_fit_ends_it(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with memory_of(3, monkeypatch, RuntimeError) as tried, pytest.raises(MemoryExhaustedError):
        train(llama_folder, tmp_path / "run", auto_batch=True)
    assert len(tried) < 20


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), naming_remedies("training", "nothing"):
        raise RuntimeError("shapes do not match")
    assert is_exhausted(MemoryError())
    assert not is_exhausted(ValueError("out of memory"))


def test_a_machine_that_is_full_for_real() -> None:
    size = 2**60  # bytes: more than any machine has, so the allocator itself says no
    with (
        pytest.raises(MemoryExhaustedError, match="memory ran out while reading: take less") as raised,
        naming_remedies("reading", "take less"),
    ):
        torch.empty(size, dtype=torch.uint8)
    assert raised.value.__cause__ is not None


def test_weights_are_untouched_by_a_step_that_failed_half_way(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two passes fails: the gradients of the first must not count twice."""
    plain, torn = tmp_path / "plain", tmp_path / "torn"
    train(llama_folder, plain, batching="padded", micro_batch=4, epochs=1)
    loss, passes = objective.weighted_loss, 0

    def second_fails(backbone: Any, model: Any, batch: Any, **named: Any) -> torch.Tensor:
        nonlocal passes
        passes += 1
        if passes == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loss(backbone, model, batch, **named)

    monkeypatch.setattr(trainer, "weighted_loss", second_fails)
    train(llama_folder, torn, batching="padded", micro_batch=4, epochs=1, auto_batch=True)
    before, after = (load(weights(at)) for at in (plain, torn))
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, atol=1e-4, rtol=1e-4)
