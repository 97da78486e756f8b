"""From the sections of a recipe that say what is learned from, to examples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.conversation import Conversation, Corpus, Split
from instructerc.corpora import corpus_hash
from instructerc.corpora.leaks import LeakReport
from instructerc.corpora.mixing import Mixture
from instructerc.demonstrations.demonstrator import Demonstrator, TurnDemonstrations
from instructerc.demonstrations.encoder import Progress, ignore_progress
from instructerc.errors import DataError, RecipeError, UsageError
from instructerc.evaluation.weights import class_weights, get_weighting
from instructerc.experiments.conversations import given_labels, load_recipe_corpus, prompt_spec
from instructerc.experiments.demonstrating import recipe_demonstrator, shown_in
from instructerc.experiments.starting import TrainedModel, find_start
from instructerc.experiments.teaching import Teaching, find_teaching
from instructerc.labels import LabelSet, label_set_of
from instructerc.prompts.demonstration import Demonstration
from instructerc.prompts.example import Example, Task
from instructerc.prompts.files import read_prompts
from instructerc.prompts.spec import PromptSpec

if TYPE_CHECKING:
    from instructerc.experiments.schema import PromptFiles, Recipe

RECOGNITION: Mapping[Task, float] = {"recognition": 1.0}
"""What is learned and measured where a recipe says nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """What a run learns from and is measured on.

    Attributes:
        name: Name of the corpus.
        corpus: The conversations; None where the recipe brings ready-made prompts.
        labels: The closed label set.
        spec: What prompts look like; for ready-made ones only its labels count.
        prompts: Ready-made prompts by split; empty where there is a corpus.
        hash: Changes with every conversation, prompt or demonstration.
        mixture: Where several corpora were made one: what each brought.
        leaks: What training shares with validation and test; None where nobody looked.
        demonstrator: Finds the demonstrations that prompts show; None where they show none.
        label_weights: What a training example of each label counts; empty where all count the same.
        teaching: What a training example teaches beside its label.
        start: The trained model that training begins with; None where that is the backbone as it came.
        sampled: Whether training turns without an emotion are those that a fraction left out.
    """

    name: str
    corpus: Corpus | None
    labels: LabelSet
    spec: PromptSpec
    prompts: Mapping[Split, tuple[Example, ...]]
    hash: str
    mixture: Mixture | None = None
    leaks: LeakReport | None = None
    demonstrator: Demonstrator | None = field(default=None, repr=False)
    label_weights: Mapping[str, float] = field(default_factory=dict)
    teaching: Teaching = field(default_factory=Teaching)
    start: TrainedModel | None = None
    sampled: bool = False
    _shown: dict[Split, list[TurnDemonstrations]] = field(default_factory=dict, repr=False, compare=False)

    def texts(self) -> list[str]:
        """What is said, in all splits; of ready-made prompts, all of them."""
        if self.corpus is None:
            return [example.prompt for prompts in self.prompts.values() for example in prompts]
        chats = (chat for _, conversations in self.corpus.splits() for chat in conversations)
        return [utterance.text for chat in chats for utterance in chat.utterances]

    def examples(self, split: Split, tasks: Mapping[Task, float] = RECOGNITION) -> list[Example]:
        """The labelled examples of a split, turn by turn, in training weighed by task and label.

        Args:
            split: Which one.
            tasks: What is asked at each turn, and what an example of it counts in training.
        """
        training = split == "train"
        if self.corpus is None:
            return [self._weighed(example, 1.0, training=training) for example in self.prompts[split]]
        found = []
        for conversation, shown in self._with_demonstrations(split):
            by_turn = [
                (example.turn, self._weighed(example, weight, training=training))
                for task, weight in tasks.items()
                for example in self._asked(conversation, task, shown if task == "recognition" else None)
                if self._learnable(conversation, example)
            ]
            by_turn.sort(key=lambda pair: pair[0])  # stable: the examples of a turn stay together
            found += [example for _, example in by_turn]
        return found

    def asked(self, split: Split) -> Iterator[Example]:
        """Every example that recognition meets in a split, unlabelled turns among them."""
        if self.corpus is None:
            yield from self.prompts[split]
        for conversation, shown in self._with_demonstrations(split):
            yield from self._asked(conversation, "recognition", shown)

    def conversations(self, split: Split) -> tuple[Conversation, ...]:
        """The conversations of a split; none where the prompts are ready-made."""
        return () if self.corpus is None else self.corpus.split(split)

    def labelled(self, split: Split) -> int:
        """How many examples of a split carry a label; counted without rendering them."""
        turns = (turn for conversation in self.conversations(split) for turn in conversation.utterances)
        return len(self.prompts.get(split, ())) + sum(turn.emotion is not None for turn in turns)

    def demonstrations(self, split: Split) -> list[TurnDemonstrations]:
        """What each turn of each conversation of a split is shown, searched for once; nothing where nothing is."""
        if self.demonstrator is None:
            return []
        if split not in self._shown:
            conversations = self.conversations(split)
            self._shown[split] = self.demonstrator.for_conversations(conversations, training=split == "train")
        return self._shown[split]

    def _with_demonstrations(self, split: Split) -> Iterator[tuple[Conversation, TurnDemonstrations | None]]:
        conversations = self.conversations(split)
        if self.demonstrator is None:
            yield from ((conversation, None) for conversation in conversations)
        else:
            yield from zip(conversations, self.demonstrations(split), strict=True)

    def _asked(
        self, conversation: Conversation, task: Task, shown: Sequence[Sequence[Demonstration]] | None
    ) -> Iterator[Example]:
        return self.spec.examples(conversation, task=task, demonstrations=shown)

    def _learnable(self, conversation: Conversation, example: Example) -> bool:
        """Who speaks is known of every turn; but a turn that a fraction left out is not learned from in any way."""
        left_out = self.sampled and conversation.utterances[example.turn].emotion is None
        return example.target is not None and not left_out

    def _weighed(self, example: Example, weight: float, *, training: bool) -> Example:
        if not training:
            return example
        if example.task != "speaker_identification":
            weight *= self.label_weights.get(example.target or "", 1.0)
        return self.teaching.of(example if weight == example.weight else replace(example, weight=weight))


def prepare_data(recipe: Recipe, *, progress: Progress = ignore_progress) -> RunData:
    """Loads what the recipe names.

    Args:
        recipe: The recipe.
        progress: Told how far the encoding of demonstrations is.

    Raises:
        UsageError: A name is unknown, keys do not fit, or training cannot begin with what it is to begin with.
        ArtefactError: That is no trained model, or damaged.
        DataError: A file is missing or wrong, or there is nothing to learn from or to measure on.
    """
    start = find_start(recipe)
    prompts = recipe.data.prompts
    data = _from_corpus(recipe, progress) if prompts is None else _from_prompts(recipe, prompts)
    needed: list[tuple[Split, str]] = [(recipe.evaluation.split, "measure")]
    if recipe.adapter.method != "none":
        needed.insert(0, ("train", "learn from"))
    for split, purpose in needed:
        if not data.labelled(split):
            raise DataError(
                f"corpus {data.name!r} has no labelled turn in its {split} split, so nothing to {purpose}: give one, "
                "or set evaluation.split"
            )
    if recipe.recognition.decision.endswith("-without-neutral") and data.labels.neutral is None:
        raise UsageError(  # now, not after hours
            f"recognition.decision {recipe.recognition.decision}: none of the labels {', '.join(data.labels.labels)} "
            "means neutral: choose weighted-f1"
        )
    teaching = find_teaching(recipe, data.labels.labels)
    return replace(data, label_weights=_label_weights(recipe, data), teaching=teaching, start=start)


def _from_corpus(recipe: Recipe, progress: Progress) -> RunData:
    found = load_recipe_corpus(recipe)
    demonstrator = recipe_demonstrator(recipe, found.corpus, found.labels, progress=progress)
    digest = corpus_hash(found.corpus)
    if demonstrator is not None:
        digest = hashlib.sha256(f"{digest} {demonstrator.pool.hash}".encode()).hexdigest()
    return RunData(
        name=found.corpus.name,
        corpus=found.corpus,
        labels=found.labels,
        spec=replace(prompt_spec(recipe, found), demonstrations=shown_in(recipe)),
        prompts={},
        hash=digest,
        mixture=found.mixture,
        leaks=found.leaks,
        demonstrator=demonstrator,
        sampled=(recipe.data.fraction < 1 and recipe.data.unit == "turns") or recipe.data.neutral_fraction < 1,
    )


def _label_weights(recipe: Recipe, data: RunData) -> dict[str, float]:
    """What training examples of each label count; of the labels that are learned from, whatever was left out."""
    weighting = get_weighting(recipe.training.class_weights)
    if weighting.name == "none" or recipe.adapter.method == "none":
        return {}
    turns = (turn.emotion for chat in data.conversations("train") for turn in chat.utterances)
    targets = [*turns, *(example.target for example in data.prompts.get("train", ()))]
    return class_weights({label: targets.count(label) for label in data.labels.labels}, weighting)


def _from_prompts(recipe: Recipe, files: PromptFiles) -> RunData:
    paths: dict[Split, Path] = {"train": files.train, "validation": files.validation, "test": files.test}
    raw = {split: read_prompts(path) for split, path in paths.items()}
    found = tuple(dict.fromkeys(example.target or "" for part in raw.values() for example in part))
    given = given_labels(recipe.data)
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
