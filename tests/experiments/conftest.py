"""A tiny random Llama and the tiny corpus as files, for whole runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from instructerc.experiments.run import RunResult, run_recipe
from instructerc.testing import tiny_llama
from tests.experiments.recipes import recipe, values, write_corpus


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its checkpoint, to be read only."""
    return tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def corpus_folder(tmp_path: Path) -> Path:
    """The tiny corpus, a file a split."""
    return write_corpus(tmp_path / "corpus")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, llama_folder: Path) -> RunResult:
    """A finished run, to be read only."""
    folder = tmp_path_factory.mktemp("finished")
    return run_recipe(recipe(folder, values(write_corpus(folder / "corpus"), llama_folder)))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums come out bit for bit the same only where they are added up in one order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
