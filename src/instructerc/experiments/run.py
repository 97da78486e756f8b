"""One recipe, from data to report.

```
run folder
├── recipe.yaml         every effective value; `instructerc run` takes it as it is
├── run.json            recipe, hashes of data and prompts: what a resume has to meet again; versions and revision
├── beliefs.json        where there are teachers: what they believe of each training turn
├── stages/1-NAME/      the stages before the last, each with its model
├── model/              the best epoch's model; with it alone one can predict
├── checkpoints/        the last one, to go on from
├── curves.jsonl        loss and validation figures, as they came; tensorboard/ has the same
├── events.jsonl        what happened and when, for programs
├── predictions.jsonl   a row a turn of the measured split, as they came
├── answers.jsonl       where a server is asked: each of its answers, so that none is paid for twice
└── report.json, .md, .html, confusion.png, curves.png
```
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc import __version__
from instructerc.assets import write_atomically
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.chat import style_notice
from instructerc.backbones.exhaustion import release
from instructerc.backbones.loading import load_backbone, load_skeleton, quiet_transformers
from instructerc.backbones.tokens import PromptEncoder
from instructerc.backbones.unknown import unknown_notice
from instructerc.baselines.registry import baseline
from instructerc.errors import UsageError
from instructerc.experiments.arguments import artefact_of
from instructerc.experiments.asking import Asked, open_recognizer, require_server, what_was_asked
from instructerc.experiments.calibrating import DECISIONS, calibrate
from instructerc.experiments.data import RunData, prepare_data
from instructerc.experiments.events import EventFile, EventWatcher
from instructerc.experiments.folder import BELIEFS, PREDICTIONS, claim, held, timed
from instructerc.experiments.resolve import Resolved
from instructerc.experiments.stages import FOLDER as STAGES
from instructerc.experiments.stages import Stage, plan_stages, stage_examples
from instructerc.experiments.summary import Outcome, Shortened, run_report, wanted_baselines
from instructerc.experiments.watching import RunWatcher, Silent
from instructerc.prompts.example import Example
from instructerc.recognition.artefact import Artefact, read_artefact, save_artefact
from instructerc.recognition.predictions import PredictionWriter, TurnPrediction, read_predictions
from instructerc.recognition.recognizer import CHUNK, EmotionRecognizer, Recognizer
from instructerc.reporting.card import model_card
from instructerc.reporting.report import Report
from instructerc.reporting.writing import write_report
from instructerc.training.checkpoints import saying_where_it_is_full
from instructerc.training.ranks import Ranks
from instructerc.training.stage import MODEL, StageResult, train_stage

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came out of a run.

    Attributes:
        folder: The run folder.
        report: The report, as it stands in the folder.
        seconds: Wall time of this call.
    """

    folder: Path
    report: Report
    seconds: float

    @property
    def weighted_f1(self) -> float:
        """Weighted F1 on the measured split, a fraction."""
        return self.report.main.weighted_f1

    @property
    def baselines(self) -> dict[str, float]:
        """Weighted F1 of the baselines on the same split, by name, fractions."""
        return {name: scores.weighted_f1 for name, scores in self.report.baselines.items()}

    @property
    def sources(self) -> dict[str, float]:
        """Weighted F1 of each corpus of a mixture, by name, fractions; empty where there is one corpus."""
        return {name: scores.weighted_f1 for name, scores in self.report.sources.items()}

    @property
    def marks(self) -> tuple[str, ...]:
        """What makes the figures no ordinary results."""
        return self.report.marks

    def to_json(self) -> dict[str, Any]:
        """The figures that scripts want."""
        return {
            "folder": str(self.folder),
            "split": self.report.main_split,
            "window": self.report.provenance["Method"]["window"],
            "weighted_f1": self.weighted_f1,
            "scores": self.report.main.to_json(),
            "sources": self.sources,
            "marks": list(self.marks),
            "baselines": self.baselines,
            "seconds": round(self.seconds, 1),
        }


def run_recipe(resolved: Resolved, *, resume: bool = False, watcher: RunWatcher | None = None) -> RunResult:
    """Trains, chooses an epoch on validation, predicts, evaluates and reports, as a recipe says.

    Where a launcher started several processes, this is what the first of them does; the others do `help_train`.

    Args:
        resolved: The recipe.
        resume: Go on with what the run folder holds. A finished run is reported anew, nothing is trained again.
        watcher: Is told how it goes on.

    Raises:
        UsageError: The folder holds another run and `resume` is not set, or files that a run would replace, or
            another process is at work in it; or the key of a server that is asked is missing.
        TrainingError: `resume` is set, and recipe or data are no longer those that the run began with.
        EndpointError: A server that is asked cannot be reached, or refuses; `resume` goes on where it stopped.
        DataError: A file is wrong, or there is nothing to learn from or to measure on.
        NotWrittenError: The disk is full.
        PromptError: A prompt of any split is too long even without its history, or two labels are the same tokens.
        NonFiniteLossError: The loss became NaN or infinite.
    """
    started = time.monotonic()
    if not Ranks.here().first:
        raise UsageError("run_recipe is for the first of several processes: call help_train in the others")
    file = EventFile()
    events = EventWatcher(file, watcher or Silent())
    events.event("began", recipe=resolved.recipe.name, seed=resolved.recipe.seed, resume=resume, version=__version__)
    try:
        result = _run(resolved, file, events, resume=resume, started=started)
    except BaseException as error:
        events.event("failed", error=type(error).__name__, seconds=round(time.monotonic() - started, 1))
        raise
    events.event("ended", seconds=round(result.seconds, 1), weighted_f1=result.weighted_f1)
    return result


def _run(resolved: Resolved, file: EventFile, watcher: RunWatcher, *, resume: bool, started: float) -> RunResult:
    recipe, folder, ranks = resolved.recipe, resolved.recipe.output.folder, Ranks.here()
    assert folder is not None
    data = prepare_run(resolved, watcher=watcher)
    with held(folder), saying_where_it_is_full(folder):
        claim(folder, resolved, data, resume=resume)
        file.open(folder)
        stages, artefact, shortened = _train(recipe, data, folder, resume=resume, watcher=watcher, ranks=ranks)
        ranks.leave()
        watcher.phase("recognising")
        rows, asked = _recognize(recipe, data, folder, watcher)
        watcher.phase("measuring baselines and writing the report")
        outcome = Outcome(
            rows=rows,
            stages=stages,
            revision=artefact.revision,
            shortened=shortened,
            seconds=time.monotonic() - started,
            asked=asked,
            style=artefact.style,
        )
        report = run_report(recipe, data, outcome, folder, watcher=watcher)
        _write(report, data, folder, asked)
    if asked is not None:
        watcher.note(asked.summary)
    result = RunResult(folder=folder, report=report, seconds=time.monotonic() - started)
    watcher.phase(summary_line(result, stages))
    return result


def summary_line(result: RunResult, stages: Sequence[tuple[Stage, StageResult]]) -> str:
    """A run in a line: how long, which epoch, how well, where."""
    minutes, seconds = divmod(round(result.seconds), 60)
    epochs = [f"epoch {outcome.best_epoch} of {stage.settings.epochs}" for stage, outcome in stages[-1:]]
    figure = f"{result.report.main_split} W-F1 {100 * result.weighted_f1:.2f}"
    notices = len(result.report.notices)
    told = [f"{notices} notice{'s' * (notices != 1)} in the report"] if notices else []
    return f"finished in {minutes} min {seconds:02d} s: {', '.join([*epochs, figure, *told])}; {result.folder}"


def prepare_run(resolved: Resolved, *, watcher: RunWatcher) -> RunData:
    """What a run does before it touches its folder: reads data, and asks for all that it will need.

    Raises:
        UsageError: The key of a server is missing, a name is unknown, or a library that a baseline needs.
        DataError: A file is wrong, or there is nothing to learn from or to measure on.
    """
    quiet_transformers()
    require_server(resolved.recipe)
    watcher.phase("reading data")
    data = prepare_data(resolved.recipe, progress=watcher.encoded)
    for name in wanted_baselines(resolved.recipe, data):  # what one lacks shall not come to light after hours
        baseline(name).require()
    return data


def help_train(resolved: Resolved, *, resume: bool = False) -> None:
    """The part in a run of every process but the first: its share of each step of training and of validation.

    Measuring and reporting is done by the first process alone, in `run_recipe`.

    Raises:
        As `run_recipe`.
    """
    recipe, folder = resolved.recipe, resolved.recipe.output.folder
    assert folder is not None
    watcher, ranks = Silent(), Ranks.here()
    data = prepare_run(resolved, watcher=watcher)
    _train(recipe, data, folder, resume=resume, watcher=watcher, ranks=ranks)
    ranks.leave()


def _train(
    recipe: Recipe, data: RunData, folder: Path, *, resume: bool, watcher: RunWatcher, ranks: Ranks
) -> tuple[list[tuple[Stage, StageResult]], Artefact, Shortened]:
    """Trains; returns also the artefact, with the backbone's commit and style, and what prompts lose."""
    artefact = artefact_of(recipe, data)
    if artefact.endpoint is not None:
        save_artefact(artefact, None, folder / MODEL, demonstrator=data.demonstrator, write=ranks.first)
        return [], artefact, Shortened()
    ranks.take_device()
    data = _taught(recipe, data, folder, watcher, ranks)
    watcher.phase(f"loading {recipe.backbone.name}")
    backbone = _load(recipe, artefact)
    # A branch may move on, and a folder be given another name.
    artefact = replace(artefact, revision=backbone.revision or artefact.revision, style=backbone.style)
    plan, results = plan_stages(recipe, folder, start=data.start.folder if data.start else None), []
    shortened = _check_prompts(backbone, recipe, data, plan[1:])
    for text in (style_notice(backbone), shortened.unknown):
        if text:
            watcher.note(text)
    if not plan:
        save_artefact(artefact, backbone, folder / MODEL, demonstrator=data.demonstrator, write=ranks.first)
    if not resume and ranks.first:
        shutil.rmtree(folder / STAGES, ignore_errors=True)
    for stage in plan:
        result = stage.finished()
        if result is None:
            with timed(folder) if ranks.first else contextlib.nullcontext():
                result = _train_stage(
                    stage, backbone, artefact, recipe, data, resume=resume, watcher=watcher, ranks=ranks
                )
            if ranks.first:
                stage.finish(result)
            if not stage.last:
                # The next stage begins with the best epoch, as it would after a kill: with a model loaded anew.
                del backbone
                release()
                backbone = _load(recipe, artefact)
        results.append((stage, result))
    del backbone
    release()
    return results, artefact, shortened


def _taught(recipe: Recipe, data: RunData, folder: Path, watcher: RunWatcher, ranks: Ranks) -> RunData:
    """The data with what the recipe's teachers believe of them, who are asked once a run."""
    if not data.teaching.teachers or recipe.adapter.method == "none":
        return data
    known = data.teaching.read(folder / BELIEFS)
    if known is not None:
        return replace(data, teaching=known)
    conversations = data.conversations("train")
    watcher.recognizing(turns=sum(map(len, conversations)) * len(data.teaching.teachers))
    teaching = data.teaching.asked(
        conversations, batch_size=recipe.recognition.batch_size, told=watcher.phase, progress=watcher.recognized
    )
    if ranks.first:
        teaching.write(folder / BELIEFS)
    return replace(data, teaching=teaching)


def _load(recipe: Recipe, artefact: Artefact) -> Backbone:
    if recipe.recognition.engine == "vllm":  # it loads the weights itself, when its turn has come
        return load_skeleton(artefact.backbone, revision=artefact.revision, style=recipe.backbone.style)
    return load_backbone(
        artefact.backbone,
        revision=artefact.revision,
        dtype=artefact.training_dtype,
        precision=artefact.precision,
        attention=recipe.backbone.attention,
        quantization=artefact.quantization,
        style=recipe.backbone.style,
    )


def _train_stage(
    stage: Stage,
    backbone: Backbone,
    artefact: Artefact,
    recipe: Recipe,
    data: RunData,
    *,
    resume: bool,
    watcher: RunWatcher,
    ranks: Ranks,
) -> StageResult:
    watcher.phase(f"training, stage {stage.name}: {', '.join(stage.tasks)}" if stage.name else "training")
    examples, settings = stage_examples(stage, data)
    return train_stage(
        backbone,
        artefact,
        settings,
        stage.folder,
        train=examples,
        validation=data.examples(recipe.checkpoints.select, {stage.validated: 1.0}),
        neutral=data.labels.neutral,
        start=stage.start,
        demonstrator=data.demonstrator,
        recognition_batch=recipe.recognition.batch_size,
        resume=resume,
        watcher=watcher,
        ranks=ranks,
        decision=DECISIONS.get(recipe.recognition.decision) if stage.validated == "recognition" else None,
    )


def _check_prompts(backbone: Backbone, recipe: Recipe, data: RunData, later: Sequence[Stage]) -> Shortened:
    """Encodes what will be measured, and later stages: no fault of a prompt shall come to light after hours."""
    encoder = PromptEncoder.of(backbone, data.spec, recipe.prompt.max_length)
    for stage in later:
        encoder.encode_all(stage_examples(stage, data)[0])
        encoder.encode_all(data.examples(recipe.checkpoints.select, {stage.validated: 1.0}))
    cut = lost = 0
    for example in data.asked(recipe.evaluation.split):
        encoded = encoder.encode(example)
        cut += encoded.cut_tokens > 0
        lost += encoded.dropped_demonstrations
    unknown = unknown_notice(backbone, data.texts()) or ""
    return Shortened(cut_prompts=cut, dropped_demonstrations=lost, unknown=unknown)


def _recognize(
    recipe: Recipe, data: RunData, folder: Path, watcher: RunWatcher
) -> tuple[list[TurnPrediction], Asked | None]:
    """Predicts the measured split by what the folder holds alone; returns also what asking a server came to."""
    if recipe.recognition.engine == "endpoint":
        with open_recognizer(recipe, folder) as asking:
            rows = _predict(asking, recipe, data, folder, watcher)
            return rows, what_was_asked(asking)
    recognizer = _load_trained(recipe, folder)
    sureness = recipe.recognition.calibration == "temperature" and recognizer.temperature == 1.0
    decision = None if recognizer.offsets else DECISIONS.get(recipe.recognition.decision)
    if sureness or decision:
        watcher.phase("calibrating")
        calibrate(recognizer, data, folder, sureness=sureness, decision=decision)
        # The folder alone shall say what was measured: loaded anew, under its new name.
        recognizer = _load_trained(recipe, folder)
        watcher.phase("recognising")
    return _predict(recognizer, recipe, data, folder, watcher), None


def _load_trained(recipe: Recipe, folder: Path) -> EmotionRecognizer:
    engine = recipe.recognition.engine
    assert engine != "endpoint"
    recognizer = EmotionRecognizer.from_pretrained(
        folder,
        batch_size=recipe.recognition.batch_size,
        batching=recipe.training.batching,
        attention=recipe.backbone.attention,
        allow_oracle=True,
        engine=engine,
    )
    recognizer.warns = False  # of unknown words: the run has said so before it trained
    return recognizer


def _predict(
    recognizer: Recognizer, recipe: Recipe, data: RunData, folder: Path, watcher: RunWatcher
) -> list[TurnPrediction]:
    """Predicts the measured split, and writes rows as they come."""
    split = recipe.evaluation.split
    path = folder / PREDICTIONS
    prompts = data.prompts.get(split, ())
    expected = {conversation.id: len(conversation) for conversation in data.conversations(split)}
    expected |= {example.conversation: len(prompts) for example in prompts[:1]}
    with PredictionWriter(path, expected_rows=expected, model=recognizer.model_hash) as writer:
        watcher.recognizing(turns=sum(size for name, size in expected.items() if name not in writer.completed))
        _answer_prompts(recognizer, prompts, writer, watcher)
        missing = [chat for chat in data.conversations(split) if chat.id not in writer.completed]
        for predictions in recognizer.recognize_all(missing, progress=watcher.recognized):
            writer.append(predictions)
    return read_predictions(path)


def _answer_prompts(
    recognizer: Recognizer, prompts: Sequence[Example], writer: PredictionWriter, watcher: RunWatcher
) -> None:
    """Answers ready-made prompts, which are all of one "conversation": their file."""
    if prompts and prompts[0].conversation in writer.completed:
        return
    left = iter(prompts)
    while part := list(itertools.islice(left, CHUNK)):
        writer.append_part(recognizer.answer(part, progress=watcher.recognized))


def _write(report: Report, data: RunData, folder: Path, asked: Asked | None) -> None:
    write_report(report, folder)
    if asked is not None:  # there is no model that a card could describe
        return
    artefact, place = read_artefact(folder / MODEL)
    card = model_card(report, artefact.to_json(), ready_made=data.corpus is None)
    write_atomically(place / "README.md", card.encode("utf-8", "replace"))
