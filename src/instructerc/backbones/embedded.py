"""The embedded backbone: all-MiniLM-L6-v2 run as a causal language model.

transformers' BERT as a decoder, with a causal mask and positions up to 512. Its head is the word embeddings, behind a
linear transform that starts as the identity: before training the model answers with the words nearest to what it
read. Only that transform, and what was trained, is ever saved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from instructerc.assets.embedded import WEIGHTS, embedded_model_directory

HEAD = ("cls.predictions.transform.weight", "cls.predictions.transform.bias")
"""The transform in front of the word embeddings: it has no weights in the base model."""

FROZEN = ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias")
"""Half of all parameters, and what ties input and output together: never trained, so never saved."""


def load_embedded() -> tuple[Any, Any]:
    """Builds the model and its tokenizer from verified weights.

    Returns:
        model: `BertLMHeadModel` with float32 weights, in evaluation mode.
        tokenizer: Its WordPiece tokenizer, whose end token is `[SEP]`.

    Raises:
        AssetError: The weights could not be had, or are not the right ones.
    """
    from safetensors.torch import load_file
    from transformers import BertConfig, BertLMHeadModel

    folder = embedded_model_directory()
    # Attention dropout forces the attention kernel of CPUs on a path 5-10 times slower; the other dropout stays.
    config = BertConfig.from_pretrained(folder, is_decoder=True, attention_probs_dropout_prob=0.0, use_cache=True)
    tokenizer = load_embedded_tokenizer(folder)
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    model = BertLMHeadModel(config)
    weights = {
        f"bert.{name}": tensor for name, tensor in load_file(folder / WEIGHTS).items() if not name.startswith("pooler.")
    }
    weights.pop("bert.embeddings.position_ids", None)
    absent = model.load_state_dict(weights, strict=False)
    assert not absent.unexpected_keys
    assert all(name.startswith("cls.") for name in absent.missing_keys)
    model.cls.predictions.transform = _identity(config.hidden_size)
    return model.eval(), tokenizer


def load_embedded_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder of all-MiniLM-L6-v2, with the names that a causal model's tokens have."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, bos_token="[CLS]", eos_token="[SEP]")  # noqa: S106 — no password


def _identity(size: int) -> Any:
    import torch

    transform = torch.nn.Linear(size, size)
    with torch.no_grad():
        transform.weight.copy_(torch.eye(size))
        transform.bias.zero_()
    return transform
