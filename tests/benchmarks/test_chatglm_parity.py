"""ChatGLM and ChatGLM2 against the numbers that their original implementations gave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.chatglm.layout import find_context, positions, visible

TOLERANCE = 2e-5
"""The original's own steps with and without a cache differ by up to 9e-6."""

Benchmark = Callable[[str], Any]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(("folder", "cases"), [("chatglm", 14), ("chatglm2", 13)])
def test_every_case_gives_the_originals_numbers(
    benchmark: Benchmark, shared: Path, folder: str, cases: int, attention: str
) -> None:
    parity = benchmark("chatglm_parity")
    references = shared / "oracles" / folder
    model = parity.model_of(references, attention)
    found = {case.name: parity.difference(model, case) for case in parity.cases_of(references)}
    assert len(found) >= cases
    assert {name: one.logits for name, one in found.items() if not one.logits < TOLERANCE} == {}
    assert {name: one.loss for name, one in found.items() if one.loss is not None and one.loss > TOLERANCE} == {}
    assert sum(one.loss is not None for one in found.values()) >= 1
    assert {name: one for name, one in found.items() if one.equal != one.tokens} == {}
    assert sum(one.tokens > 0 for one in found.values()) >= 3


def test_states_between_layers_are_the_originals(benchmark: Benchmark, shared: Path) -> None:
    parity = benchmark("chatglm_parity")
    references = shared / "oracles" / "chatglm"
    model = parity.model_of(references, "sdpa")
    cases = [case for case in parity.cases_of(references) if "hidden_states" in case.tensors]
    assert len(cases) >= 2
    for case in cases:
        with torch.no_grad():
            states = torch.stack(model(**case.inputs(), output_hidden_states=True).hidden_states)
        torch.testing.assert_close(
            states[:, case.real], case.tensors["hidden_states"][:, case.real], atol=1e-4, rtol=1e-5
        )


def test_masks_and_positions_are_the_originals_to_the_bit(benchmark: Benchmark, shared: Path) -> None:
    parity = benchmark("chatglm_parity")
    references = shared / "oracles" / "chatglm"
    config = parity.model_of(references, "sdpa").config
    compared = 0
    for case in parity.cases_of(references):
        if "attention_mask_4d" not in case.tensors or case.name == "both_masks_tokenizer":
            continue
        mask, real, count = case.inputs()["attention_mask"], case.real, case.ids.shape[1]
        blanks = (config.gmask_token_id, config.mask_token_id)
        context = find_context(case.ids, mask, start=config.bos_token_id, blanks=blanks)
        seen = visible(context, mask, count=count)[:, 0]
        assert torch.equal(seen[real], ~case.tensors["attention_mask_4d"][:, 0][real])
        places = positions(context, mask, count=count).transpose(1, 2)
        assert torch.equal(places[real], case.tensors["position_ids"].transpose(1, 2)[real])
        compared += 1
    assert compared >= 9


def test_the_tokenizer_prefers_the_other_mask_token_and_its_positions_may_be_given(
    benchmark: Benchmark, shared: Path
) -> None:
    parity = benchmark("chatglm_parity")
    references = shared / "oracles" / "chatglm"
    model = parity.model_of(references, "sdpa")
    case = next(case for case in parity.cases_of(references) if case.name == "both_masks_tokenizer")
    assert "position_ids" in case.inputs()
    own = model(input_ids=case.ids, attention_mask=case.real.long()).logits
    assert (own - case.tensors["logits"])[case.real].abs().max() > 0.01


def test_the_benchmark_writes_a_row_a_model_and_attention(
    rows_of: Callable[..., list[dict[str, Any]]], shared: Path
) -> None:
    rows = rows_of("chatglm_parity", "--references", str(shared / "oracles"))
    assert [(row["model"], row["attention"]) for row in rows] == [
        (model, attention) for model in ("ChatGLM", "ChatGLM2") for attention in ("sdpa", "eager")
    ]
    assert all(row["logits"] < TOLERANCE and row["equal"] == row["tokens"] > 0 for row in rows)


def test_without_references_the_benchmark_says_where_they_should_be(
    benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INSTRUCTERC_SHARED", raising=False)
    with pytest.raises(SystemExit, match="neither --references nor INSTRUCTERC_SHARED"):
        benchmark("chatglm_parity").main([])
