"""A whole run, from files to report."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from instructerc.cli import app
from instructerc.conversation import Conversation, Utterance
from instructerc.errors import DataError, PromptTooLongError, TrainingError, UsageError
from instructerc.experiments.resolve import resolve, with_seed
from instructerc.experiments.run import RunResult, run_recipe
from instructerc.prompts import PromptSpec
from instructerc.prompts.files import export_prompts
from instructerc.recognition.artefact import read_artefact
from instructerc.recognition.predictions import read_predictions
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.reporting.report import Report
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus
from tests.experiments.recipes import Log, recipe, values, write_conversations, write_corpus

COMPLETE = {
    *("recipe.yaml", "run.json", "model", "checkpoints", "curves.jsonl", "events.jsonl", "predictions.jsonl"),
    *("report.json", "report.md", "report.html", "confusion.png", "curves.png"),
}
RUNNER = CliRunner()


class Killed(BaseException):
    """Ends a run as a kill would: nobody catches it, nothing is tidied up."""


def copy_of(finished: RunResult, folder: Path) -> Any:
    """A finished run that a test may change, with its recipe."""
    shutil.copytree(finished.folder.parent, folder, dirs_exist_ok=True)
    given = json.loads((folder / "tiny.yaml").read_text(encoding="utf-8"))
    return recipe(folder, given)


def report_of(folder: Path) -> Report:
    return Report.from_json(json.loads((folder / "report.json").read_text(encoding="utf-8")))


def test_the_run_folder_is_complete(finished: RunResult) -> None:
    names = {path.name for path in finished.folder.iterdir() if not path.name.startswith(".")}
    assert names == COMPLETE
    assert {path.name for path in (finished.folder / "model").iterdir()} == {
        "artefact.json",
        "parameters.safetensors",
        "README.md",
    }
    rows = read_predictions(finished.folder / "predictions.jsonl")
    assert len(rows) == sum(map(len, tiny_corpus().test))
    assert {row.text for row in rows} >= {"Great."}


def test_the_report_says_what_was_run(finished: RunResult) -> None:
    report = report_of(finished.folder)
    assert report == finished.report
    assert report.main_split == "test"
    assert report.main.support == 24
    assert report.main_interval is not None
    assert set(finished.baselines) == set(report.baselines)
    assert len(report.baselines) == 2
    assert report.curves is not None
    assert [epoch for epoch, _ in report.curves.validation] == [1, 2]
    assert report.provenance["Data"]["train"] == "12 conversations, 48 turns"
    assert report.provenance["Method"]["window"] == "size 12, stride 1, context past"
    assert report.provenance["Method"]["seed"] == 42
    assert report.provenance["Method"]["batches"] == "token trees (batching: auto; exact on this backbone)"
    assert report.provenance["Method"]["a step"] == "whole conversations"
    assert "tokens an epoch as trees" in report.provenance["Method"]["tokens"]
    assert report.provenance["Run"]["training seconds"] > 0
    assert finished.to_json()["weighted_f1"] == report.main.weighted_f1
    assert report.notices == ()


def test_evaluate_recomputes_the_report_from_the_predictions(finished: RunResult) -> None:
    ran = RUNNER.invoke(app, ["evaluate", str(finished.folder / "predictions.jsonl"), "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["scores"] == json.loads(json.dumps(finished.report.main.to_json()))


def test_the_recipe_of_the_folder_is_a_recipe(finished: RunResult) -> None:
    again = resolve(str(finished.folder / "recipe.yaml")).recipe
    assert again.name == "tiny"
    assert again.output.folder == finished.folder
    assert again.training.epochs == 2


def fresh_process(code: str, cwd: Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=cwd, env=environment, capture_output=True, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_the_code_of_the_model_card_predicts_in_a_fresh_process(finished: RunResult, tmp_path: Path) -> None:
    card = (finished.folder / "model" / "README.md").read_text(encoding="utf-8")
    code = card.partition("```python\n")[2].partition("```")[0]
    output = fresh_process(code.replace("this folder", (finished.folder / "model").as_posix()), tmp_path)
    assert [line.split()[0] for line in output.splitlines()] == ["Ada", "Bo"]


@pytest.mark.slow
def test_a_fresh_process_predicts_the_same_from_the_folder_alone(finished: RunResult, tmp_path: Path) -> None:
    recognizer = EmotionRecognizer.from_pretrained(finished.folder, device="cpu")
    expected = [row.to_json() for row in recognizer.recognize(tiny_conversation())]
    code = (
        "import json\n"
        "from instructerc import EmotionRecognizer\n"
        "from instructerc.testing import tiny_conversation\n"
        f"recognizer = EmotionRecognizer.from_pretrained({finished.folder.as_posix()!r}, device='cpu')\n"
        "print(json.dumps([row.to_json() for row in recognizer.recognize(tiny_conversation())]))\n"
    )
    found = json.loads(fresh_process(code, tmp_path))
    for row, twin in zip(found, expected, strict=True):
        assert row.pop("probabilities") == pytest.approx(twin.pop("probabilities"), rel=1e-5)
        assert row == twin


def test_a_backbone_given_by_a_relative_path_is_found_from_anywhere(
    llama_folder: Path, corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(llama_folder.parent)
    given = values(corpus_folder, Path(llama_folder.name))
    result = run_recipe(recipe(tmp_path, given, "training.epochs=1"))
    monkeypatch.chdir(tmp_path)
    assert EmotionRecognizer.from_pretrained(result.folder, device="cpu").labels == TINY_LABELS


def test_a_second_run_refuses_the_folder(finished: RunResult, tmp_path: Path) -> None:
    resolved = copy_of(finished, tmp_path)
    before = (tmp_path / "run" / "model" / "parameters.safetensors").read_bytes()
    with pytest.raises(UsageError, match="holds a run: go on with it by --resume"):
        run_recipe(resolved)
    assert (tmp_path / "run" / "model" / "parameters.safetensors").read_bytes() == before


def test_resume_reports_a_finished_run_anew_without_training(finished: RunResult, tmp_path: Path) -> None:
    resolved = copy_of(finished, tmp_path)
    (tmp_path / "run" / "report.json").unlink()
    log = Log()
    again = run_recipe(resolved, resume=True, watcher=log)
    assert log.start == (12, 12)
    assert (log.steps, log.turns, log.recognised) == ([], 0, 0)
    assert again.report.scores == finished.report.scores
    assert again.report.intervals == finished.report.intervals
    assert report_of(tmp_path / "run").main == finished.report.main


@pytest.mark.parametrize("part", [b'{"conversation": "test-0', b""])
def test_a_kill_in_the_middle_of_prediction_is_made_up_for(finished: RunResult, tmp_path: Path, part: bytes) -> None:
    resolved = copy_of(finished, tmp_path)
    path = tmp_path / "run" / "predictions.jsonl"
    whole = read_predictions(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:9]) + part)
    log = Log()
    run_recipe(resolved, resume=True, watcher=log)
    again = read_predictions(path)
    assert again[:8] == whole[:8]
    assert log.turns == log.recognised == len(lines) - 8
    for row, twin in zip(again, whole, strict=True):  # other neighbours in a row of trees: equal but for rounding
        assert row.probabilities == pytest.approx(twin.probabilities, rel=1e-5)
        assert replace(row, probabilities=None) == replace(twin, probabilities=None)


def test_a_kill_before_the_first_prediction_is_made_up_for(finished: RunResult, tmp_path: Path) -> None:
    resolved = copy_of(finished, tmp_path)
    path = tmp_path / "run" / "predictions.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"")
    run_recipe(resolved, resume=True)
    assert path.read_bytes() == whole


def test_predictions_of_another_model_are_not_kept(finished: RunResult, tmp_path: Path) -> None:
    resolved = copy_of(finished, tmp_path)
    path = tmp_path / "run" / "predictions.jsonl"
    whole = path.read_text(encoding="utf-8")
    model = read_predictions(path)[0].model
    path.write_text(whole.replace(model, "0" * len(model)), encoding="utf-8")
    run_recipe(resolved, resume=True)
    assert path.read_text(encoding="utf-8") == whole


def test_a_killed_training_goes_on_and_ends_as_if_nothing_had_happened(
    finished: RunResult, llama_folder: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    class Kill(Log):
        def step(self, done: int, loss: float | None) -> None:
            if done == 8:
                raise Killed

    resolved = recipe(tmp_path, values(corpus_folder, llama_folder))
    with pytest.raises(Killed):
        run_recipe(resolved, watcher=Kill())
    log = Log()
    result = run_recipe(resolved, resume=True, watcher=log)
    assert log.start == (12, 6)
    assert result.report.scores == finished.report.scores
    assert (result.folder / "model" / "parameters.safetensors").read_bytes() == (
        finished.folder / "model" / "parameters.safetensors"
    ).read_bytes()


def test_data_that_changed_refuses_to_go_on(finished: RunResult, tmp_path: Path) -> None:
    resolved = copy_of(finished, tmp_path)
    corpus = tiny_corpus()
    write_corpus(tmp_path / "corpus", replace(corpus, test=corpus.test[1:]))
    given = json.loads((tmp_path / "tiny.yaml").read_text(encoding="utf-8"))
    with pytest.raises(TrainingError, match=r"not the run that began here.*the data changed"):
        run_recipe(
            recipe(tmp_path, {**given, "data": {**given["data"], "corpus": str(tmp_path / "corpus")}}), resume=True
        )
    run_recipe(resolved, resume=True)  # the first one's data still stand where they stood


def test_a_recipe_that_changed_is_named_key_by_key(finished: RunResult, tmp_path: Path) -> None:
    copy_of(finished, tmp_path)
    given = json.loads((tmp_path / "tiny.yaml").read_text(encoding="utf-8"))
    changed = recipe(tmp_path, given, "training.epochs=3", "window.size=5")
    with pytest.raises(TrainingError) as error:
        run_recipe(changed, resume=True)
    assert "window.size was 12, is 5" in str(error.value)
    assert "training.epochs was 2, is 3" in str(error.value)
    assert "data" not in str(error.value).replace("undo", "")


def test_a_run_folder_may_move(finished: RunResult, tmp_path: Path) -> None:
    shutil.copytree(finished.folder, tmp_path / "elsewhere")
    given = json.loads((finished.folder.parent / "tiny.yaml").read_text(encoding="utf-8"))
    moved = recipe(tmp_path, given, f"output.folder={json.dumps(str(tmp_path / 'elsewhere'))}")
    log = Log()
    run_recipe(moved, resume=True, watcher=log)
    assert log.steps == []


def ready_made(folder: Path, llama: Path) -> dict[str, Any]:
    spec = PromptSpec(labels=TINY_LABELS, wording="compact")
    paths = export_prompts(tiny_corpus(), spec, folder)
    prompts = {split: str(path) for split, path in paths.items()}
    return {**values(folder, llama), "data": {"prompts": prompts}}


@pytest.mark.slow
def test_prompt_files_work_end_to_end(llama_folder: Path, tmp_path: Path) -> None:
    result = run_recipe(recipe(tmp_path, ready_made(tmp_path / "files", llama_folder)))
    assert {path.name for path in result.folder.iterdir() if not path.name.startswith(".")} == COMPLETE
    report = report_of(result.folder)
    assert report.provenance["Method"]["wording"] == "as in the prompt files"
    assert report.provenance["Method"]["window"] == "as in the prompt files"
    assert report.provenance["Data"]["test"] == "24 prompts"
    assert report.baselines == {}
    rows = read_predictions(result.folder / "predictions.jsonl")
    assert [(row.conversation, row.turn) for row in rows] == [("test.json", number) for number in range(24)]
    assert read_artefact(result.folder)[0].prompt.labels == tuple(dict.fromkeys(report.main.labels))


@pytest.mark.slow
def test_prompt_files_learn_what_the_corpus_teaches(finished: RunResult, llama_folder: Path, tmp_path: Path) -> None:
    given = ready_made(tmp_path / "files", llama_folder)
    given["data"]["labels"] = list(TINY_LABELS)
    prompts = run_recipe(recipe(tmp_path, given, "training.batching=padded"))
    rows = read_predictions(finished.folder / "predictions.jsonl")
    assert [row.gold for row in read_predictions(prompts.folder / "predictions.jsonl")] == [row.gold for row in rows]


@pytest.mark.slow
def test_a_torn_file_of_prompt_predictions_is_written_anew(llama_folder: Path, tmp_path: Path) -> None:
    resolved = recipe(tmp_path, ready_made(tmp_path / "files", llama_folder), "training.epochs=1")
    path = run_recipe(resolved).folder / "predictions.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    log = Log()
    run_recipe(resolved, resume=True, watcher=log)
    assert (path.read_bytes(), log.recognised) == (whole, 24)
    log = Log()
    run_recipe(resolved, resume=True, watcher=log)
    assert (path.read_bytes(), log.recognised) == (whole, 0)


def test_prompts_that_moved_to_another_split_are_other_data(llama_folder: Path, tmp_path: Path) -> None:
    given = ready_made(tmp_path / "files", llama_folder)
    run_recipe(recipe(tmp_path, given, "training.epochs=1"))
    valid, test = (tmp_path / "files" / name for name in ("valid.json", "test.json"))
    first, _, rest = test.read_text(encoding="utf-8").partition("\n")
    valid.write_text(valid.read_text(encoding="utf-8") + first + "\n", encoding="utf-8")
    test.write_text(rest, encoding="utf-8")
    with pytest.raises(TrainingError, match="the data changed"):
        run_recipe(recipe(tmp_path, given, "training.epochs=1"), resume=True)


def test_one_prompt_file_for_all_splits_is_marked_as_a_smoke_test(llama_folder: Path, tmp_path: Path) -> None:
    given = ready_made(tmp_path / "files", llama_folder)
    given["data"] = {"prompts": given["data"]["prompts"]["validation"]}
    result = run_recipe(recipe(tmp_path, given, "training.epochs=1"))
    assert any("a smoke test" in notice for notice in result.report.notices)


def test_prompts_that_lost_their_beginning_are_counted(llama_folder: Path, tmp_path: Path) -> None:
    given = ready_made(tmp_path / "files", llama_folder)
    result = run_recipe(recipe(tmp_path, given, "training.epochs=1", "prompt.max_length=24"))
    lost = [notice.split()[:2] for notice in result.report.notices if "lost their beginning" in notice]
    assert [what for _, what in lost] == ["training", "measured"]
    assert 0 < int(lost[1][0]) <= 24 < int(lost[0][0]) <= 48


@pytest.mark.slow
def test_every_seed_has_its_own_run(llama_folder: Path, corpus_folder: Path, tmp_path: Path) -> None:
    resolved = recipe(tmp_path, values(corpus_folder, llama_folder), "training.epochs=1", "adapter.method=lora")
    runs = [run_recipe(with_seed(resolved, seed)) for seed in (1, 2)]
    assert [result.folder.name for result in runs] == ["seed-1", "seed-2"]
    one, other = (result.folder / "model" / "parameters.safetensors" for result in runs)
    assert one.read_bytes() != other.read_bytes()


def test_seeds_check_all_folders_before_the_first_is_trained(
    finished: RunResult, llama_folder: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    recipe(tmp_path, values(corpus_folder, llama_folder))
    shutil.copytree(finished.folder, tmp_path / "run" / "seed-2")
    arguments = ["run", str(tmp_path / "tiny.yaml"), "--seeds", "1,2", "--out", str(tmp_path / "run")]
    ran = RUNNER.invoke(app, arguments)
    assert ran.exit_code == 2
    assert "holds a run" in ran.stderr
    assert not (tmp_path / "run" / "seed-1").exists()


def test_the_command_line_runs_a_recipe(llama_folder: Path, corpus_folder: Path, tmp_path: Path) -> None:
    recipe(tmp_path, values(corpus_folder, llama_folder))
    arguments = ["run", str(tmp_path / "tiny.yaml"), "--set", "training.epochs=1", "--out", str(tmp_path / "out")]
    ran = RUNNER.invoke(app, [*arguments, "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["weighted_f1"] == report_of(tmp_path / "out").main.weighted_f1
    assert "epoch 1: validation W-F1" in ran.stderr


def test_the_interval_can_be_left_out(llama_folder: Path, corpus_folder: Path, tmp_path: Path) -> None:
    given = values(corpus_folder, llama_folder)
    result = run_recipe(
        recipe(tmp_path, given, "evaluation.bootstrap=0", "evaluation.baselines=[]", "training.epochs=1")
    )
    assert result.report.main_interval is None
    assert result.baselines == {}
    assert report_of(result.folder).main == result.report.main


def test_another_split_can_be_measured(llama_folder: Path, corpus_folder: Path, tmp_path: Path) -> None:
    given = values(corpus_folder, llama_folder)
    result = run_recipe(recipe(tmp_path, given, "evaluation.split=validation", "training.epochs=1"))
    assert result.report.main_split == "validation"
    assert {row.conversation for row in read_predictions(result.folder / "predictions.jsonl")} == {
        chat.id for chat in tiny_corpus().validation
    }


def test_without_a_validation_split_the_last_epoch_is_reported(
    llama_folder: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    (corpus_folder / "validation.jsonl").unlink()
    report = run_recipe(recipe(tmp_path, values(corpus_folder, llama_folder))).report
    assert report.summary.endswith("epoch 2, the last")
    assert "There was no validation split: the last epoch was kept." in report.notices


@pytest.mark.parametrize("missing", ["train", "test"])
def test_nothing_to_learn_from_or_to_measure_is_said_before_anything_is_written(
    llama_folder: Path, corpus_folder: Path, tmp_path: Path, missing: str
) -> None:
    (corpus_folder / f"{missing}.jsonl").unlink()
    with pytest.raises(DataError, match=f"no labelled turn in its {missing} split"):
        run_recipe(recipe(tmp_path, values(corpus_folder, llama_folder)))
    assert not (tmp_path / "run").exists()


def test_a_test_turn_that_is_too_long_is_found_before_training(
    llama_folder: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    long = Conversation("long", (Utterance("Ada", "no, " * 300, "anger"),))
    write_conversations(corpus_folder / "test.jsonl", [*tiny_corpus().test, long])
    log = Log()
    with pytest.raises(PromptTooLongError, match="conversation 'long', turn 0"):
        run_recipe(recipe(tmp_path, values(corpus_folder, llama_folder)), watcher=log)
    assert log.start is None


CHILD = """
import sys
import torch
from instructerc.experiments.resolve import resolve
from instructerc.experiments.run import run_recipe
from tests.experiments.recipes import Log

torch.set_num_threads(1)

class Loud(Log):
    def step(self, done, loss):
        print("step", done, flush=True)
    def validated(self, epoch, figures, *, best):
        print("validated", epoch, flush=True)
    def recognized(self, turns):
        print("recognized", flush=True)

run_recipe(resolve(sys.argv[1]), resume=True, watcher=Loud())
print("finished", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(
    finished: RunResult, llama_folder: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    resolved = recipe(tmp_path, values(corpus_folder, llama_folder))
    (tmp_path / "whole.yaml").write_text(resolved.to_yaml(), encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    for last in ("step 3", "validated 1", "step 9", "validated 2", "recognized", "finished"):
        command = [sys.executable, "-c", CHILD, str(tmp_path / "whole.yaml")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, encoding="utf-8") as child:
            assert child.stdout is not None
            assert last in (line.strip() for line in child.stdout), "it was to be killed there"
            child.kill()
    model, predictions = "model/parameters.safetensors", "predictions.jsonl"
    assert (tmp_path / "run" / model).read_bytes() == (finished.folder / model).read_bytes()
    rows, whole = (read_predictions(folder / predictions) for folder in (tmp_path / "run", finished.folder))
    assert [(row.turn, row.emotion) for row in rows] == [(row.turn, row.emotion) for row in whole]
    report = report_of(tmp_path / "run")
    assert report.main == finished.report.main
    assert report.curves is not None
    assert report.curves.validation == finished.report.curves.validation  # type: ignore[union-attr]
