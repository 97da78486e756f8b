"""ChatGLM's first version as a model of transformers: padding, caches, adapters, checkpointing, saving.

Its numbers are held against the original's in `tests/benchmarks/test_chatglm_parity.py`.
"""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from instructerc.backbones.chatglm.configuration import ChatGLMConfig
from instructerc.backbones.chatglm.modeling import ChatGLMForCausalLM, rotate, rotations

GMASK, SOP, EOP, PAD = 31, 32, 33, 3
PROMPTS = [[5, 6, 7, GMASK, SOP], [9, GMASK, SOP], [10, 11, 12, 13, 14, 15, GMASK, SOP]]
ANSWER = [20, 21, EOP]


@pytest.fixture
def model() -> ChatGLMForCausalLM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ChatGLMForCausalLM(
            ChatGLMConfig(
                vocab_size=40,
                hidden_size=32,
                num_layers=3,
                num_attention_heads=4,
                inner_hidden_size=64,
                bos_token_id=SOP,
                eos_token_id=EOP,
                mask_token_id=30,
                gmask_token_id=GMASK,
                pad_token_id=PAD,
                initializer_range=0.2,
            )
        )
    return model.eval()


def padded(rows: list[list[int]], *, left: bool = True) -> dict[str, torch.Tensor]:
    longest = max(map(len, rows))
    ids, mask = torch.full((len(rows), longest), PAD), torch.zeros((len(rows), longest), dtype=torch.long)
    for number, row in enumerate(rows):
        own = slice(longest - len(row), None) if left else slice(len(row))
        ids[number, own], mask[number, own] = torch.tensor(row), 1
    return {"input_ids": ids, "attention_mask": mask}


def alone(model: Any, row: list[int]) -> torch.Tensor:
    logits: torch.Tensor = model(torch.tensor([row])).logits[0]
    return logits


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_padded_rows_give_what_they_give_alone(model: Any, attention: str, left: bool) -> None:
    rows = [prompt + ANSWER for prompt in PROMPTS]
    single = [alone(model, row) for row in rows]
    model.set_attn_implementation(attention)
    batch = padded(rows, left=left)
    logits = model(**batch).logits
    assert logits.isfinite().all()
    for number, expected in enumerate(single):
        own = batch["attention_mask"][number].bool()
        torch.testing.assert_close(logits[number, own], expected, atol=2e-5, rtol=0)


def test_half_precision_stays_finite_under_padding(model: Any) -> None:
    assert model.bfloat16()(**padded(PROMPTS)).logits.isfinite().all()


@pytest.mark.parametrize("steps", [(1, 1, 1), (3,), (2, 1)])
def test_a_cache_changes_nothing(model: Any, steps: tuple[int, ...]) -> None:
    batch = padded(PROMPTS)
    output = model(**batch, use_cache=True)
    cache = output.cache if "cache" in output else output.past_key_values
    mask, given, parts = batch["attention_mask"], 0, []
    for count in steps:
        ids = torch.tensor([ANSWER[given : given + count]] * len(PROMPTS))
        mask, given = torch.cat([mask, torch.ones_like(ids)], dim=1), given + count
        parts.append(model(ids, attention_mask=mask, past_key_values=cache, use_cache=True).logits)
    continued = torch.cat(parts, dim=1)
    for number, prompt in enumerate(PROMPTS):
        expected = alone(model, prompt + ANSWER)[-len(ANSWER) :]
        torch.testing.assert_close(continued[number], expected, atol=2e-5, rtol=0)


@torch.inference_mode()
def test_a_copied_and_cropped_cache_still_knows_its_prompts(model: Any) -> None:
    batch = padded(PROMPTS)
    output = model(**batch, use_cache=True)
    cache = copy.deepcopy(output.cache if "cache" in output else output.past_key_values)
    ids = torch.tensor([ANSWER] * len(PROMPTS))
    mask = torch.cat([batch["attention_mask"], torch.ones_like(ids)], dim=1)
    first = model(ids, attention_mask=mask, cache=cache, use_cache=True).logits
    cache.crop(-len(ANSWER))
    assert torch.equal(model(ids, attention_mask=mask, cache=cache, use_cache=True).logits, first)


def test_generation_with_and_without_a_cache_gives_the_same_tokens(model: Any) -> None:
    def generate(inputs: dict[str, torch.Tensor], *, use_cache: bool = True) -> list[list[int]]:
        settings = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": EOP, "pad_token_id": PAD}
        output = model.generate(**inputs, use_cache=use_cache, **settings)
        return [[int(token) for token in row] for row in output[:, inputs["input_ids"].shape[1] :]]

    together = generate(padded(PROMPTS))
    assert together == generate(padded(PROMPTS), use_cache=False)
    for row, prompt in zip(together, PROMPTS, strict=True):
        single = generate(padded([prompt]))[0]
        assert row[: len(single)] == single


def test_only_the_logits_that_are_asked_for_are_computed(model: Any) -> None:
    batch = padded(PROMPTS)
    whole = model(**batch).logits
    torch.testing.assert_close(model(**batch, logits_to_keep=2).logits, whole[:, -2:])
    torch.testing.assert_close(model(**batch, logits_to_keep=torch.tensor([1, 4])).logits, whole[:, [1, 4]])


def test_the_loss_is_the_mean_over_labelled_tokens(model: Any) -> None:
    batch = padded([prompt + ANSWER for prompt in PROMPTS])
    labels = torch.full_like(batch["input_ids"], -100)
    labels[:, -len(ANSWER) :] = torch.tensor(ANSWER)
    output = model(**batch, labels=labels, logits_to_keep=1)
    picked = output.logits[:, -len(ANSWER) - 1 : -1].log_softmax(-1).gather(2, labels[:, -len(ANSWER) :, None])
    torch.testing.assert_close(output.loss, -picked.mean())
    torch.testing.assert_close(model(**batch, labels=labels, num_items_in_batch=18).loss, output.loss / 2)


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing_gives_the_same_gradients(model: Any, reentrant: bool) -> None:
    batch = padded(PROMPTS)
    labels = batch["input_ids"].where(batch["attention_mask"].bool(), -100)

    def gradients() -> dict[str, torch.Tensor]:
        model.zero_grad()
        model.train()
        model(**batch, labels=labels, use_cache=False).loss.backward()
        return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    plain = gradients()
    # Newer releases of transformers renamed it.
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)({"use_reentrant": reentrant})
    assert model.is_gradient_checkpointing
    assert all(layer.gradient_checkpointing for layer in model.transformer.layers)
    for name, gradient in gradients().items():
        torch.testing.assert_close(gradient, plain[name])


def test_lora_adapts_the_fused_projection(model: Any) -> None:
    from peft import LoraConfig, get_peft_model

    batch = padded(PROMPTS)
    before = model(**batch).logits.detach()
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["query_key_value"]))
    assert torch.equal(adapted(**batch).logits, before)
    adapted(**batch).logits.sum().backward()
    trained = [name for name, parameter in adapted.named_parameters() if parameter.grad is not None]
    assert len(trained) == 2 * 3
    assert all("query_key_value.lora_" in name for name in trained)


def test_it_is_saved_under_the_names_of_the_original(model: Any, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    names = set(load_file(tmp_path / "model.safetensors"))
    assert {
        "transformer.word_embeddings.weight",
        "transformer.final_layernorm.bias",
        "transformer.layers.2.attention.query_key_value.weight",
        "transformer.layers.0.mlp.dense_4h_to_h.bias",
    } < names
    again = ChatGLMForCausalLM.from_pretrained(tmp_path)
    batch = padded(PROMPTS)
    assert torch.equal(again(**batch).logits, model(**batch).logits)
    assert again.config.to_dict() == ChatGLMForCausalLM.from_pretrained(tmp_path).config.to_dict()
    assert (again.config.num_hidden_layers, again.config.max_position_embeddings) == (3, 2048)


def test_queries_and_keys_meet_by_their_distance_in_both_positions() -> None:
    query, key = torch.randn(1, 1, 1, 16), torch.randn(1, 1, 1, 16)

    def score(of_query: tuple[int, int], of_key: tuple[int, int]) -> float:
        turned = [
            rotate(states, *rotations(torch.tensor(places).view(1, 2, 1), 16))
            for states, places in ((query, of_query), (key, of_key))
        ]
        return float((turned[0] * turned[1]).sum())

    assert score((7, 3), (2, 1)) == pytest.approx(score((17, 13), (12, 11)), abs=1e-4)
    assert score((0, 0), (0, 0)) == pytest.approx(float((query * key).sum()), abs=1e-5)
    assert score((7, 3), (2, 1)) != pytest.approx(score((3, 7), (1, 2)), abs=1e-4)


def test_a_cache_that_another_model_filled_is_refused(model: Any) -> None:
    from transformers import DynamicCache

    output = model(torch.tensor([PROMPTS[0]]), use_cache=True)
    filled, foreign = output.cache if "cache" in output else output.past_key_values, DynamicCache()
    foreign.update(filled.layers[0].keys, filled.layers[0].values, 0)
    with pytest.raises(ValueError, match="the cache does not know its prompts"):
        model(torch.tensor([[20]]), cache=foreign)


def test_arguments_that_do_not_fit_are_refused(model: Any) -> None:
    ids = torch.tensor([PROMPTS[0]])
    with pytest.raises(ValueError, match=r"attention_mask is \(1, 3\), not \(1, 5\)"):
        model(ids, attention_mask=torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"position_ids are \(1, 5\), not \(1, 2, 5\)"):
        model(ids, position_ids=torch.zeros(1, 5, dtype=torch.long))
    with pytest.raises(ValueError, match="inputs_embeds are not taken"):
        model(inputs_embeds=torch.zeros(1, 5, 32))


def test_nothing_is_warned_about(model: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.generate(**padded(PROMPTS), max_new_tokens=2, do_sample=False)
