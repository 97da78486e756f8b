"""Trainings that learn from other models beside the labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from instructerc.errors import ArtefactError, AssetError, RecipeError, TrainingError, UsageError
from instructerc.experiments.data import prepare_data
from instructerc.experiments.dry_run import dry_run
from instructerc.experiments.run import RunResult, run_recipe
from instructerc.experiments.starting import TrainedModel
from instructerc.experiments.teaching import Teaching
from instructerc.prompts import PromptSpec
from instructerc.recognition.artefact import FILE
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import TINY_LABELS, tiny_corpus
from tests.experiments.recipes import Log, recipe, values


def test_teachers_say_the_mean_of_their_probabilities_and_the_label_keeps_its_share(
    llama_folder: Path, finished: RunResult
) -> None:
    recognizer = EmotionRecognizer.from_pretrained(finished.folder)
    conversations = tiny_corpus().train[:2]
    teacher = TrainedModel(finished.folder / "model", "abc", "tiny")
    phases: list[str] = []
    turns: list[int] = []
    teaching = Teaching(teachers=(teacher, teacher), weight=0.5, smoothing=0.1).asked(
        conversations, batch_size=4, told=phases.append, progress=turns.append
    )
    assert phases == ["asking teacher 1 of 2", "asking teacher 2 of 2"]
    assert sum(turns) == 2 * sum(map(len, conversations))
    examples = list(PromptSpec(labels=TINY_LABELS).labelled_examples(conversations[0]))
    rows = recognizer.recognize(conversations[0])
    for example, row in zip(examples, rows, strict=True):
        shares = dict(zip(TINY_LABELS, teaching.of(example).shares, strict=True))
        assert row.probabilities is not None
        for label, share in shares.items():
            own = 0.5 * (label == example.target) + 0.5 * row.probabilities[label]
            assert share == pytest.approx(0.9 * own + 0.1 / len(TINY_LABELS), abs=0.02)  # some are not worth tokens


def test_only_what_is_recognised_is_taught(finished: RunResult) -> None:
    example = next(PromptSpec(labels=TINY_LABELS).labelled_examples(tiny_corpus().train[0]))
    assert Teaching().of(example) == example
    smoothed = Teaching(smoothing=0.2)
    assert smoothed.of(example).shares
    for other in (replace(example, task="speaker_identification"), replace(example, target=None)):
        assert smoothed.of(other) == other


def test_a_run_learns_from_teachers_and_says_so(
    tmp_path: Path, llama_folder: Path, corpus_folder: Path, finished: RunResult
) -> None:
    given = values(corpus_folder, llama_folder)
    log = Log()
    keys = [f"training.teachers=[{json.dumps(str(finished.folder))}]", "training.teacher_weight=1"]
    result = run_recipe(recipe(tmp_path, given, *keys, "training.label_smoothing=0.1"), watcher=log)
    assert "asking teacher 1 of 1" in log.phases
    method = result.report.provenance["Method"]
    assert method["label smoothing"] == 0.1
    assert method["teachers"].endswith("weight 1")
    assert any(notice.startswith("Teachers: model ") for notice in result.report.notices)
    plain = run_recipe(recipe(tmp_path / "plain", given))
    curves = [(folder / "curves.jsonl").read_text(encoding="utf-8") for folder in (result.folder, plain.folder)]
    assert curves[0] != curves[1]


def test_a_resume_meets_the_same_teachers_wherever_they_lie_now(
    tmp_path: Path, llama_folder: Path, corpus_folder: Path, finished: RunResult
) -> None:
    given = values(corpus_folder, llama_folder)
    teacher = tmp_path / "teacher"
    shutil.copytree(finished.folder / "model", teacher)

    def keys(*folders: Path) -> list[str]:
        return ["training.epochs=1", f"training.teachers={json.dumps([str(folder) for folder in folders])}"]

    result = run_recipe(recipe(tmp_path, given, *keys(teacher)))
    moved = teacher.rename(tmp_path / "moved")
    log = Log()
    again = run_recipe(recipe(tmp_path, given, *keys(moved)), resume=True, watcher=log)
    assert again.weighted_f1 == result.weighted_f1
    assert not [phase for phase in log.phases if phase.startswith("asking")]  # what they said is in the folder
    with pytest.raises(TrainingError, match=r"training\.teachers are other models"):
        run_recipe(recipe(tmp_path, given, *keys(moved, result.folder)), resume=True)


def test_teachers_are_found_before_anything_is_written_and_asked_only_where_something_is_trained(
    tmp_path: Path, llama_folder: Path, corpus_folder: Path, finished: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = values(corpus_folder, llama_folder)

    def refused(name: Path | str, *overrides: str) -> str:
        with pytest.raises((UsageError, ArtefactError, AssetError)) as caught:
            run_recipe(recipe(tmp_path, given, f"training.teachers=[{json.dumps(str(name))}]", *overrides))
        assert not (tmp_path / "run").exists()
        return str(caught.value)

    def changed(change: Callable[[dict[str, object]], object]) -> Path:
        folder = tmp_path / "teacher"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(finished.folder / "model", folder)
        artefact = json.loads((folder / FILE).read_text(encoding="utf-8"))
        change(artefact)
        (folder / FILE).write_text(json.dumps(artefact), encoding="utf-8")
        return folder

    assert "nowhere" in refused(tmp_path / "nowhere")
    assert "its labels are" in refused("embedded")
    shown = {"pairing": "nearest", "seed": 1, "encoder": "a", "encoder_revision": None, "pool": "b"}
    assert "show labelled utterances" in refused(changed(lambda artefact: artefact.update(demonstrations=shown)))
    monkeypatch.setattr(Teaching, "asked", lambda *_, **__: pytest.fail("asked"))
    dry_run(recipe(tmp_path, given, f"training.teachers=[{json.dumps(str(finished.folder))}]"))
    data = prepare_data(recipe(tmp_path, given, f"training.teachers=[{json.dumps(str(finished.folder))}]").recipe)
    assert [teacher.folder for teacher in data.teaching.teachers] == [finished.folder / "model"]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["training.teacher_weight=0.3"], "training.teachers names a model"),
        (["training.teachers=[]"], "training.teachers"),
        (["training.label_smoothing=1"], "training.label_smoothing"),
        (["training.teachers=[a]", "training.teacher_weight=0"], "training.teacher_weight"),
        (["adapter.method=none", "training.teachers=[a]"], "trains nothing"),
    ],
)
def test_keys_that_cannot_be_meant_are_refused(
    tmp_path: Path, llama_folder: Path, corpus_folder: Path, overrides: list[str], told: str
) -> None:
    with pytest.raises(RecipeError, match=told):
        recipe(tmp_path, values(corpus_folder, llama_folder), *overrides)


def test_what_teachers_said_is_read_as_it_was_and_damage_is_named(tmp_path: Path) -> None:
    beliefs = {("c \U0001f600", 0): {"joy": 0.1 + 0.2, "anger": 0.7}, ("c", 12): {"joy": 1e-9, "anger": 1 - 1e-9}}
    told = Teaching(beliefs=beliefs)
    told.write(tmp_path / "beliefs.json")
    assert Teaching().read(tmp_path / "beliefs.json") == told
    assert Teaching().read(tmp_path / "none.json") is None
    for damaged in ("[[", "[1]", '[["c", "x", {}]]', '[["c", 1, 2]]'):
        (tmp_path / "beliefs.json").write_text(damaged, encoding="utf-8")
        with pytest.raises(TrainingError, match=r"beliefs\.json: is damaged"):
            Teaching().read(tmp_path / "beliefs.json")
