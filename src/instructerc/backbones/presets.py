"""Backbones that have a name, as one flat table.

Base models, unless the name ends in `-instruct`: fine-tuning teaches the form of the answer itself, and a base model is
what the paper starts from. The tuned ones are for zero-shot, and put prompts in their chat template.

Counts of parameters and sizes follow from the published configurations; a test builds every architecture on no device
and counts. Revisions are commits that are known to be the model's own; what stands without one is not pinned, and
`backbone.revision` pins it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from instructerc.backbones.backbone import Style
from instructerc.backbones.memory import Sizes

LLAMA_TARGETS = ("q_proj", "k_proj", "v_proj")
FUSED_TARGETS = ("query_key_value",)
BERT_TARGETS = ("query", "key", "value")

Published = Literal["float32", "bfloat16", "float16"]
"""Number type of published weights."""

LLAMA_1 = "LLaMA licence: research only"
LLAMA_2 = "Llama 2 Community License"
LLAMA_3_1 = "Llama 3.1 Community License"
LLAMA_3_2 = "Llama 3.2 Community License"
BLOOM_RAIL = "BigScience BLOOM RAIL 1.0"
APACHE = "Apache 2.0"
GEMMA = "Gemma Terms of Use"
CHATGLM = "ChatGLM model licence: research, else by registration"
GLM_4 = "GLM-4 model licence"


@dataclass(frozen=True, slots=True)
class Preset:
    """One row of the table.

    Attributes:
        name: What recipes call the backbone.
        source: Where its weights come from: a hub id, or "package" for the embedded one.
        revision: Commit of the hub repository that is loaded where nobody asks for another; None takes its main branch.
        family: Model type, as transformers calls what is loaded.
        targets: Modules that LoRA adapts by default (method §7).
        context: Longest sequence, in tokens; longer prompts lose their oldest turns.
        dtype: Number type of its published weights. What they are held in is up to the hardware: bfloat16 where it
            computes with that, else float32; float16 only where somebody asks for it, since it gave NaN losses on
            LLaMA (method §7).
        style: How prompts are put to it: as they are, or in its chat template.
        trees: Whether it takes token trees; else it reads padded batches.
        parameters: How many it has.
        note: What it is for.
        sizes: Of its architecture.
        licence: Of its weights.
        gated: The hub hands it out to those who have accepted its terms.
    """

    name: str
    source: str
    revision: str | None
    family: str
    targets: tuple[str, ...]
    context: int
    dtype: Published
    style: Style
    trees: bool
    parameters: int
    note: str
    sizes: Sizes
    licence: str
    gated: bool = False


_MINILM = Sizes(6, 384, 1536, 12, 12, 32, 30522, gated=False, upcast=False, dropout=True)

# A table is read row by row.
# fmt: off
_ROWS = (
    # name, source, revision
    #      family, LoRA targets, context, dtype, style, trees, parameters
    #      note, sizes (layers, hidden, feed-forward, heads, key-value heads, head size, vocabulary), licence
    Preset("embedded", "package", None,
           "bert", BERT_TARGETS, 512, "float32", "plain", True, 22_743_738,
           "runs on a laptop, offline: all-MiniLM-L6-v2 as a causal model",
           _MINILM, APACHE),
    Preset("embedded-turns", "package", None,
           "bert", BERT_TARGETS, 512, "float32", "plain", True, 22_743_738,
           "the same, each turn read in both directions: better, and as fast",
           _MINILM, APACHE),
    Preset("embedded-encoder", "package", None,
           "bert", BERT_TARGETS, 512, "float32", "plain", False, 22_743_738,
           "the same, its prompts read in both directions: better, and about half as fast",
           _MINILM, APACHE),
    Preset("smollm2-135m", "HuggingFaceTB/SmolLM2-135M", "93efa2f097d58c2a74874c7e644dbc9b0cee75a2",
           "llama", LLAMA_TARGETS, 8192, "bfloat16", "plain", True, 134_515_008,
           "smallest of today's models", Sizes(30, 576, 1536, 9, 3, 64, 49152), APACHE),
    Preset("smollm2-360m", "HuggingFaceTB/SmolLM2-360M", "f8027fd0eaeea54caa13c31d31b9fdc459c38b49",
           "llama", LLAMA_TARGETS, 8192, "bfloat16", "plain", True, 361_821_120,
           "small, English", Sizes(32, 960, 2560, 15, 5, 64, 49152), APACHE),
    Preset("gemma3-270m", "google/gemma-3-270m", "9b0cfec892e2bc2afd938c98eabe4e4a7b1e0ca1",
           "gemma3_text", LLAMA_TARGETS, 32_768, "bfloat16", "plain", True, 268_098_176,
           "small, many languages, two thirds of it vocabulary",
           Sizes(18, 640, 2048, 4, 1, 256, 262144, norms=4, head_norms=True), GEMMA, gated=True),
    Preset("gemma3-1b", "google/gemma-3-1b-pt", "fcf18a2a879aab110ca39f8bffbccd5d49d8eb29",
           "gemma3_text", LLAMA_TARGETS, 32_768, "bfloat16", "plain", True, 999_885_952,
           "largest of today's Gemmas that reads text alone",
           Sizes(26, 1152, 6912, 4, 1, 256, 262144, norms=4, head_norms=True), GEMMA, gated=True),
    Preset("qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B", "060db6499f32faf8b98477b0a26969ef7d8b9987",
           "qwen2", LLAMA_TARGETS, 32_768, "bfloat16", "plain", True, 494_032_768,
           "small, many languages", Sizes(24, 896, 4864, 14, 2, 64, 151936), APACHE),
    Preset("qwen2.5-7b", "Qwen/Qwen2.5-7B", "d149729398750b98c0af14eb82c78cfe92750796",
           "qwen2", LLAMA_TARGETS, 131_072, "bfloat16", "plain", True, 7_615_616_512,
           "many languages, Chinese among them", Sizes(28, 3584, 18944, 28, 4, 128, 152064), APACHE),
    Preset("qwen3-0.6b", "Qwen/Qwen3-0.6B-Base", "da87bfb608c14b7cf20ba1ce41287e8de496c0cd",
           "qwen3", LLAMA_TARGETS, 32_768, "bfloat16", "plain", True, 596_049_920,
           "small, many languages", Sizes(28, 1024, 3072, 16, 8, 128, 151936, head_norms=True), APACHE),
    Preset("qwen3-1.7b", "Qwen/Qwen3-1.7B-Base", "ea980cb0a6c2ae4b936e82123acc929f1cec04c1",
           "qwen3", LLAMA_TARGETS, 32_768, "bfloat16", "plain", True, 1_720_574_976,
           "a GPU of 24 GiB trains it by LoRA", Sizes(28, 2048, 6144, 16, 8, 128, 151936, head_norms=True), APACHE),
    Preset("qwen3-4b", "Qwen/Qwen3-4B-Base", "906bfd4b4dc7f14ee4320094d8b41684abff8539",
           "qwen3", LLAMA_TARGETS, 32_768, "bfloat16", "plain", True, 4_022_468_096,
           "between the small ones and the paper's sizes",
           Sizes(36, 2560, 9728, 32, 8, 128, 151936, head_norms=True), APACHE),
    Preset("qwen3-8b", "Qwen/Qwen3-8B-Base", "49e3418fbbbca6ecbdf9608b4d22e5a407081db4",
           "qwen3", LLAMA_TARGETS, 32_768, "bfloat16", "plain", True, 8_190_735_360,
           "today's model of about the paper's size",
           Sizes(36, 4096, 12288, 32, 8, 128, 151936, head_norms=True), APACHE),
    Preset("llama3.2-1b", "meta-llama/Llama-3.2-1B", "4e20de362430cd3b72f300e6b0f18e50e7166e08",
           "llama", LLAMA_TARGETS, 131_072, "bfloat16", "plain", True, 1_235_814_400,
           "small Llama", Sizes(16, 2048, 8192, 32, 8, 64, 128256), LLAMA_3_2, gated=True),
    Preset("llama3.2-3b", "meta-llama/Llama-3.2-3B", "13afe5124825b4f3751f836b40dafda64c1ed062",
           "llama", LLAMA_TARGETS, 131_072, "bfloat16", "plain", True, 3_212_749_824,
           "between the small Llama and the large", Sizes(28, 3072, 8192, 24, 8, 128, 128256), LLAMA_3_2, gated=True),
    Preset("llama3.1-8b", "meta-llama/Llama-3.1-8B", "d04e592bb4f6aa9cfee91e2e20afa771667e1d4b",
           "llama", LLAMA_TARGETS, 131_072, "bfloat16", "plain", True, 8_030_261_248,
           "heir of the paper's Llamas", Sizes(32, 4096, 14336, 32, 8, 128, 128256), LLAMA_3_1, gated=True),
    Preset("mistral-7b", "mistralai/Mistral-7B-v0.3", "caa1feb0e54d415e2df31207e5f4e273e33509b1",
           "mistral", LLAMA_TARGETS, 32_768, "bfloat16", "plain", True, 7_248_023_552,
           "version 0.3", Sizes(32, 4096, 14336, 32, 8, 128, 32768), APACHE),
    Preset("glm-4-9b", "zai-org/glm-4-9b-hf", None,
           "glm", LLAMA_TARGETS, 8192, "bfloat16", "plain", True, 9_399_951_360,
           "heir of the paper's ChatGLMs; Chinese and English", Sizes(40, 4096, 13696, 32, 2, 128, 151552), GLM_4),
    Preset("bloom-560m", "bigscience/bloom-560m", "ac2ae5fab2ce3f9f40dc79b5ca9f637430d24971",
           "bloom", FUSED_TARGETS, 2048, "float16", "plain", False, 559_214_592,
           "the paper's, for debugging",
           Sizes(24, 1024, 4096, 16, 16, 64, 250880, gated=False, upcast=False, scores=True), BLOOM_RAIL),
    Preset("chatglm-6b", "zai-org/chatglm-6b", "8b7d33596d18c5e83e2da052d05ca4db02e60620",
           "chatglm", FUSED_TARGETS, 2048, "float16", "plain", False, 6_173_286_400,
           "the paper's", Sizes(28, 4096, 16384, 32, 32, 128, 130528, gated=False, upcast=False), CHATGLM),
    Preset("chatglm2-6b", "zai-org/chatglm2-6b", "8fd7fba285f7171d3ae7ea3b35c53b6340501ed1",
           "glm", LLAMA_TARGETS, 32_768, "float16", "plain", True, 6_243_584_000,
           "the paper's, loaded as the GLM that it is", Sizes(28, 4096, 13696, 32, 2, 128, 65024), CHATGLM),
    Preset("llama-7b", "huggyllama/llama-7b", "4782ad278652c7c71b72204d462d6d01eaaf7549",
           "llama", LLAMA_TARGETS, 2048, "float16", "plain", True, 6_738_415_616,
           "the paper's", Sizes(32, 4096, 11008, 32, 32, 128, 32000), LLAMA_1),
    Preset("llama2-7b", "meta-llama/Llama-2-7b-hf", "01c7f73d771dfac7d292323805ebc428287df4f9",
           "llama", LLAMA_TARGETS, 4096, "float16", "plain", True, 6_738_415_616,
           "the paper's main backbone", Sizes(32, 4096, 11008, 32, 32, 128, 32000), LLAMA_2, gated=True),
    Preset("llama2-13b", "meta-llama/Llama-2-13b-hf", "5c31dfb671ce7cfe2d7bb7c04375e44c55e815b1",
           "llama", LLAMA_TARGETS, 4096, "float16", "plain", True, 13_015_864_320,
           "the next size of the paper's", Sizes(40, 5120, 13824, 40, 40, 128, 32000), LLAMA_2, gated=True),
    Preset("qwen2.5-0.5b-instruct", "Qwen/Qwen2.5-0.5B-Instruct", "7ae557604adf67be50417f59c2c2f167def9a775",
           "qwen2", LLAMA_TARGETS, 32_768, "bfloat16", "chat", True, 494_032_768,
           "small, for zero-shot", Sizes(24, 896, 4864, 14, 2, 64, 151936), APACHE),
    Preset("qwen3-4b-instruct", "Qwen/Qwen3-4B-Instruct-2507", "cdbee75f17c01a7cc42f958dc650907174af0554",
           "qwen3", LLAMA_TARGETS, 262_144, "bfloat16", "chat", True, 4_022_468_096,
           "zero-shot; answers without thinking", Sizes(36, 2560, 9728, 32, 8, 128, 151936, head_norms=True), APACHE),
    Preset("qwen2.5-7b-instruct", "Qwen/Qwen2.5-7B-Instruct", "a09a35458c702b33eeacc393d103063234e8bc28",
           "qwen2", LLAMA_TARGETS, 32_768, "bfloat16", "chat", True, 7_615_616_512,
           "zero-shot", Sizes(28, 3584, 18944, 28, 4, 128, 152064), APACHE),
    Preset("llama3.1-8b-instruct", "meta-llama/Llama-3.1-8B-Instruct", "0e9e39f249a16976918f6564b8830bc894c89659",
           "llama", LLAMA_TARGETS, 131_072, "bfloat16", "chat", True, 8_030_261_248,
           "zero-shot", Sizes(32, 4096, 14336, 32, 8, 128, 128256), LLAMA_3_1, gated=True),
)
# fmt: on

PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in _ROWS}
"""Every backbone that has a name. Any other causal language model is loaded by its folder or hub id."""


def packaged(name: Any) -> bool:
    """Whether a backbone comes with a package, so that nothing is downloaded and no hub knows its name.

    Example:
        >>> packaged("embedded-encoder"), packaged("qwen3-0.6b")
        (True, False)
    """
    return isinstance(name, str) and name in PRESETS and PRESETS[name].source == "package"
