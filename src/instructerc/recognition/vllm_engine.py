"""vLLM as the engine of recognition: the same questions and the same figures, faster on a GPU.

```
prompt ─┬─ joy ─── [SEP]            a request an edge: prompt and what stands before the edge go in, one token comes
        └─ sad ─┬─ ness ── [SEP]    out. The token of the edge is the only one that is allowed, so it comes with its
                └─ [SEP]            log-probability, which vLLM takes before anything is forbidden: the full softmax.
```

Why not `prompt_logprobs`: vLLM does not read its prefix cache for such requests (its guide to V1 says so), so every
label would read the whole prompt anew. Here whole blocks of a prompt are common to the labels of a turn, and to the
turns of a conversation, and come out of the cache. The sum over the edges of an answer, its end token included, is what
`scoring` and `tree_scoring` compute. Prompts go in as token ids, ours to the last one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from instructerc.assets import offline
from instructerc.backbones.backbone import Backbone, Quantization
from instructerc.backbones.chat import StyleSetting
from instructerc.backbones.loading import Dtype, best_device, computes_bfloat16, load_skeleton
from instructerc.backbones.presets import packaged
from instructerc.backbones.tokens import EncodedExample, longest_sequence
from instructerc.errors import BackboneError, UsageError
from instructerc.recognition.scoring import Progress

Edge = tuple[tuple[int, ...], int]
"""A token of an answer, and the tokens of the answer before it."""


class Generating(Protocol):
    """What is needed of `vllm.LLM`."""

    def generate(self, prompts: Any, sampling_params: Any, *, use_tqdm: bool) -> Any:
        """A `vllm.RequestOutput` a prompt, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmEngine:
    """Scores and generates through vLLM.

    Attributes:
        llm: A `vllm.LLM`.
        sampling: `vllm.SamplingParams`.
        tokenizer: The backbone's, prepared; what is generated is decoded with it.
        batch_size: Examples that are handed over at once; vLLM makes its own batches of their requests.
    """

    llm: Generating
    sampling: Callable[..., Any]
    tokenizer: Any
    batch_size: int = 256

    def score(self, examples: Sequence[EncodedExample], *, progress: Progress | None = None) -> list[list[float]]:
        """The log-likelihood of every answer of every example, in order; equal to `PaddedScoring`.

        Args:
            examples: What to score; examples may have different answers.
            progress: Told how many examples are done.

        Returns:
            For each example a log-likelihood an answer: the sum over the answer's tokens, end token included.

        Raises:
            BackboneError: vLLM returns something else than it was asked for.
        """
        scores: list[list[float]] = []
        for start in range(0, len(examples), self.batch_size):
            part = examples[start : start + self.batch_size]
            edges = [edges_of(example.answers) for example in part]
            prompts = [
                _prompt(example, before) for example, found in zip(part, edges, strict=True) for before, _ in found
            ]
            settings = [self._forcing(token) for found in edges for _, token in found]
            values = iter(map(_value, self._run(prompts, settings), (token for found in edges for _, token in found)))
            for example, found in zip(part, edges, strict=True):
                worth = {edge: next(values) for edge in found}
                scores.append([sum(worth[edge] for edge in _path(answer)) for answer in example.answers])
            if progress:
                progress(len(part))
        return scores

    def generate(self, examples: Sequence[EncodedExample], *, progress: Progress | None = None) -> list[str]:
        """The answer to every example, in order, as `GreedyGeneration` writes it: greedy, one token past the labels."""
        answers: list[str] = []
        for start in range(0, len(examples), self.batch_size):
            part = examples[start : start + self.batch_size]
            outputs = self._run([_prompt(example, ()) for example in part], list(map(self._greedy, part)))
            answers += [self._text(example, out.token_ids) for example, out in zip(part, outputs, strict=True)]
            if progress:
                progress(len(part))
        return answers

    def _forcing(self, token: int) -> Any:
        return self.sampling(
            temperature=0.0, max_tokens=1, allowed_token_ids=[token], logprobs=0, ignore_eos=True, detokenize=False
        )

    def _greedy(self, example: EncodedExample) -> Any:
        longest = max(map(len, example.answers))
        stops = sorted({self.tokenizer.eos_token_id, *_ends(example)})
        return self.sampling(temperature=0.0, max_tokens=longest + 1, stop_token_ids=stops, detokenize=False)

    def _text(self, example: EncodedExample, tokens: Sequence[int]) -> str:
        """What was written, up to the token that ends an answer: a template's own need not be flagged as special."""
        ends = _ends(example) - {self.tokenizer.eos_token_id}
        written = list(itertools.takewhile(lambda token: token not in ends, tokens))
        return str(self.tokenizer.decode(written, skip_special_tokens=True)).strip()

    def _run(self, prompts: Sequence[Any], settings: Sequence[Any]) -> list[Any]:
        """The first completion of every request."""
        outputs = self.llm.generate(list(prompts), list(settings), use_tqdm=False)
        if len(outputs) != len(prompts):
            raise BackboneError(f"vLLM answered {len(outputs)} of {len(prompts)} requests: use engine transformers")
        return [output.outputs[0] for output in outputs]


def edges_of(answers: Iterable[Sequence[int]]) -> list[Edge]:
    """Every edge of the trie of some answers, each once.

    Example:
        >>> edges_of([(5, 2), (5, 6, 2)])
        [((), 5), ((5,), 2), ((5,), 6), ((5, 6), 2)]
    """
    return list(dict.fromkeys(edge for answer in answers for edge in _path(answer)))


def load_vllm(
    name: str,
    *,
    revision: str | None = None,
    dtype: Dtype = "auto",
    quantization: Quantization = "none",
    style: StyleSetting = "auto",
    max_length: int | None = None,
    **options: Any,
) -> tuple[Backbone, VllmEngine]:
    """Loads a language model into vLLM.

    Args:
        name: As `load_backbone` takes it: a preset, a local folder, or a hub id; the embedded backbone is none of them.
        revision: Commit, tag or branch of a hub repository.
        dtype: What it is held and computed in.
        quantization: Has to be "none".
        style: How prompts are put to it, as `load_backbone` takes it.
        max_length: Longest sequence that is asked for; by default what the backbone can take.
        **options: Further arguments of `vllm.LLM`, such as `gpu_memory_utilization`.

    Returns:
        The backbone without weights, which says how prompts are encoded, and the engine.

    Raises:
        UsageError: vLLM is not installed, or does not do what is asked for.
        BackboneError: The model cannot be loaded.
    """
    vllm = require_vllm()
    if packaged(name):
        raise UsageError(f"vLLM does not know the backbone {name!r}: use engine transformers, or name another one")
    if quantization != "none":
        raise UsageError(f"vLLM reads weights as they are, not in {quantization}: use engine transformers")
    backbone = load_skeleton(name, revision=revision, style=style)
    source, revision = _local(backbone.source, revision) if offline() else (backbone.source, revision)
    try:
        llm = vllm.LLM(
            model=source,
            revision=revision,
            dtype=_dtype_name(dtype),
            max_model_len=longest_sequence(backbone.context, max_length),
            enable_prefix_caching=True,
            generation_config="vllm",  # a checkpoint's own sampling settings must not steer it (method §7)
            logprobs_mode="raw_logprobs",
            trust_remote_code=False,
            seed=0,
            **options,
        )
    except Exception as error:  # vLLM passes on what its workers raise, of any type
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise BackboneError(f"{name}: vLLM cannot load it ({reason}): use engine transformers") from error
    return backbone, VllmEngine(llm=llm, sampling=vllm.SamplingParams, tokenizer=backbone.tokenizer)


def require_vllm() -> Any:
    """The library.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import vllm
    except ImportError as error:
        raise UsageError(
            f"recognition.engine 'vllm' needs the library vllm, which cannot be imported ({error}): "
            "pip install 'instructerc[vllm]' on Linux with a GPU, or use engine transformers"
        ) from None
    return vllm


def _prompt(example: EncodedExample, before: Sequence[int]) -> dict[str, list[int]]:
    """A `vllm.TokensPrompt`, which is a dictionary."""
    return {"prompt_token_ids": [*example.prompt, *before]}


def _ends(example: EncodedExample) -> set[int]:
    return {answer[-1] for answer in example.answers}


def _path(answer: Sequence[int]) -> list[Edge]:
    return [(tuple(answer[:place]), token) for place, token in enumerate(answer)]


def _value(completion: Any, token: int) -> float:
    """The log-probability of the one token that was allowed."""
    if list(completion.token_ids) != [token] or not completion.logprobs or token not in completion.logprobs[0]:
        raise BackboneError(
            f"vLLM was to write token {token} and wrote {list(completion.token_ids)}: its release is not one that this "
            "package knows (vllm>=0.10): use engine transformers"
        )
    return float(completion.logprobs[0][token].logprob)


def _dtype_name(dtype: Dtype) -> str:
    if dtype == "auto":
        return "bfloat16" if computes_bfloat16(best_device()) else "float32"
    return dtype


def _local(source: str, revision: str | None) -> tuple[str, str | None]:
    """The folder of a hub repository that was downloaded before: vLLM knows nothing of our offline switch."""
    from pathlib import Path

    if Path(source).is_dir():
        return source, None
    from huggingface_hub import snapshot_download

    try:
        return snapshot_download(source, revision=revision, local_files_only=True), None
    except Exception as error:
        raise BackboneError(f"{source}: is not on this machine, and an offline switch is on: unset it") from error
