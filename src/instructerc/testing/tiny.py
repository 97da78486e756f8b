"""A tiny random Llama with its tokenizer, and a few conversations that even it can learn."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from instructerc.conversation import Conversation, Corpus, Utterance

TINY_LABELS = ("joy", "anger", "neutral")
"""The labels of `tiny_corpus`, in prompt order."""

VOCABULARY = 400
"""Tokens of the tiny tokenizer: 256 bytes, 3 control tokens, and merges of what the tiny corpus says."""

CONTEXT = 256
"""Longest sequence of the tiny Llama, in tokens."""

NEWS = (
    ("We won the match!", "joy"),
    ("I passed the exam!", "joy"),
    ("She is well again!", "joy"),
    ("They broke my bike!", "anger"),
    ("He lied to me again!", "anger"),
    ("You lost my keys!", "anger"),
)
"""What a conversation is about, and how it makes its speakers feel."""

CLOSINGS = ("See you at noon.", "I have to go now.")
"""What conversations end with; what they open with tells the splits apart."""


def tiny_llama(folder: str | Path, *, seed: int = 0) -> Path:
    """Saves a random Llama of about 40,000 parameters as a transformers checkpoint.

    Its tokenizer is a byte-level BPE: any text goes in, and comes out as it was.

    Args:
        folder: Made where it is missing.
        seed: Of the weights; the random state of the caller is left as it was.

    Returns:
        The folder, which `load_backbone` takes as a backbone's name.

    Example:
        ```python
        from instructerc.backbones.loading import load_backbone

        backbone = load_backbone(str(tiny_llama(tmp_path / "llama")), device="cpu")
        ```
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        # Wider than the default 0.02, with which every next token would be as likely as any other.
        initializer_range=0.2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_corpus() -> Corpus:
    """Twelve conversations to train on, six to validate on, six to test on.

    Good news is joy, bad news anger, small talk neutral; "Great." means what the turn before it made of it.

    Example:
        >>> for utterance in tiny_corpus().train[3].utterances:
        ...     print(utterance.speaker, utterance.text, utterance.emotion)
        Ada Any news today? neutral
        Bob They broke my bike! anger
        Ada Great. anger
        Bob See you at noon. neutral
    """
    return Corpus(
        name="tiny",
        labels=TINY_LABELS,
        train=_conversations("train", "Any news today?", CLOSINGS),
        validation=_conversations("validation", "What is new?", CLOSINGS[:1]),
        test=_conversations("test", "Is there any news?", CLOSINGS[1:]),
    )


def tiny_conversation() -> Conversation:
    """One conversation of four turns, without labels.

    Example:
        >>> tiny_conversation().speakers
        ('Ada', 'Bob')
    """
    return Conversation(
        "tiny",
        (
            Utterance("Ada", "Any news today?"),
            Utterance("Bob", "I passed the exam!"),
            Utterance("Ada", "Great."),
            Utterance("Bob", "See you at noon."),
        ),
    )


def _conversations(split: str, opening: str, closings: Iterable[str]) -> tuple[Conversation, ...]:
    return tuple(
        Conversation(
            f"{split}-{number:02}",
            (
                Utterance("Ada", opening, "neutral"),
                Utterance("Bob", news, emotion),
                Utterance("Ada", "Great.", emotion),
                Utterance("Bob", closing, "neutral"),
            ),
        )
        for number, (closing, (news, emotion)) in enumerate((closing, item) for closing in closings for item in NEWS)
    )


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=CONTEXT, **special)


def _texts() -> list[str]:
    corpus = tiny_corpus()
    said = [f"{utterance.speaker}: {utterance.text}" for chat in corpus.train for utterance in chat.utterances]
    return [*said, f"Emotions: {', '.join(corpus.labels)}.", "A feels:", "B feels:"]
