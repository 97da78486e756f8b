"""Several stages: tasks, weights that are handed on, and a kill between or within them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instructerc.backbones.adapters import PARAMETERS
from instructerc.conversation import Conversation
from instructerc.errors import PromptTooLongError, RecipeError, TrainingError, UsageError
from instructerc.experiments.data import prepare_data
from instructerc.experiments.dry_run import dry_run
from instructerc.experiments.resolve import resolve
from instructerc.experiments.run import run_recipe
from instructerc.experiments.schema import Recipe
from instructerc.experiments.stages import plan_stages, stage_examples
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_conversation
from tests.experiments.recipes import Log, recipe, values

TWO = [
    {"name": "speakers", "tasks": {"speaker_identification": 1.0}, "epochs": 1},
    {"name": "emotions", "tasks": {"recognition": 1.0, "prediction": 0.1}},
]
MIXED = [{"name": "mixed", "tasks": {"recognition": 1.0, "speaker_identification": 1.0}}]
ALL_IN_ONE = [{"name": "all", "tasks": {"recognition": 1.0, "prediction": 0.1, "speaker_identification": 1.0}}]


def staged(folder: Path, corpus: Path, llama: Path, stages: Any, **more: Any) -> Any:
    return recipe(folder, {**values(corpus, llama), "stages": stages, **more})


class Killed(BaseException):
    """Ends a run as a kill would."""


class KillAtStep(Log):
    """Kills after so many steps of all stages together."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def step(self, done: int, loss: float | None) -> None:
        super().step(done, loss)
        if loss is None:
            self.at -= 1
        if self.at == 0:
            raise Killed


@pytest.mark.slow
def test_a_stage_begins_with_the_weights_of_the_one_before(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path
) -> None:
    log = Log()
    result = run_recipe(staged(tmp_path, corpus_folder, llama_folder, TWO), watcher=log)
    first = result.folder / "stages" / "1-speakers"
    assert (first / "model" / PARAMETERS).is_file()
    assert (first / "stage.json").is_file()
    assert not (first / "checkpoints").exists(), "a finished stage is not gone on with"
    trainings = [text for text in log.phases if text.startswith("training")]
    assert trainings == [
        "training, stage speakers: speaker_identification",
        "training, stage emotions: recognition, prediction",
    ]
    report = result.report
    assert list(report.stages) == ["speakers"]
    assert report.stages["speakers"].task == "speaker_identification"
    assert report.curves is not None
    assert report.curves.task == "recognition"
    assert report.provenance["Method"]["stages"] == (
        "speakers: speaker_identification, 1 epochs, learning rate 0.01; "
        "emotions: recognition + 0.1 x prediction, 2 epochs, learning rate 0.01"
    )
    alone = run_recipe(staged(tmp_path / "alone", corpus_folder, llama_folder, TWO[1:]))
    differ = [(folder / "model" / PARAMETERS).read_bytes() for folder in (result.folder, alone.folder)]
    assert differ[0] != differ[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "at",
    [
        pytest.param(3, id="first stage"),
        pytest.param(7, id="second stage"),
        pytest.param(15, id="second epoch of it"),
    ],
)
def test_a_killed_run_ends_with_the_same_weights(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path, at: int
) -> None:
    whole = run_recipe(staged(tmp_path / "whole", corpus_folder, llama_folder, TWO))
    resolved = staged(tmp_path / "killed", corpus_folder, llama_folder, TWO)
    with pytest.raises(Killed):
        run_recipe(resolved, watcher=KillAtStep(at))
    log = Log()
    resumed = run_recipe(resolved, resume=True, watcher=log)
    assert any("stage speakers" in text for text in log.phases) == (at <= 6), "a finished stage is not trained again"
    for part in ("model", "stages/1-speakers/model"):
        assert (resumed.folder / part / PARAMETERS).read_bytes() == (whole.folder / part / PARAMETERS).read_bytes()
    assert resumed.report.main == whole.report.main
    assert resumed.report.stages == whole.report.stages


@pytest.mark.slow
def test_a_damaged_record_of_a_stage_is_named(corpus_folder: Path, llama_folder: Path, tmp_path: Path) -> None:
    resolved = staged(tmp_path, corpus_folder, llama_folder, TWO)
    result = run_recipe(resolved)
    (result.folder / "stages" / "1-speakers" / "stage.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"stage\.json: is damaged"):
        run_recipe(resolved, resume=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wording", "stages"),
    [
        pytest.param(wording, stages, id=f"{wording}-{name}", marks=() if quick else pytest.mark.slow)
        for wording in ("released", "paper", "compact", "compact-repeated")
        for name, stages, quick in (
            ("mixed", MIXED, wording == "compact"),
            ("all", ALL_IN_ONE, wording in ("released", "compact-repeated")),
        )
    ],
)
def test_every_combination_of_tasks_and_words_runs(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path, stages: Any, wording: str
) -> None:
    prompt = {"wording": wording}
    resolved = staged(tmp_path, corpus_folder, llama_folder, stages, prompt=prompt)
    quick = recipe(tmp_path, json.loads((tmp_path / "tiny.yaml").read_text("utf-8")), "training.epochs=1")
    assert quick.recipe.stages == resolved.recipe.stages
    report = run_recipe(quick).report
    assert report.main.support == 24
    assert report.curves is not None
    assert report.curves.task == "recognition"


def test_the_examples_of_a_turn_stand_together_and_weigh_what_the_stage_says(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path
) -> None:
    resolved = staged(tmp_path, corpus_folder, llama_folder, ALL_IN_ONE)
    data = prepare_data(resolved.recipe)
    (stage,) = plan_stages(resolved.recipe, tmp_path)
    examples, _ = stage_examples(stage, data)
    assert len(examples) == 3 * 48
    places = [(example.conversation, example.turn) for example in examples]
    assert places == [place for place in dict.fromkeys(places) for _ in range(3)]
    weights = {example.task: example.weight for example in examples}
    assert weights == {"recognition": 1.0, "prediction": 0.1, "speaker_identification": 1.0}
    assert {example.weight for example in data.examples("validation", stage.tasks)} == {1.0}


def test_predictions_ride_along_with_the_turns_of_a_step(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path
) -> None:
    def batch(stages: Any) -> int:
        resolved = staged(tmp_path, corpus_folder, llama_folder, stages)
        stage = plan_stages(resolved.recipe, tmp_path)[-1]
        return stage_examples(stage, prepare_data(resolved.recipe))[1].batch_size

    assert batch(None) == 8
    assert batch(TWO) == 16
    assert batch(MIXED) == 8, "in mixed training every example is one of its own, as in the released files"


def test_a_dry_run_counts_every_stage(corpus_folder: Path, llama_folder: Path, tmp_path: Path) -> None:
    found = dry_run(staged(tmp_path, corpus_folder, llama_folder, TWO))
    assert list(found.workloads) == ["speakers", "emotions"]
    assert found.steps == 6 + 2 * 6
    assert "stage emotions:" in found.to_text()
    assert [stage["name"] for stage in found.to_json()["stages"]] == ["speakers", "emotions"]


def test_what_was_learned_can_be_asked(corpus_folder: Path, llama_folder: Path, tmp_path: Path) -> None:
    result = run_recipe(staged(tmp_path, corpus_folder, llama_folder, TWO[1:]))
    recognizer = EmotionRecognizer.from_pretrained(result.folder)
    assert recognizer.tasks == ("recognition", "prediction")
    chat = tiny_conversation()
    found = recognizer.predict_next(chat, chat.utterances[0].speaker)
    assert (found.turn, found.text, found.speaker) == (len(chat), "", chat.utterances[0].speaker)
    assert found.probabilities is not None
    assert sum(found.probabilities.values()) == pytest.approx(1)
    session = recognizer.session(conversation=Conversation(chat.id, chat.utterances))
    assert session.predict_next(chat.utterances[0].speaker) == found
    assert session.conversation == chat


def test_what_was_not_learned_is_refused(finished: Any) -> None:
    recognizer = EmotionRecognizer.from_pretrained(finished.folder)
    with pytest.raises(UsageError, match=r"learned recognition, and not to predict .* \{recognition: 1, prediction"):
        recognizer.predict_next(tiny_conversation(), "Ann")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stages": TWO[:1]}, "stages: the last one, 'speakers', does not learn recognition"),
        ({"stages": [TWO[1], TWO[1]]}, "stages: two stages are called 'emotions'"),
        ({"stages": TWO, "prompt": {"wording": "plain"}}, "prompt.wording: plain has no words for prediction, speaker"),
        ({"stages": TWO, "adapter": {"method": "none"}}, "stages: has no effect beside adapter.method: none"),
    ],
)
def test_stages_that_make_no_sense_are_refused(given: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Recipe.model_validate(given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{name: a, tasks: {recognition: 1}, epoch: 3}]", "unknown key: did you mean 'stages.epochs'"),
        ("[{name: a}]", "stages.tasks: is missing"),
        ("[{name: a, tasks: {}}]", "stages.tasks: .* is wrong: It takes a mapping of recognition"),
        ("[{name: a, tasks: {recognitoin: 1}}]", "stages.tasks"),
        ("[{name: a, tasks: {recognition: -1}}]", "stages.tasks"),
        ("[{name: 'a/b', tasks: {recognition: 1}}]", "stages.name"),
        ("speakers", "stages: 'speakers' is wrong: It takes a list of stages, or null"),
        ("[]", "stages"),
    ],
)
def test_faults_in_stages_are_said_in_peoples_words(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        resolve("quickstart", [f"stages={text}"])


def test_a_prompt_of_a_later_stage_is_looked_at_before_the_first_is_trained(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path
) -> None:
    with (corpus_folder / "train.jsonl").open("a", encoding="utf-8") as file:
        turn = {"speaker": "Ann", "text": "qz " * 20, "emotion": "joy"}
        file.write(json.dumps({"id": "train-long", "utterances": [turn]}) + "\n")
    log = Log()
    resolved = staged(tmp_path, corpus_folder, llama_folder, TWO, prompt={"wording": "paper", "max_length": 240})
    with pytest.raises(PromptTooLongError, match="train-long"):
        run_recipe(resolved, watcher=log)
    assert not log.steps


@pytest.mark.parametrize(
    ("overrides", "absent"),
    [
        (["demonstrations.pairing=nearst", "demonstrations.count=2"], "demonstrations.count"),
        (["training.grouping=parts", "training.part_size=2"], "training.part_size"),
        (["stages=[{name: a, tasks: {recognition: 1}, epochs: 0}]"], "It takes a list of stages"),
    ],
)
def test_a_fault_brings_no_others_with_it(overrides: list[str], absent: str) -> None:
    with pytest.raises(RecipeError) as caught:
        resolve("quickstart", overrides)
    assert len(caught.value.violations) == 1
    assert absent not in str(caught.value)
