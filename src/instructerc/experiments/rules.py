"""Rules between keys of a recipe: which key has no effect beside which, and what does not fit together.

```
data.prompts: train.json   +  window.size: 5     the prompts are already written: the window would do nothing
adapter.method: all        +  adapter.rank: 8    there is no adapter that could have a rank
```

A key without effect is an error where it was given as deliberately as the key that silences it. Where only the
command line switches (`--set adapter.method=all` on a LoRA recipe), the recipe's keys step back (`silenced`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instructerc.backbones.adapters import ALL_LINEAR
from instructerc.backbones.embedded import READINGS
from instructerc.backbones.presets import packaged
from instructerc.demonstrations.encoder import DEFAULT_NAMES
from instructerc.recognition.endpoint.settings import fault_of_url

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Silencer:
    """A key that takes the effect of other keys away.

    Attributes:
        key: Path of the key.
        when: Whether a value of the key does so.
        silences: Paths of keys or whole sections without effect then.
        reason: Why, for people; what to do instead.
        unless: A key whose value, other than null, lifts the rule; empty where none does.
    """

    key: str
    when: Callable[[Any], bool]
    silences: tuple[str, ...]
    reason: str
    unless: str = ""

    def holds(self, values: Any) -> bool:
        """Whether nested mappings or a recipe make it silence its keys."""
        lifted = bool(self.unless) and value_at(values, self.unless) is not None
        return not lifted and self.when(value_at(values, self.key))

    def covers(self, path: str) -> bool:
        """Whether the key at `path` is one of the silenced."""
        return any(within(path, silent) for silent in self.silences)


def _in_catalogue(value: Any) -> bool:
    from instructerc.corpora.catalog import SOURCES

    return value in SOURCES


def _several(value: Any) -> bool:
    return isinstance(value, list | tuple)


TRAINING_ONLY = tuple(
    f"training.{name}"
    for name in (
        *("epochs", "learning_rate", "schedule", "warmup", "batch_size", "grouping", "part_size", "micro_batch"),
        *(
            "row_tokens",
            "auto_batch",
            "weight_decay",
            "betas",
            "gradient_clip",
            "early_stopping",
            "gradient_checkpointing",
        ),
        *("loss_weighting", "class_weights", "focal_gamma", "label_smoothing", "teachers", "teacher_weight"),
        *("averaging", "start", "save_every", "tracking"),
    )
)
"""Keys that say how weights are learned; batching and precision also hold where a model is used."""


SILENCERS = (
    Silencer(
        key="data.prompts",
        when=lambda value: value is not None,
        silences=(
            *("data.corpus", "data.folder", "data.columns", "data.unify", "data.mix", "data.fraction", "data.unit"),
            *("data.neutral_fraction", "data.leaks", "window", "prompt.wording", "prompt.speakers"),
            *("demonstrations", "stages", "training.teachers"),
        ),
        reason="has no effect beside data.prompts, whose prompts are already written: remove one of the two",
    ),
    Silencer(
        key="data.corpus",
        when=lambda value: isinstance(value, str) and _in_catalogue(value),
        silences=("data.labels", "data.columns"),
        reason="has no effect on a corpus of the catalogue, which has its own: remove it, or give your files' path",
        unless="data.prompts",
    ),
    Silencer(
        key="data.corpus",
        when=lambda value: isinstance(value, str) and not _in_catalogue(value),
        silences=("data.folder",),
        reason="has no effect beside a data.corpus that is a path: remove it, or name a corpus of the catalogue",
    ),
    Silencer(
        key="data.corpus",
        when=_several,
        silences=("data.labels", "data.columns"),
        reason="has no effect beside several corpora, which have their own: remove it",
        unless="data.prompts",
    ),
    Silencer(
        key="data.corpus",
        when=lambda value: value is not None and not _several(value),
        silences=("data.mix",),
        reason="has an effect only where data.corpus is a list: remove it, or list the corpora",
        unless="data.prompts",
    ),
    Silencer(
        key="demonstrations.pairing",
        when=lambda value: value is None,
        silences=tuple(
            f"demonstrations.{name}"
            for name in ("count", "placement", "pool", "per_label", "encoder", "encoder_revision")
        ),
        reason="has an effect only where demonstrations.pairing names one: set that, or remove it",
    ),
    Silencer(
        key="demonstrations.pool",
        when=lambda value: value is not None,
        silences=("demonstrations.per_label",),
        reason="has no effect beside demonstrations.pool, which is taken as it is: remove one of the two",
    ),
    Silencer(
        key="demonstrations.encoder",
        when=lambda value: value is None or value in DEFAULT_NAMES,
        silences=("demonstrations.encoder_revision",),
        reason="has no effect on the default encoder, whose weights are verified: remove it, or name a hub model",
    ),
    Silencer(
        key="prompt.wording",
        when=lambda value: value == "plain",
        silences=("window", "prompt.speakers"),
        reason="has no effect beside prompt.wording: plain, which shows the target turn alone: remove one of the two",
    ),
    Silencer(
        key="adapter.method",
        when=lambda value: value == "all",
        silences=("adapter.rank", "adapter.alpha", "adapter.dropout", "adapter.targets", "adapter.dora"),
        reason="has no effect beside adapter.method: all, which trains without adapters: remove it, or take lora",
    ),
    Silencer(
        key="adapter.method",
        when=lambda value: value == "none",
        silences=(
            *("adapter.rank", "adapter.alpha", "adapter.dropout", "adapter.targets", "adapter.dora"),
            *(*TRAINING_ONLY, "stages", "checkpoints"),
        ),
        reason="has no effect beside adapter.method: none, which trains nothing: remove it, or take lora or all",
    ),
    Silencer(
        key="training.batching",
        when=lambda value: value == "tree",
        silences=("training.micro_batch",),
        reason="has no effect beside training.batching: tree, whose rows are packed: remove one of the two",
    ),
    Silencer(
        key="training.batching",
        when=lambda value: value == "padded",
        silences=("training.row_tokens",),
        reason="has no effect beside training.batching: padded, which has no rows: remove one of the two",
    ),
    Silencer(
        key="training.teachers",
        when=lambda value: value is None,
        silences=("training.teacher_weight",),
        reason="has an effect only where training.teachers names a model: set that, or remove it",
    ),
    Silencer(
        key="training.grouping",
        when=lambda value: value != "part",
        silences=("training.part_size",),
        reason="has an effect only where training.grouping is part: set that, or remove it",
    ),
    Silencer(
        key="backbone.name",
        when=packaged,
        silences=("backbone.revision",),
        reason="has no effect on an embedded backbone, whose version is its package's: remove it, or name a hub model",
    ),
    Silencer(
        key="recognition.engine",
        when=lambda value: value == "endpoint",
        silences=(
            *("backbone", "prompt.max_length", "training", "recognition.mode", "recognition.batch_size"),
            *("recognition.calibration", "recognition.decision"),
        ),
        reason="has no effect beside recognition.engine: endpoint, whose server runs a model of its own: remove it",
    ),
    Silencer(
        key="recognition.engine",
        when=lambda value: value != "endpoint",
        silences=("endpoint",),
        reason="has an effect only where recognition.engine is endpoint: set that, or remove it",
    ),
    Silencer(
        key="recognition.engine",
        when=lambda value: value == "vllm",
        silences=("backbone.attention", "training.batching", "training.precision", "recognition.batch_size"),
        reason="has no effect beside recognition.engine: vllm, which batches and computes by its own rules: remove it",
    ),
)


def value_at(values: Any, path: str) -> Any:
    """What stands at a dotted path of nested mappings or models; None where nothing does.

    Example:
        >>> value_at({"training": {"epochs": 3}}, "training.epochs")
        3
    """
    for part in path.split("."):
        values = values.get(part) if isinstance(values, Mapping) else getattr(values, part, None)
    return values


def within(path: str, key: str) -> bool:
    """Whether a dotted path is a key, or inside its section.

    Example:
        >>> within("window.size", "window"), within("window.size", "window.s")
        (True, False)
    """
    return path == key or path.startswith(f"{key}.")


def flat_values(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Everything in nested mappings that is no mapping, by its dotted path.

    Example:
        >>> flat_values({"seed": 1, "window": {"size": 3}})
        {'seed': 1, 'window.size': 3}
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        flat |= flat_values(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def silenced(values: Any, path: str) -> Silencer | None:
    """The silencer, in nested mappings or a recipe, that takes the effect of the key at `path`."""
    for silencer in SILENCERS:
        if silencer.covers(path) and silencer.holds(values):
            return silencer
    return None


def broken_rules(recipe: Recipe) -> list[tuple[str, str]]:
    """Every pair of keys that does not fit, as the path of the key at fault and the reason."""
    found = [(path, silencer.reason) for path in given_keys(recipe) if (silencer := silenced(recipe, path)) is not None]
    training, prompt = recipe.training, recipe.prompt
    if training.micro_batch is not None and training.micro_batch > training.batch_size:
        reason = f"{training.micro_batch} is more than training.batch_size: {training.batch_size}: take at most that"
        found.append(("training.micro_batch", reason))
    if prompt.wording == "released" and prompt.speakers == "name" and recipe.data.prompts is None:
        reason = "the released wording knows speakers by index only: take index, or another prompt.wording"
        found.append(("prompt.speakers", reason))
    return [*found, *_broken_stages(recipe), *_broken_choices(recipe), *_broken_engine(recipe)]


def _broken_stages(recipe: Recipe) -> Iterator[tuple[str, str]]:
    from instructerc.prompts.wording import WORDINGS

    stages, wording = recipe.stages or (), recipe.prompt.wording
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names):
        yield "stages", f"two stages are called {max(names, key=names.count)!r}: give each a name of its own"
    if stages and "recognition" not in stages[-1].tasks:
        yield "stages", f"the last one, {names[-1]!r}, does not learn recognition, which is measured: add it there"
    unknown = {task for stage in stages for task in stage.tasks} - set(WORDINGS[wording].tasks)
    if unknown and recipe.data.prompts is None:
        known = ", ".join(name for name, other in WORDINGS.items() if unknown <= set(other.tasks))
        yield "prompt.wording", f"{wording} has no words for {', '.join(sorted(unknown))}: take one of {known}"


def _broken_choices(recipe: Recipe) -> Iterator[tuple[str, str]]:
    corpora = recipe.data.corpora
    if len(set(corpora)) < len(corpora):
        yield "data.corpus", f"{', '.join(corpora)} names a corpus twice: name each once"
    quantization, targets = recipe.backbone.quantization, recipe.adapter.targets or ()
    if quantization != "none" and recipe.adapter.method == "all":
        reason = f"{quantization} weights cannot be trained (adapter.method: all): set it to none, or take lora"
        yield "backbone.quantization", reason
    if quantization == "8bit" and recipe.adapter.dora:
        yield "adapter.dora", "does not go together with backbone.quantization: 8bit: take 4bit or none, or false here"
    if quantization != "none" and packaged(recipe.backbone.name):
        yield "backbone.quantization", "embedded backbones have float32 weights only: set it to none"
    if READINGS.get(recipe.backbone.name) == "whole" and recipe.training.batching == "tree":
        name = recipe.backbone.name
        yield "training.batching", f"{name} reads prompts in both directions, which share nothing: set it to auto"
    if ALL_LINEAR in targets and len(targets) > 1:
        yield "adapter.targets", f"{ALL_LINEAR} stands for all layers: give it alone, or name layers without it"


def _broken_engine(recipe: Recipe) -> Iterator[tuple[str, str]]:
    engine, endpoint = recipe.recognition.engine, recipe.endpoint
    if engine != "transformers" and recipe.adapter.method != "none":
        remedy = "merge a trained model and name its folder as backbone.name" if engine == "vllm" else "zero-shot"
        yield "recognition.engine", f"{engine} trains nothing: set adapter.method to none ({remedy})"
    if engine == "vllm" and packaged(recipe.backbone.name):
        yield "recognition.engine", "vllm does not know the embedded backbones: name another backbone.name"
    if engine == "vllm" and recipe.backbone.quantization != "none":
        yield "backbone.quantization", "the vllm engine reads weights as they are: set it to none"
    if recipe.recognition.calibration != "none" and recipe.recognition.mode == "generate":
        yield "recognition.calibration", "needs probabilities, which mode generate has none of: set it to none"
    if recipe.recognition.decision != "likeliest" and recipe.recognition.mode == "generate":
        yield "recognition.decision", "needs probabilities, which mode generate has none of: set it to likeliest"
    if engine != "endpoint":
        return
    if endpoint.model is None:
        yield "endpoint.model", "is not given: say what the server calls the model"
    if endpoint.url is not None and (fault := fault_of_url(endpoint.url)):
        yield "endpoint.url", fault


def given_keys(model: Any, prefix: str = "") -> Iterator[str]:
    """Paths of the keys that were given rather than left to their default, in the order of the schema."""
    for name in type(model).model_fields:
        if name not in model.model_fields_set:
            continue
        value, path = getattr(model, name), f"{prefix}{name}"
        if hasattr(value, "model_fields_set"):
            yield from given_keys(value, f"{path}.")
        else:
            yield path
