"""From the `data` section of a recipe to conversations: one corpus, or several as one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.conversation import Corpus
from instructerc.corpora import SOURCES, Columns, load_corpus
from instructerc.corpora.leak_guard import PROTOCOLS, get_protocol
from instructerc.corpora.leaks import LeakReport
from instructerc.corpora.load import named_source
from instructerc.corpora.mapping_files import load_mapping
from instructerc.corpora.mixing import Mixture, get_mix, mix_corpora
from instructerc.corpora.sampling import sample_training, thin_neutral
from instructerc.labels import LabelSet, get_label_set, label_set_of
from instructerc.prompts.offsets import speaker_offsets
from instructerc.prompts.spec import PromptSpec
from instructerc.prompts.window import Window

if TYPE_CHECKING:
    from instructerc.experiments.schema import DataSettings, Recipe

IEMOCAP_SPEAKERS = ("M", "F")
"""IEMOCAP numbers its speakers by sex, not by who speaks first (method §3)."""

VERBATIM_WORDINGS = ("released", "plain")
"""Wordings of the released code, whose MELD texts hold damaged characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeCorpus:
    """The conversations of a recipe.

    Attributes:
        corpus: All of them.
        labels: The closed label set, with its neutral label.
        mixture: Where several corpora were made one: what each brought.
        leaks: What was looked for and left out; None where nobody looked.
    """

    corpus: Corpus
    labels: LabelSet
    mixture: Mixture | None = None
    leaks: LeakReport | None = None


def load_recipe_corpus(recipe: Recipe) -> RecipeCorpus:
    """Loads what the recipe names, and takes the part that it wants.

    Raises:
        UsageError: A name is unknown, labels do not fit together, or the fraction leaves nothing.
        LabelMappingError: Labels have no place under the unified ones.
        DataError: A file is missing or wrong.
    """
    data = recipe.data
    if isinstance(data.corpus, str) and data.unify is None:
        return _alone(recipe, data.corpus)
    names = data.corpora
    mixture = mix_corpora(
        [_limited(_load(recipe, name, several=len(names) > 1), data.limit) for name in names],
        mapping=None if data.unify is None else load_mapping(data.unify),
        mix=get_mix(data.mix),
        fraction=data.fraction,
        neutral_fraction=data.neutral_fraction,
        seed=recipe.seed,
        unit=data.unit,
        protocol=get_protocol(data.leaks or ("guarded" if len(names) > 1 else "published")),
    )
    corpus = mixture.corpus
    return RecipeCorpus(corpus=corpus, labels=label_set_of(corpus.labels), mixture=mixture, leaks=mixture.leaks)


def _alone(recipe: Recipe, name: str) -> RecipeCorpus:
    data, leaks = recipe.data, None
    corpus = _limited(_load(recipe, name, several=False), data.limit)
    if data.leaks is not None:
        (corpus,), leaks = PROTOCOLS[data.leaks].apply([corpus])
    sampled = sample_training(corpus, fraction=data.fraction, seed=recipe.seed, unit=data.unit)
    labels = SOURCES[name].labels if name in SOURCES else label_set_of(corpus.labels)
    train = thin_neutral(sampled.train, labels.labels, fraction=data.neutral_fraction, seed=recipe.seed)
    return RecipeCorpus(corpus=replace(sampled, train=train), labels=labels, leaks=leaks)


def _load(recipe: Recipe, name: str, *, several: bool) -> Corpus:
    data = recipe.data
    called, path = named_source(name) if several else (name, None)
    if called not in SOURCES:
        columns = None if data.columns is None else Columns(**data.columns.model_dump())
        place = Path(path or name).expanduser()
        corpus = load_corpus(str(place), labels=given_labels(data), columns=columns)
        return corpus if path is None else replace(corpus, name=called)
    # The released wording is exact to the byte, so that its texts are those of the released files.
    verbatim = recipe.prompt.wording in VERBATIM_WORDINGS and (not several or called.endswith("-cosmic"))
    folder = data.folder / called if several and data.folder is not None else data.folder
    return load_corpus(called, folder=folder if path is None else Path(path).expanduser(), repair=not verbatim)


def given_labels(data: DataSettings) -> LabelSet | None:
    """The label set that a recipe gives for files of one's own."""
    if data.labels is None:
        return None
    return get_label_set(data.labels) if isinstance(data.labels, str) else label_set_of(data.labels)


def _limited(corpus: Corpus, limit: int | None) -> Corpus:
    if limit is None:
        return corpus
    return replace(corpus, train=corpus.train[:limit], validation=corpus.validation[:limit], test=corpus.test[:limit])


def prompt_spec(recipe: Recipe, found: RecipeCorpus) -> PromptSpec:
    """What the prompts of a recipe look like, but for their demonstrations."""
    prompt, window = recipe.prompt, recipe.window
    parts = () if found.mixture is None else found.mixture.parts
    called = [named_source(name)[0] for name in recipe.data.corpora]
    iemocap = any(name in SOURCES and name.startswith("iemocap") for name in called)
    return PromptSpec(
        labels=found.corpus.labels,
        wording=prompt.wording,
        window=Window(size=window.size, stride=window.stride, context=window.context),
        speakers=prompt.speakers,
        speaker_order=IEMOCAP_SPEAKERS if iemocap else (),
        speaker_offsets=speaker_offsets(parts, wording=prompt.wording) if parts else {},
    )
