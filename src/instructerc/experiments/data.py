"""From the `data`, `prompt` and `window` sections of a recipe to examples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.conversation import Conversation, Corpus, Split
from instructerc.corpora import SOURCES, Columns, corpus_hash, load_corpus
from instructerc.errors import DataError, RecipeError
from instructerc.labels import LabelSet, get_label_set, label_set_of
from instructerc.prompts.example import Example
from instructerc.prompts.files import read_prompts
from instructerc.prompts.spec import PromptSpec
from instructerc.prompts.window import Window

if TYPE_CHECKING:
    from instructerc.experiments.schema import DataSettings, PromptFiles, Recipe

IEMOCAP_SPEAKERS = ("M", "F")
"""IEMOCAP numbers its speakers by sex, not by who speaks first (method §3)."""


VERBATIM_WORDINGS = ("released", "plain")
"""Wordings of the released code, whose MELD texts hold damaged characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """What a run learns from and is measured on.

    Attributes:
        name: Name of the corpus.
        corpus: The conversations; None where the recipe brings ready-made prompts.
        labels: The closed label set.
        spec: What prompts look like; for ready-made ones only its labels count.
        prompts: Ready-made prompts by split; empty where there is a corpus.
        hash: Changes with every conversation or prompt.
    """

    name: str
    corpus: Corpus | None
    labels: LabelSet
    spec: PromptSpec
    prompts: Mapping[Split, tuple[Example, ...]]
    hash: str

    def examples(self, split: Split) -> list[Example]:
        """The labelled examples of a split."""
        if self.corpus is None:
            return list(self.prompts[split])
        return [
            example
            for conversation in self.corpus.split(split)
            for example in self.spec.labelled_examples(conversation)
        ]

    def asked(self, split: Split) -> Iterator[Example]:
        """Every example that recognition meets in a split, unlabelled turns among them."""
        if self.corpus is None:
            yield from self.prompts[split]
        for conversation in self.conversations(split):
            yield from self.spec.examples(conversation)

    def conversations(self, split: Split) -> tuple[Conversation, ...]:
        """The conversations of a split; none where the prompts are ready-made."""
        return () if self.corpus is None else self.corpus.split(split)

    def labelled(self, split: Split) -> int:
        """How many examples of a split carry a label; counted without rendering them."""
        turns = (turn for conversation in self.conversations(split) for turn in conversation.utterances)
        return len(self.prompts.get(split, ())) + sum(turn.emotion is not None for turn in turns)


def prepare_data(recipe: Recipe) -> RunData:
    """Loads what the recipe names.

    Raises:
        UsageError: A name is unknown, or keys do not fit.
        DataError: A file is missing or wrong, or there is nothing to learn from or to measure on.
    """
    prompts = recipe.data.prompts
    data = _from_corpus(recipe) if prompts is None else _from_prompts(recipe, prompts)
    needed: tuple[tuple[Split, str], ...] = (("train", "learn from"), (recipe.evaluation.split, "measure"))
    for split, purpose in needed:
        if not data.labelled(split):
            raise DataError(
                f"corpus {data.name!r} has no labelled turn in its {split} split, so nothing to {purpose}: give one, "
                "or set evaluation.split"
            )
    return data


def _from_corpus(recipe: Recipe) -> RunData:
    corpus = _limited(_load(recipe), recipe.data.limit)
    labels = SOURCES[corpus.name].labels if corpus.name in SOURCES else label_set_of(corpus.labels)
    spec = PromptSpec(
        labels=corpus.labels,
        wording=recipe.prompt.wording,
        window=Window(size=recipe.window.size, stride=recipe.window.stride, context=recipe.window.context),
        speakers=recipe.prompt.speakers,
        speaker_order=IEMOCAP_SPEAKERS if corpus.name.startswith("iemocap") else (),
    )
    return RunData(name=corpus.name, corpus=corpus, labels=labels, spec=spec, prompts={}, hash=corpus_hash(corpus))


def _load(recipe: Recipe) -> Corpus:
    data = recipe.data
    columns = None if data.columns is None else Columns(**data.columns.model_dump())
    if data.corpus in SOURCES:
        # The released wording is exact to the byte, so that its texts are those of the released files.
        verbatim = recipe.prompt.wording in VERBATIM_WORDINGS
        return load_corpus(data.corpus, folder=data.folder, repair=not verbatim)
    return load_corpus(data.corpus, labels=_labels_of(data), columns=columns)


def _labels_of(data: DataSettings) -> LabelSet | None:
    if data.labels is None:
        return None
    return get_label_set(data.labels) if isinstance(data.labels, str) else label_set_of(data.labels)


def _limited(corpus: Corpus, limit: int | None) -> Corpus:
    if limit is None:
        return corpus
    return replace(corpus, train=corpus.train[:limit], validation=corpus.validation[:limit], test=corpus.test[:limit])


def _from_prompts(recipe: Recipe, files: PromptFiles) -> RunData:
    paths: dict[Split, Path] = {"train": files.train, "validation": files.validation, "test": files.test}
    raw = {split: read_prompts(path) for split, path in paths.items()}
    found = tuple(dict.fromkeys(example.target or "" for part in raw.values() for example in part))
    given = _labels_of(recipe.data)
    labels = given or label_set_of(found)
    strays = [label for label in found if label not in labels.labels]
    if strays:
        raise RecipeError(
            "data.labels",
            [f"the prompt files hold the targets {', '.join(strays)}, which are none of the labels: add them"],
        )
    prompts = {split: _answerable(part[: recipe.data.limit], labels) for split, part in raw.items()}
    rows = {split: [[example.prompt, example.target] for example in part] for split, part in prompts.items()}
    return RunData(
        name="prompts",
        corpus=None,
        labels=labels,
        spec=PromptSpec(labels=labels.labels),
        prompts=prompts,
        hash=hashlib.sha256(json.dumps(rows).encode()).hexdigest(),
    )


def _answerable(examples: Sequence[Example], labels: LabelSet) -> tuple[Example, ...]:
    return tuple(replace(example, candidates=labels.labels) for example in examples)
