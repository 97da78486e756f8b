"""Whether a folder or hub repository holds a ChatGLM, and its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from instructerc.backbones.chatglm.conversion import glm_config, to_glm
from instructerc.backbones.chatglm.tokenizer import FILES, tokenizer_from
from instructerc.backbones.weights import check_weights, finder, read_tensors, weight_files
from instructerc.errors import BackboneError

MODEL_TYPE = "chatglm"
"""What config.json says, whichever version it is."""

FIRST_KEYS = ("inner_hidden_size", "position_encoding_2d")
SECOND_KEYS = ("padded_vocab_size", "multi_query_group_num")
"""Keys that tell the versions apart; those of the third are those of the second."""

FIRST_NEEDED = (
    "vocab_size",
    "hidden_size",
    "num_layers",
    "num_attention_heads",
    "inner_hidden_size",
    "bos_token_id",
    "eos_token_id",
    "gmask_token_id",
    "mask_token_id",
    "pad_token_id",
)
"""What the configuration of a first version has to state; the original's own defaults are of another vocabulary."""

OTHER_HEADS = ("SequenceClassification", "TokenClassification", "QuestionAnswering")


def version_of(record: Mapping[str, Any]) -> int | None:
    """Which ChatGLM a configuration describes: 1, or 2, which is the third as well; None where it is none.

    Example:
        >>> version_of({"model_type": "chatglm", "inner_hidden_size": 16384, "position_encoding_2d": True})
        1
        >>> version_of({"model_type": "chatglm", "padded_vocab_size": 65024, "multi_query_group_num": 2})
        2
        >>> version_of({"model_type": "llama"})
    """
    if record.get("model_type") != MODEL_TYPE:
        return None
    if any(key in record for key in SECOND_KEYS):
        return 2
    return 1 if any(key in record for key in FIRST_KEYS) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatGLMCheckpoint:
    """A ChatGLM in its original layout, or one of the first version that was saved here.

    Attributes:
        name: What the recipe calls the backbone.
        source: Folder or hub id.
        revision: Commit, tag or branch on the hub.
        version: 1, or 2, which is the third's as well.
        record: Its config.json.
    """

    name: str
    source: str
    revision: str | None
    version: int
    record: Mapping[str, Any]

    def config(self) -> Any:
        """The configuration: a `ChatGLMConfig`, or the `GlmConfig` that computes the same.

        Raises:
            BackboneError: It describes something that is not computed exactly here.
        """
        others = [one for one in self.record.get("architectures") or () if one.endswith(OTHER_HEADS)]
        if others:
            raise BackboneError(
                f"{self.name}: was made as {others[0]}, which writes no text: give a checkpoint that was made "
                "as a causal language model"
            )
        return self._first_config() if self.version == 1 else glm_config(self.record, name=self.name)

    def _first_config(self) -> Any:
        from transformers import AutoModelForCausalLM

        from instructerc.backbones.chatglm.configuration import ChatGLMConfig
        from instructerc.backbones.chatglm.modeling import ChatGLMForCausalLM

        _check_first(self.record, self.name)
        # For whoever makes a model from the configuration. The name "chatglm" stays free: it means two architectures.
        AutoModelForCausalLM.register(ChatGLMConfig, ChatGLMForCausalLM, exist_ok=True)
        left_out = ("auto_map", "quantization_bit", "pre_seq_len", "prefix_projection", "_name_or_path", "_commit_hash")
        return ChatGLMConfig.from_dict({key: value for key, value in self.record.items() if key not in left_out})

    def tokenizer(self, config: Any) -> Any:
        """The tokenizer.

        Args:
            config: What `config` gave; its token ids have to be the tokenizer's.

        Raises:
            BackboneError: The checkpoint has no tokenizer, or another model's.
        """
        from transformers import PreTrainedTokenizerFast

        find = finder(self.source, self.revision)
        path, saved = find(FILES[self.version]), find("tokenizer.json")
        if path is not None:
            tokenizer = tokenizer_from(path, self.version)
        elif saved is not None:
            # One that was saved here says all in this file and the configuration beside it.
            find("tokenizer_config.json")
            tokenizer = PreTrainedTokenizerFast.from_pretrained(saved.parent)
        else:
            raise BackboneError(
                f"{self.name}: lacks {FILES[self.version]}, the SentencePiece model of its tokenizer: copy it from the "
                "original checkpoint"
            )
        self._check_ids(tokenizer, config)
        return tokenizer

    def _check_ids(self, tokenizer: Any, config: Any) -> None:
        stated = {"</s>": config.eos_token_id}
        if self.version == 1:
            stated = {"[gMASK]": config.gmask_token_id, "<sop>": config.bos_token_id, "<eop>": config.eos_token_id}
            stated["<pad>"] = config.pad_token_id
        for token, number in stated.items():
            known = tokenizer.convert_tokens_to_ids(token)
            if known != number:
                raise BackboneError(
                    f"{self.name}: {token} is {number} in its config.json and {known} in its tokenizer: take all files "
                    "from one revision, of ChatGLM-6B one after April 2023"
                )
        if len(tokenizer) > config.vocab_size:
            raise BackboneError(
                f"{self.name}: its tokenizer has {len(tokenizer)} tokens, its model {config.vocab_size}: take all "
                "files from one checkpoint"
            )

    def load_model(self, config: Any, **arguments: Any) -> tuple[Any, Mapping[str, Any]]:
        """The model, and what transformers says about how its weights fit.

        Args:
            config: What `config` gave.
            arguments: Of `from_pretrained`.

        Raises:
            As `from_pretrained`, and `BackboneError` where files are missing or torn.
        """
        from transformers import GlmForCausalLM

        if self.version == 1:
            from instructerc.backbones.chatglm.modeling import ChatGLMForCausalLM

            arguments |= {"revision": self.revision or "main"}
            pair: Any = ChatGLMForCausalLM.from_pretrained(
                self.source, config=config, output_loading_info=True, **arguments
            )
        else:
            files = weight_files(self.name, finder(self.source, self.revision))
            check_weights(self.name, files)
            tensors = to_glm(read_tensors(files), config)
            pair = GlmForCausalLM.from_pretrained(
                None, config=config, state_dict=tensors, output_loading_info=True, **arguments
            )
        model, loaded = pair
        model.name_or_path = model.config.name_or_path = self.source
        return model, loaded


def _check_first(record: Mapping[str, Any], name: str) -> None:
    missing = [key for key in FIRST_NEEDED if record.get(key) is None]
    if missing:
        raise BackboneError(f"{name}: its config.json lacks {', '.join(missing)}: copy the checkpoint again")
    if record.get("pre_seq_len") is not None:
        raise BackboneError(
            f"{name}: has pre_seq_len {record['pre_seq_len']!r} in its config.json, a P-Tuning prefix, which is not "
            "supported: give the checkpoint without one"
        )
    if record.get("quantization_bit"):
        raise BackboneError(
            f"{name}: has quantization_bit {record['quantization_bit']!r} in its config.json, weights of its own "
            "kind: give the checkpoint that is not quantised, and set backbone.quantization"
        )
    if not record.get("position_encoding_2d", True):
        raise BackboneError(
            f"{name}: has position_encoding_2d off in its config.json, which no released checkpoint has: choose "
            "another backbone"
        )


def find_checkpoint(name: str, source: str, revision: str | None, **arguments: Any) -> ChatGLMCheckpoint | None:
    """The ChatGLM in a folder or hub repository; None where it holds another model.

    Args:
        name: What the recipe calls the backbone.
        source: Folder or hub id.
        revision: Commit, tag or branch on the hub.
        arguments: What transformers needs to read a configuration.

    Raises:
        BackboneError: It says that it is a ChatGLM, and which one cannot be seen.
        OSError: The configuration could not be read.
    """
    from transformers import PreTrainedConfig

    record, _ = PreTrainedConfig.get_config_dict(source, revision=revision or "main", **arguments)
    version = version_of(record)
    if version is None:
        if record.get("model_type") == MODEL_TYPE:
            raise BackboneError(
                f"{name}: its config.json says chatglm, and has the keys of none ({', '.join(FIRST_KEYS)}; "
                f"{', '.join(SECOND_KEYS)}): copy it again from the original checkpoint"
            )
        return None
    return ChatGLMCheckpoint(name=name, source=source, revision=revision, version=version, record=record)
