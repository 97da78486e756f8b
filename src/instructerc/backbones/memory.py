"""How much memory a backbone takes: in training by LoRA, in 4 bits or of all parameters, and in recognition.

```
weights       every parameter, in its number type
gradients     of what is trained; they stay from the first row of a step to the optimiser
optimiser     AdamW's two moments of what is trained
activations   what the backward pass needs of a row: tokens × layers × what a layer keeps of a token
work          the layer that is just computed backwards: tokens × what it needs on top, freed again
logits        predicted tokens × words of the vocabulary
```

Arithmetic on sizes alone: nothing is loaded. Every line says what it multiplies. What a layer keeps was counted in the
models of transformers, operation by operation, and is held against what autograd does keep (`tests/backbones`); the sum
is measured by `benchmarks/backbone_memory.py`.

Not in it: what the program and its libraries take (`PROGRAM`), and what an allocator keeps of memory that was freed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from instructerc.backbones.backbone import Quantization
from instructerc.backbones.rows import ACCELERATOR_ROW_TOKENS, ROW_TOKENS
from instructerc.backbones.tree_attention import BLOCK

GIB = 2**30
MIB = 2**20

PROGRAM = 450 * MIB
"""Python with torch, transformers and peft, before a model is loaded."""

FLOAT32 = 4
"""Bytes of a number in 32 bits; adapters, their gradients and their moments are of this type."""

QUANTIZED: Mapping[Quantization, float] = {"8bit": 1.0, "4bit": 0.5 + 1 / 64 + 4 / (64 * 256)}
"""Bytes of a weight of a quantised linear layer. In 4 bits every 64 weights share a scale of 8 bits, and every 256 of
those one of 32 bits (Dettmers et al. 2023)."""

LOGIT_COPIES = 3
"""Logits in 32 bits that are there at once: themselves, their log-probabilities, and the gradient of one of the two."""

PADDED = 8
"""Padded examples at once, by default."""

LONGEST = 512
"""Tokens of a prompt with a history of about twelve turns, rather more than less."""

Reads = Literal["blocks", "mask"]
"""How attention is told who sees whom: by blocks of a row of trees, or by one mask of everything that is read."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of an architecture, as configurations have them.

    Attributes:
        layers: Layers.
        hidden: Width of a token's state.
        feed_forward: Width inside the feed-forward layer.
        heads: Heads of queries.
        key_value_heads: Heads of keys and values.
        head_size: Width of a head.
        vocabulary: Words.
        gated: The feed-forward layer has a gate: three matrices instead of two.
        norms: Norms a layer, those of heads not counted.
        head_norms: Queries and keys are normalised, head by head.
        upcast: Norms keep their input in 32 bits (RMSNorm of transformers); else as it is (LayerNorm).
        dropout: Dropout behind attention and feed-forward layer is on in training.
        scores: Attention keeps its scores, tokens times keys times heads, instead of computing them twice.
    """

    layers: int
    hidden: int
    feed_forward: int
    heads: int
    key_value_heads: int
    head_size: int
    vocabulary: int
    gated: bool = True
    norms: int = 2
    head_norms: bool = False
    upcast: bool = True
    dropout: bool = False
    scores: bool = False

    @property
    def attention(self) -> int:
        """Width of a token's queries, all heads together."""
        return self.heads * self.head_size

    @property
    def key_values(self) -> int:
        """Width of a token's keys, and of its values."""
        return self.key_value_heads * self.head_size

    @property
    def linear(self) -> int:
        """Weights of the linear layers, output layer and biases left out: what quantisation holds in few bits.

        Example:
            >>> Sizes(2, 8, 16, 2, 1, 4, 100).linear
            1152
        """
        return self.layers * sum(rows * columns for rows, columns in _matrices(self).values())


def sizes_of(config: Any) -> Sizes:
    """The sizes in a configuration of transformers.

    Args:
        config: Of a causal language model; the text part is taken of one that reads more than text.

    Example:
        ```python
        sizes_of(AutoConfig.from_pretrained("Qwen/Qwen3-0.6B-Base")).key_values  # 1024
        ```
    """
    text = config.get_text_config()
    heads = text.num_attention_heads
    hidden = text.hidden_size
    family = text.model_type
    plain = family in PLAIN_FAMILIES
    return Sizes(
        layers=text.num_hidden_layers,
        hidden=hidden,
        feed_forward=getattr(text, "intermediate_size", None) or 4 * hidden,
        heads=heads,
        key_value_heads=getattr(text, "num_key_value_heads", None) or heads,
        head_size=getattr(text, "head_dim", None) or hidden // heads,
        vocabulary=text.vocab_size,
        gated=not plain,
        norms=NORMS.get(family, 2),
        head_norms=family in HEAD_NORMS,
        upcast=not plain,
        dropout=bool(getattr(text, "hidden_dropout_prob", 0) or getattr(text, "hidden_dropout", 0)),
        scores=family in SCORES or getattr(text, "_attn_implementation", None) == "eager",
    )


PLAIN_FAMILIES = frozenset({"bert", "bloom", "chatglm", "gpt2", "gpt_neox", "opt"})
"""LayerNorm, and a feed-forward layer without a gate."""

NORMS: Mapping[str, int] = {"gemma2": 4, "gemma3_text": 4, "glm4": 4}
"""Norms a layer, where it is not two."""

HEAD_NORMS = frozenset({"gemma3_text", "qwen3"})

SCORES = frozenset({"bloom"})
"""Families whose attention has no memory-efficient implementation in transformers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What is done with a backbone.

    Attributes:
        method: What is trained: `lora`, `all`, or `none` for recognition.
        targets: Modules that LoRA adapts.
        rank: Rank of the updates.
        width: Bytes of a weight: 4 for float32, 2 for bfloat16 and float16.
        computed: Bytes of what is computed; 2 with weights of 4 where bfloat16 pays with float32 weights.
        quantization: How linear layers are held.
        tokens: Tokens that are read at once: a row of trees, or a padded batch.
        longest: Tokens of the longest sequence.
        predicted: Tokens whose logits are computed at once.
        reads: How attention is told who sees whom.
        trees: Everything that is read is one row, so that a mask is as wide as the row.
        marks: Bytes of a number of a dropout mask: 1 on a GPU, 4 on a CPU.
        checkpointing: Activations are computed twice, and only the inputs of layers are kept.
    """

    method: Literal["lora", "all", "none"] = "lora"
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")
    rank: int = 16
    width: int = 2
    computed: int = 2
    quantization: Quantization = "none"
    tokens: int = ACCELERATOR_ROW_TOKENS
    longest: int = LONGEST
    predicted: int = 64
    reads: Reads = "mask"
    trees: bool = True
    marks: int = 1
    checkpointing: bool = False

    @classmethod
    def on(
        cls,
        device: str,
        *,
        method: Literal["lora", "all", "none"] = "lora",
        targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj"),
        quantization: Quantization = "none",
        narrow: bool = True,
        trees: bool = True,
        checkpointing: bool = False,
    ) -> Use:
        """What a recipe's defaults are on a device.

        Args:
            device: "cpu", or an accelerator.
            method: What is trained.
            targets: Modules that LoRA adapts.
            quantization: How linear layers are held.
            narrow: The device computes in bfloat16, and the weights may be held in it.
            trees: The backbone takes token trees; else it reads `PADDED` sequences of the usual length at once.
            checkpointing: Activations are computed twice.
        """
        cpu = device == "cpu"
        rows = ROW_TOKENS if cpu else ACCELERATOR_ROW_TOKENS
        return cls(
            method=method,
            targets=targets,
            # All parameters are trained in 32 bits: 16 are too coarse for the steps of an optimiser.
            width=2 if narrow and method != "all" else 4,
            computed=2 if narrow else 4,
            quantization=quantization,
            tokens=rows if trees else PADDED * LONGEST,
            reads="blocks" if cpu and trees else "mask",
            trees=trees,
            marks=4 if cpu else 1,
            checkpointing=checkpointing,
        )

    @property
    def keys(self) -> int:
        """Keys that a token's attention is given: those of its block, its row, or its sequence.

        A block of a tree is given its own nodes and their ancestors: half a sequence on average.
        """
        if self.reads == "blocks":
            return min(self.tokens, BLOCK + self.longest // 2)
        return self.tokens if self.trees else self.longest


@dataclass(frozen=True, slots=True)
class Part:
    """One of the things that take memory.

    Attributes:
        name: Of what.
        size: In bytes.
        how: The arithmetic.
    """

    name: str
    size: int
    how: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What a use of a backbone takes, at its peak.

    Attributes:
        parts: What it is made of.
    """

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Bytes in all, the program not among them."""
        return sum(part.size for part in self.parts)

    def to_json(self) -> dict[str, int]:
        """Bytes, by what takes them."""
        return {**{part.name: part.size for part in self.parts}, "total": self.total}

    def lines(self) -> list[tuple[str, str, str]]:
        """Name, size and arithmetic of each part, for a table."""
        return [(part.name, size_text(part.size), part.how) for part in self.parts]


def memory_of(sizes: Sizes, parameters: int, use: Use, *, trained: int | None = None) -> Memory:
    """What a use of a backbone takes at its peak: in the backward pass of the largest row of a step.

    Args:
        sizes: Of its architecture.
        parameters: All of them, in the backbone.
        use: What is done.
        trained: Parameters that are trained; worked out from `sizes` where it is None.

    Example:
        >>> sizes = Sizes(32, 4096, 11008, 32, 32, 128, 32000)
        >>> for name, size, how in memory_of(sizes, 6_738_415_616, Use(quantization="4bit")).lines()[:3]:
        ...     print(name, size, how, sep=" | ")
        weights | 3.6 GiB | 6,476,005,376 × 0.516 + 262,410,240 × 2 bytes
        adapters | 48 MiB | 12,582,912 × 4 bytes
        gradients | 48 MiB | 12,582,912 × 4 bytes
    """
    if use.method == "none":
        return Memory((_weights(sizes, parameters, use), *_recognition(sizes, use)))
    if trained is None:
        trained = parameters if use.method == "all" else lora_parameters(sizes, use.targets, use.rank)
    # Adapters are in 32 bits whatever the type of the backbone (peft).
    width = FLOAT32 if use.method == "lora" else use.width
    adapters = [_of_parameters("adapters", trained, FLOAT32)] if use.method == "lora" else []
    copies = [_of_parameters("weights as computed", sizes.linear, use.computed)] if use.computed < use.width else []
    return Memory(
        (
            _weights(sizes, parameters, use),
            *adapters,
            *copies,
            _of_parameters("gradients", trained, width),
            _of_parameters("optimiser", trained, 2 * width),
            *_activations(sizes, use),
        )
    )


def _weights(sizes: Sizes, parameters: int, use: Use) -> Part:
    if use.quantization == "none":
        return _of_parameters("weights", parameters, use.width)
    few, rest = QUANTIZED[use.quantization], parameters - sizes.linear
    how = f"{sizes.linear:,} × {few:.3g} + {rest:,} × {use.width} bytes"
    return Part("weights", round(sizes.linear * few) + rest * use.width, how)


def _of_parameters(name: str, count: int, width: int) -> Part:
    return Part(name, count * width, f"{count:,} × {width} bytes")


def _activations(sizes: Sizes, use: Use) -> tuple[Part, ...]:
    kept, work = kept_by_layer(sizes, use), _work_of_layer(sizes, use)
    tokens = f"{use.tokens:,} tokens"
    if use.checkpointing:
        # The inputs of all layers, and one layer that is computed again.
        states = sizes.hidden * use.computed
        parts = (
            Part("activations", use.tokens * sizes.layers * states, f"{tokens} × {sizes.layers} layers × {states:,} B"),
            Part("work", use.tokens * (kept + work), f"{tokens} × {kept + work:,} bytes of one layer"),
        )
    else:
        parts = (
            Part("activations", use.tokens * sizes.layers * kept, f"{tokens} × {sizes.layers} layers × {kept:,} B"),
            Part("work", use.tokens * work, f"{tokens} × {work:,} bytes of one layer"),
        )
    return (*parts, _logits(sizes, use))


def _logits(sizes: Sizes, use: Use) -> Part:
    width = LOGIT_COPIES * FLOAT32
    how = f"{use.predicted:,} tokens × {sizes.vocabulary:,} words × {width} bytes"
    return Part("logits", use.predicted * sizes.vocabulary * width, how)


def _recognition(sizes: Sizes, use: Use) -> tuple[Part, ...]:
    """Keys and values of everything that is read, and the layer that is just computed."""
    cached = 2 * sizes.key_values * use.computed
    work = _work_of_layer(sizes, use)
    tokens = f"{use.tokens:,} tokens"
    layers = f"{tokens} × {sizes.layers} layers × {cached:,} B"
    return (
        Part("keys and values", use.tokens * sizes.layers * cached, layers),
        Part("work", use.tokens * work, f"{tokens} × {work:,} bytes of one layer"),
        _logits(sizes, use),
    )


def kept_by_layer(sizes: Sizes, use: Use) -> int:
    """What a layer keeps of a token for the backward pass, in bytes.

    Without what is trained it keeps the inputs of norms, queries, keys, values and outputs of attention, its mask, and
    what the activation function and the gate multiply. Trained linear layers keep their inputs; so do adapters, each
    its own behind a dropout.
    """
    return sum(_kept(sizes, use).values())


def _kept(sizes: Sizes, use: Use) -> dict[str, int]:
    byte, hidden = use.computed, sizes.hidden
    all_trained = use.method == "all"
    norm = FLOAT32 if sizes.upcast else use.width
    scale = use.width if all_trained and sizes.upcast else 0  # a trained RMSNorm also keeps what its weights multiply
    kept = {
        "norms": sizes.norms * hidden * (norm + scale),
        "head norms": (sizes.attention + sizes.key_values) * (FLOAT32 + scale) * sizes.head_norms,
        "attention": 2 * sizes.attention * byte + 2 * _keys_given(sizes, use) * byte,
        "mask": use.keys * byte,
        "feed-forward": (3 if sizes.gated else 1) * sizes.feed_forward * byte,
        "dropout": 2 * hidden * min(use.marks, byte) * sizes.dropout,
    }
    if sizes.scores:  # after the softmax in 32 bits, and once more where the rest is computed in 16
        kept["mask"] = sizes.heads * use.longest * (FLOAT32 + (byte if byte < FLOAT32 else 0))
    if all_trained:  # queries, keys and values share an input; gate and up-projection do
        joined = sizes.attention if use.reads == "blocks" else 0  # else it is the output of attention, and counted
        kept["inputs"] = (2 * hidden + joined + sizes.feed_forward) * byte
    if use.method == "lora":
        adapted = _adapted(sizes, use.targets)
        kept["adapters"] = sum(inputs * (FLOAT32 + use.marks) + use.rank * FLOAT32 for inputs, _ in adapted)
    return kept


def _keys_given(sizes: Sizes, use: Use) -> int:
    """Width of the keys that are kept for a token: gathered for blocks, or one for each head of queries."""
    if use.reads == "blocks":
        return sizes.key_values * use.keys // min(BLOCK, use.tokens)
    return sizes.attention


def _work_of_layer(sizes: Sizes, use: Use) -> int:
    """What a layer needs of a token while it is computed backwards: gradients of its widest part."""
    wide = (4 if sizes.gated else 2) * sizes.feed_forward + 2 * sizes.hidden
    return wide * use.computed


def lora_parameters(sizes: Sizes, targets: Sequence[str], rank: int) -> int:
    """Parameters of the low-rank updates, rank × (inputs + outputs) of each matrix.

    Args:
        sizes: Of the architecture.
        targets: Names of modules, as model families call them; names that are unknown here do not count.
        rank: Of the updates.

    Example:
        >>> sizes = Sizes(32, 4096, 11008, 32, 32, 128, 32000)
        >>> lora_parameters(sizes, ("q_proj", "k_proj", "v_proj"), 16)
        12582912
    """
    return sizes.layers * sum(rank * (inputs + outputs) for inputs, outputs in _adapted(sizes, targets))


def _adapted(sizes: Sizes, targets: Sequence[str]) -> list[tuple[int, int]]:
    """Inputs and outputs of the matrices of a layer that get an update."""
    matrices = _matrices(sizes)
    if tuple(targets) == ("all-linear",):
        return list(matrices.values())
    matrices["fused"] = (sizes.hidden, sizes.attention + 2 * sizes.key_values)
    roles = (ROLES[target] for target in targets if target in ROLES)
    return [matrices[role] for role in roles if role in matrices]


ROLES: Mapping[str, str] = {
    **dict.fromkeys(("q_proj", "query"), "query"),
    **dict.fromkeys(("k_proj", "key"), "key"),
    **dict.fromkeys(("v_proj", "value"), "value"),
    **dict.fromkeys(("query_key_value", "qkv_proj", "c_attn"), "fused"),
    **dict.fromkeys(("o_proj", "out_proj"), "output"),
    **dict.fromkeys(("up_proj", "dense_h_to_4h", "fc1"), "up"),
    **dict.fromkeys(("down_proj", "dense_4h_to_h", "fc2"), "down"),
    "gate_proj": "gate",
}
"""Names of modules, by what they compute."""


def _matrices(sizes: Sizes) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of the matrices of a layer, by what they compute; all of them, each once."""
    gate = {"gate": (sizes.hidden, sizes.feed_forward)} if sizes.gated else {}
    return {
        "query": (sizes.hidden, sizes.attention),
        "key": (sizes.hidden, sizes.key_values),
        "value": (sizes.hidden, sizes.key_values),
        "output": (sizes.attention, sizes.hidden),
        "up": (sizes.hidden, sizes.feed_forward),
        "down": (sizes.feed_forward, sizes.hidden),
        **gate,
    }


def size_text(size: int) -> str:
    """Bytes as people read them.

    Example:
        >>> size_text(450 * 2**20), size_text(13_476_831_232)
        ('450 MiB', '12.6 GiB')
    """
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"
