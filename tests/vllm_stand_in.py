"""vLLM for machines without it: the part that is used, on a model of transformers, in the form of vLLM's outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from instructerc.backbones.backbone import Backbone
from tests.tiny_models import logits_alone


@dataclass(kw_only=True)
class SamplingParams:
    """The part of `vllm.SamplingParams` that is used; its defaults are vLLM's."""

    temperature: float = 1.0
    max_tokens: int | None = 16
    allowed_token_ids: list[int] | None = None
    logprobs: int | None = None
    ignore_eos: bool = False
    stop_token_ids: list[int] | None = None
    detokenize: bool = True


@dataclass
class StandIn:
    """`vllm.LLM` on a model of transformers: log-probabilities are taken before tokens are forbidden."""

    backbone: Backbone
    prompts: list[list[int]] = field(default_factory=list)

    @torch.inference_mode()
    def generate(self, prompts: Any, sampling_params: Any, *, use_tqdm: bool) -> list[Any]:
        assert not use_tqdm
        assert len(prompts) == len(sampling_params)
        return [self._output(prompt, params) for prompt, params in zip(prompts, sampling_params, strict=True)]

    def _output(self, prompt: dict[str, list[int]], params: SamplingParams) -> Any:
        assert params.temperature == 0
        ids = list(prompt["prompt_token_ids"])
        self.prompts.append(ids)
        written: list[int] = []
        logprobs: list[dict[int, Any]] = []
        while len(written) < (params.max_tokens or 0):
            raw = logits_alone(self.backbone, [*ids, *written])[-1].float().log_softmax(dim=-1)
            allowed = raw.clone()
            if params.allowed_token_ids is not None:
                allowed[:] = -torch.inf
                allowed[params.allowed_token_ids] = raw[params.allowed_token_ids]
            token = int(allowed.argmax())
            written.append(token)
            logprobs.append({token: SimpleNamespace(logprob=float(raw[token]), rank=1, decoded_token=None)})
            if token in (params.stop_token_ids or ()) and not params.ignore_eos:
                break
        return SimpleNamespace(
            prompt_token_ids=ids,
            outputs=[SimpleNamespace(token_ids=written, logprobs=logprobs if params.logprobs is not None else None)],
        )


class FakeModule(ModuleType):
    """`vllm` as a module.

    Args:
        load: From the name of a model to what runs it.

    Attributes:
        given: What its last `LLM` was made with.
    """

    def __init__(self, load: Callable[[str], Backbone]) -> None:
        super().__init__("vllm")
        self.given: dict[str, Any] = {}
        self.load = load
        self.SamplingParams = SamplingParams

    def LLM(self, **given: Any) -> StandIn:  # noqa: N802 — as vLLM calls it
        self.given = given
        return StandIn(self.load(given["model"]))
