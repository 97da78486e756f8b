"""Baselines beside the figure of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.baselines import BASELINES, TITLES, EmbeddingLogistic, EmbeddingNearest, EncoderClassifier, Majority
from instructerc.errors import UsageError
from instructerc.experiments.run import run_recipe
from instructerc.reporting.markdown import escape
from tests.baselines.encoders import LetterEncoder, tiny_encoder
from tests.experiments.recipes import Log, recipe, values, write_corpus

EVERY = f"evaluation.baselines=[{', '.join(BASELINES)}]"


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same baselines on models of no size."""
    small = {
        "embedding-nearest": EmbeddingNearest(encoder=LetterEncoder()),
        "embedding-logistic": EmbeddingLogistic(encoder=LetterEncoder()),
        "encoder": EncoderClassifier(name=str(tiny_encoder(tmp_path / "encoder")), epochs=1, device="cpu"),
    }
    for name, method in small.items():
        monkeypatch.setitem(BASELINES, name, method)


@pytest.mark.slow
@pytest.mark.usefixtures("_small")
def test_every_baseline_stands_in_the_reports_of_a_mixture(llama_folder: Path, tmp_path: Path) -> None:
    folders = [write_corpus(tmp_path / name) for name in ("first", "second")]
    given = values(folders[0], llama_folder)
    given["data"] = {"corpus": [f"{folder.name}={folder}" for folder in folders], "leaks": "published"}
    settings = (EVERY, "training.epochs=1", "evaluation.split=validation")
    result = run_recipe(recipe(tmp_path, given, *settings), watcher=Log())
    assert list(result.baselines) == [TITLES[name] for name in BASELINES]
    assert {scores.support for scores in result.report.baselines.values()} == {result.report.main.support}
    markdown, html = ((result.folder / name).read_text(encoding="utf-8") for name in ("report.md", "report.html"))
    assert [title for title in TITLES.values() if escape(title) not in markdown] == []
    assert [title for title in TITLES.values() if title not in html] == []
    assert any("'Fine-tuned encoder' chose its epoch on validation" in notice for notice in result.report.notices)


def test_what_a_baseline_lacks_is_said_before_training(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refuses(Majority):
        __slots__ = ()

        def require(self) -> None:
            raise UsageError("a library is missing")

    monkeypatch.setitem(BASELINES, "encoder", Refuses())
    resolved = recipe(tmp_path, values(corpus_folder, llama_folder), "evaluation.baselines=[encoder]")
    with pytest.raises(UsageError, match="a library is missing"):
        run_recipe(resolved)
    assert not (tmp_path / "run").exists()
