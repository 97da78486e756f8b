"""The schema of recipes: every key, what it takes, its default, and where that default comes from.

`docs/recipes.md` is generated from it, and so are the error messages: a key is described once. The sections of
training stand in `training_schema`, that of servers in `endpoint_schema`, what all are made of in `section`.

Example:
    >>> recipe = Recipe(name="mine", training=TrainingSettings(epochs=2))
    >>> recipe.training.epochs, recipe.window.size
    (2, 12)
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

# Models are classes, so pydantic is needed while this module is made; who imports it does so inside a function.
from pydantic import Field, model_validator  # noqa: TID253
from pydantic_core import PydanticCustomError

from instructerc.conversation import Split
from instructerc.experiments.endpoint_schema import EndpointSettings
from instructerc.experiments.rules import broken_rules
from instructerc.experiments.section import Location, Number, Section, Switch, Text, Whole, key, section
from instructerc.experiments.training_schema import StageSettings, TrainingSettings


class ColumnSettings(Section):
    """Which column of a table means what."""

    conversation: Text = key("conversation", "Column that tells the conversations apart.")
    turn: Text | None = key("turn", "Column with the number of the turn; null where rows stand in order.")
    speaker: Text = key("speaker", "Column with the speaker's name.")
    text: Text = key("text", "Column with what is said.")
    emotion: Text | None = key("emotion", "Column with the gold label; an empty cell is a turn without one.")
    split: Text | None = key("split", "Column with the split of the row, where the table has one.")


class PromptFiles(Section):
    """Ready-made prompts: JSON Lines with the keys `input` and `target`."""

    train: Location = Field(description="File that is learned from.")
    validation: Location = Field(description="File that the epoch is chosen by.")
    test: Location = Field(description="File that the reported figure is measured on.")

    @model_validator(mode="before")
    @classmethod
    def _one_file_serves_all(cls, given: Any) -> Any:
        return dict.fromkeys(("train", "validation", "test"), given) if isinstance(given, str | Path) else given

    @property
    def single(self) -> bool:
        """Whether one file serves all three splits, so that figures are not measured on unseen prompts."""
        return self.train == self.validation == self.test


class DataSettings(Section):
    """Which conversations are learned from and measured on."""

    corpus: Text | Annotated[tuple[Text, ...], Field(min_length=1)] = key(
        "sample",
        "The bundled sample, the name of a corpus in the catalogue (`instructerc data ls`), or the path of a file or "
        "folder of conversations. A list of names is learned from as one, and measured corpus by corpus.",
        source="method §10",
        takes="a text, or a list of texts",
    )
    folder: Location | None = key(
        None,
        "Folder with the files of a catalogue corpus; of several corpora, the folder that holds one named after each. "
        "Null takes the download cache.",
    )
    unify: Text | None = key(
        None,
        "One label set for corpora of different ones: `released`, `feeling-wheel` (which places DailyDialog as well), "
        "`ekman`, or the path of a mapping file.",
        source="method §10",
    )
    mix: Literal["ratio", "total"] = key(
        "ratio",
        "How a fraction is taken of several corpora: of each (`ratio`), or of all together (`total`).",
        source="method §10",
    )
    fraction: Number = key(
        1.0,
        "Share of the training split that is learned from; a smaller share of one seed is part of a larger one.",
        unit="share",
        source="method §10",
        gt=0,
        le=1,
    )
    unit: Literal["turns", "conversations"] = key(
        "turns",
        "What a fraction is taken of: single turns, each with its full history, or whole conversations.",
        source="method §10",
    )
    neutral_fraction: Number = key(
        1.0,
        "Share of the neutral training turns that is learned from; the others stay as history. Where most turns are "
        "neutral (DailyDialog: 83 %) an epoch is shorter by them; fit `recognition.decision` then.",
        unit="share",
        gt=0,
        le=1,
    )
    leaks: Literal["guarded", "published"] | None = key(
        None,
        "`guarded` leaves out training conversations that share turns with validation or test; `published` leaves "
        "nothing out, and the report is marked. Null guards several corpora, and leaves one as it was published.",
        source="method §12",
    )
    labels: Text | tuple[Text, ...] | None = key(
        None,
        "The closed label set of your own files or prompts, in prompt order: the name of a known set, or a list. Null "
        "takes the labels that occur. A corpus of the catalogue has its own.",
        source="method §2",
        takes="the name of a label set, a list of labels, or null",
    )
    columns: ColumnSettings | None = key(
        None,
        "Column names of your own table; null takes the defaults below.",
        takes="the keys conversation, turn, speaker, text, emotion, split, or null",
    )
    prompts: PromptFiles | None = key(
        None,
        "Ready-made prompt files instead of a corpus, used as they are: the released scripts' own files, for one. "
        "A single file serves all three splits: a smoke test, not a measurement.",
        source="method §3",
        takes="the path of a file, the keys train, validation, test, or null",
    )
    limit: Whole | None = key(
        None,
        "Takes only the first so many of each split: for trying things out.",
        unit="conversations (or prompts)",
        ge=1,
    )

    @property
    def corpora(self) -> tuple[str, ...]:
        """What `corpus` names, also where it is one."""
        return (self.corpus,) if isinstance(self.corpus, str) else self.corpus


class BackboneSettings(Section):
    """Which language model is trained."""

    name: Text = key(
        "embedded",
        "`embedded` (all-MiniLM-L6-v2 run as a causal language model, no download), a preset, the path of a local "
        "model, or a hub id.",
    )
    revision: Text | None = key(None, "Branch, tag or commit on the hub; pin a commit to be reproducible.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = key(
        "auto",
        "Number type that the weights are held in; auto takes bfloat16 where the hardware has it. float16 gave NaN "
        "losses on LLaMA.",
        source="method §7",
    )
    attention: Literal["auto", "sdpa", "eager", "flex"] = key(
        "auto",
        "How attention is computed: `auto` is what suits model and device; `flex` (FlexAttention, on a GPU) skips what "
        "no token of a tree may see.",
    )
    quantization: Literal["none", "8bit", "4bit"] = key(
        "none",
        "Holds linear layers in 8 or 4 bits (LLM.int8, NF4): a quarter of the memory or less, slower, a little less "
        "exact; LoRA trains beside them (QLoRA). Needs the extra `quantize`.",
    )
    style: Literal["auto", "plain", "chat"] = key(
        "auto",
        "How prompts are put to it: as they are (`plain`), or as a user's message in its chat template (`chat`). "
        "`auto` is what a preset says; of other models it is chat where the tokenizer has a template and the last part "
        "of the name does not say base, pt or pretrained.",
    )


class PromptSettings(Section):
    """How a conversation is put into words."""

    wording: Literal["released", "paper", "compact", "compact-repeated", "plain"] = key(
        "compact",
        "`released` is the released code's, byte for byte; `paper` is figure 2's; `compact` states the labels once "
        "and is the shortest; `compact-repeated` reads the target turn once more at the end; `plain` shows the target "
        "turn alone, the published baseline.",
        source="method §3, §4",
    )
    speakers: Literal["index", "name"] = key("index", "Writes `Speaker_0`, `Speaker_1`, …, or the speakers' names.")
    max_length: Whole | None = key(
        None,
        "Longest prompt with its answer; beyond it the oldest turns go first. Null takes the backbone's context. "
        "Published: 1200 IEMOCAP, 1024 MELD and EmoryNLP, 300 plain.",
        unit="tokens",
        source="method §7",
        ge=16,
    )


class WindowSettings(Section):
    """Which turns around the target the model sees."""

    size: Whole | None = key(
        12,
        "Turns before the target; more context costs time. Null shows all of them. Published: 1, 5, 12, 20.",
        unit="turns",
        source="method §7",
        ge=0,
    )
    stride: Whole = key(
        1,
        "The window's start moves in steps of so many turns, so that their prompts share computation: faster, and the "
        "history varies between size and size + stride - 1 turns.",
        unit="turns",
        source="method §3",
        ge=1,
    )
    context: Literal["past", "both"] = key(
        "past", "`both` also shows the turns after the target: another task, not comparable.", source="method §1"
    )


class DemonstrationSettings(Section):
    """Which labelled utterances prompts show."""

    pairing: Literal["nearest", "same-label", "one-per-label", "random", "oracle"] | None = key(
        None,
        "Which ones: the `nearest`, in training and use alike; the nearest with the right label in training, of any "
        "in use (`same-label`, the paper's: models learn to copy it); the nearest of each label; any; or those with "
        "the right label throughout (`oracle`, an upper bound that leaks). Null shows none.",
        source="method §5",
    )
    count: Whole = key(1, "How many a prompt shows.", unit="demonstrations", source="method §5", ge=1)
    placement: Literal["after", "before"] = key(
        "after",
        "Behind the history, which prompts then still share, or before it.",
        source="method §4",
    )
    pool: Location | None = key(
        None, "A table of your own with the columns `text` and `label`; null takes the training split."
    )
    per_label: Whole | Literal["smallest"] | None = key(
        None,
        "How many a label has at most to choose from, `smallest` as many as the rarest one (the paper's balanced "
        "base); null takes all.",
        source="method §5",
        takes="a whole number >= 1, smallest, or null",
    )
    encoder: Text = key(
        "all-MiniLM-L6-v2",
        "Sentence encoder that says what is near: this one, the folder of a model of sentence-transformers, or its "
        "hub id. The paper does not name its own.",
        source="method §5",
    )
    encoder_revision: Text | None = key(None, "Branch, tag or commit of an encoder on the hub.")


class AdapterSettings(Section):
    """Which weights are trained."""

    method: Literal["lora", "all", "none"] = key(
        "lora",
        "Low-rank adapters beside frozen weights, or all weights. `none` trains nothing: zero-shot, and with "
        "demonstrations few-shot.",
        source="method §7",
    )
    rank: Whole = key(16, "Rank of the adapters: capacity against size.", source="method §7", ge=1)
    alpha: Whole = key(16, "The adapters' output is scaled by alpha / rank.", source="method §7", ge=1)
    dropout: Number = key(0.05, "Dropout in front of the adapters.", unit="share", source="method §7", ge=0, lt=1)
    targets: Annotated[tuple[Text, ...], Field(min_length=1)] | None = key(
        None,
        "Names of the layers that get an adapter. Null takes the backbone's: q_proj, k_proj, v_proj (LLaMA family) "
        "or query_key_value (GLM, Bloom). `[all-linear]` takes every linear layer but the output, as QLoRA does.",
        source="method §7",
    )
    dora: Switch = key(
        False,
        "Learns the length of each weight row apart from its direction (DoRA, Liu et al. 2024): often better at low "
        "ranks, and slower.",
    )


class CheckpointSettings(Section):
    """Which checkpoints stay."""

    select: Literal["validation", "test"] = key(
        "validation",
        "Split that chooses the epoch. `test` is what the released code does: its figures are marked, and no results.",
        source="method §9",
    )

    keep: Literal["best", "all"] = key(
        "best", "Keeps the best epoch by validation weighted F1, or every epoch.", source="method §9"
    )


class RecognitionSettings(Section):
    """How the model answers."""

    engine: Literal["transformers", "vllm", "endpoint"] = key(
        "transformers",
        "What runs the model: `transformers` here; `vllm`, faster on a GPU (extra `vllm`, untrained or merged models); "
        "or the server that section `endpoint` names (extra `endpoint`).",
    )
    mode: Literal["score", "generate"] = key(
        "score",
        "`score` compares the likelihood of every label and gives probabilities; `generate` lets the model write and "
        "reads the answer by the released rule.",
        source="method §8",
    )
    batch_size: Whole = key(16, "Prompts per forward pass: speed against memory.", unit="prompts", ge=1)
    calibration: Literal["none", "temperature"] = key(
        "none",
        "`temperature` fits how sure the model is on validation, after training, and keeps it with the model; it "
        "changes probabilities and no label.",
        source="Guo et al. 2017",
    )
    decision: Literal["likeliest", "weighted-f1", "macro-f1", "micro-f1-without-neutral"] = key(
        "likeliest",
        "Any other than `likeliest` fits an offset a label on validation, after training, so that labels are named as "
        "often as that figure wants; kept with the model. Probabilities are shifted with them, and the epoch is chosen "
        "by what they reach.",
        source="Lipton et al. 2014",
    )


class EvaluationSettings(Section):
    """What is measured."""

    split: Split = key("test", "Split that the reported figure is measured on.", source="method §9")
    baselines: tuple[Literal["majority", "tfidf", "embedding-nearest", "embedding-logistic", "encoder"], ...] = key(
        ("majority", "tfidf"),
        "Methods without a language model, fitted for the same split, to stand beside the figure; [] none. Embeddings "
        "need the extra `demonstrations`; `encoder` fine-tunes a model, for minutes without a GPU.",
    )
    bootstrap: Whole = key(1000, "Resamples behind the confidence interval; 0 leaves it out.", unit="resamples", ge=0)


class OutputSettings(Section):
    """Where the run folder stands."""

    folder: Location | None = key(None, "The run folder. Null takes runs/<name>-<seed>.")


class Recipe(Section):
    """One experiment: data, model, training and measurement.

    Two runs of one recipe with one seed on one machine give the same figures.
    """

    name: str = key(
        "experiment",
        "Names the run folder. Letters, digits, dot, dash, underscore. Where it is left out, the file's name.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        takes="a word of letters, digits, '.', '-', '_'",
    )
    description: str = key("", "One sentence for people.")
    seed: Whole = key(42, "Start of every random number.", source="method §7", ge=0, le=2**32 - 1)
    data: DataSettings = section("Which conversations.", DataSettings)
    backbone: BackboneSettings = section("Which language model.", BackboneSettings)
    prompt: PromptSettings = section("How a conversation is put into words.", PromptSettings)
    window: WindowSettings = section("Which turns the model sees.", WindowSettings)
    demonstrations: DemonstrationSettings = section("Which labelled utterances prompts show.", DemonstrationSettings)
    adapter: AdapterSettings = section("Which weights are trained.", AdapterSettings)
    training: TrainingSettings = section("How they are learned.", TrainingSettings)
    stages: Annotated[tuple[StageSettings, ...], Field(min_length=1)] | None = key(
        None,
        "The parts of the training, one after the other; null is one that learns recognition. The last one has to "
        "learn it.",
        source="method §6",
        takes="a list of stages, or null",
    )
    checkpoints: CheckpointSettings = section("Which checkpoints stay.", CheckpointSettings)
    recognition: RecognitionSettings = section("How the model answers.", RecognitionSettings)
    endpoint: EndpointSettings = section("Which server is asked, where one is.", EndpointSettings)
    evaluation: EvaluationSettings = section("What is measured.", EvaluationSettings)
    output: OutputSettings = section("Where the run folder stands.", OutputSettings)

    @model_validator(mode="after")
    def _keys_fit_together(self) -> Recipe:
        broken = broken_rules(self)
        if broken:
            text = "; ".join(f"{path}: {reason}" for path, reason in broken)
            # The pairs travel in the context, so that `resolve` can put file and line to each.
            raise PydanticCustomError("rules", "{text}", {"text": text, "broken": broken})
        return self
