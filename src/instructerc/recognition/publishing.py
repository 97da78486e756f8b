"""A trained model on a hub: what of its folder is uploaded, and how it comes back.

Only files that a model is made of go up; what else lies in the folder stays. A pool of demonstrations is texts of
people, and goes with the model only where somebody says so: without it the model cannot be used.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructerc.assets.hub import download_files, is_repository, upload_files
from instructerc.backbones.adapters import PARAMETERS
from instructerc.backbones.presets import PRESETS
from instructerc.errors import ArtefactError, UsageError
from instructerc.recognition.artefact import FILE, HERE, POOL, Artefact, read_artefact, require_own

CARD = "README.md"

SHIPPED = "embedded"
"""What the model that ships with the package is called, as its backbone is."""

SHIPPED_FOLDER = Path(__file__).parents[1] / "shipped" / SHIPPED

PATTERNS = (
    *(FILE, PARAMETERS, CARD, f"{POOL}/*"),
    *("config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template.jinja"),
    *("*.model", "*.tiktoken"),
)
"""Files that a model is made of: our own, and those of a checkpoint. No code, and no pickle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPlan:
    """What would be uploaded.

    Attributes:
        folder: The folder of the model.
        artefact: What it is.
        files: Path in the folder, and size in bytes, of each file.
        left_out: Files of the folder that stay.
    """

    folder: Path
    artefact: Artefact
    files: tuple[tuple[str, int], ...]
    left_out: tuple[str, ...]

    @property
    def size(self) -> int:
        """Of all files, in bytes."""
        return sum(size for _, size in self.files)

    @property
    def has_card(self) -> bool:
        """Whether people will be told what the model is."""
        return any(name == CARD for name, _ in self.files)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        files = [{"name": name, "bytes": size} for name, size in self.files]
        return {"folder": str(self.folder), "files": files, "bytes": self.size, "left_out": list(self.left_out)}


def plan_push(folder: Path, *, with_pool: bool = False) -> PushPlan:
    """What of a model would be uploaded.

    Args:
        folder: A run folder, or the folder of a trained or merged model.
        with_pool: Whether the texts that its prompts show may go with it.

    Raises:
        ArtefactError: The folder holds no trained model, lacks files of it, or holds links that lead out of it.
        UsageError: Nobody else could load it, its pool may not be given away, or a server runs it.
    """
    artefact, place = read_artefact(folder)
    require_own(artefact, place)
    if artefact.backbone != HERE and hub_id(artefact.backbone) is None:
        raise UsageError(
            f"{place}: its backbone {artefact.backbone} is a folder of this machine, which nobody else has: "
            "`instructerc merge` makes a model that stands alone, push that"
        )
    if artefact.demonstrations is not None and not with_pool:
        raise UsageError(
            f"{place}: its folder {POOL!r} holds the labelled utterances that its prompts show, word for word, and "
            "whoever gets the model gets them: add --with-pool where their licence and the people who wrote them allow "
            "it"
        )
    found = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    names = [name for name in found if any(fnmatch.fnmatchcase(name, pattern) for pattern in PATTERNS)]
    if artefact.demonstrations is None:  # a pool that the model does not know of
        names = [name for name in names if not name.startswith(f"{POOL}/")]
    _require_whole(artefact, place, names)
    _require_inside(place, names)
    files = tuple((name, (place / name).stat().st_size) for name in names)
    return PushPlan(folder=place, artefact=artefact, files=files, left_out=tuple(sorted(set(found) - set(names))))


def _require_inside(place: Path, names: Sequence[str]) -> None:
    """A link may lead to anything of this machine, and would be uploaded as what it leads to."""
    root = place.resolve()
    outside = [name for name in names if not (place / name).resolve().is_relative_to(root)]
    if outside:
        target = (place / outside[0]).resolve()
        raise ArtefactError(
            f"{place / outside[0]}: is a link that leads out of the model's folder, to {target}: copy the file there "
            "if it belongs to the model, or remove the link"
        )


def push(plan: PushPlan, repository: str, *, private: bool = False, revision: str | None = None) -> str:
    """Uploads a model as one commit.

    Args:
        plan: What to upload.
        repository: `owner/title`; made where it is missing.
        private: Whether nobody else may see it.
        revision: Branch; None is the main one.

    Returns:
        The address of the commit.

    Raises:
        As `upload_files`.
    """
    names = [name for name, _ in plan.files]
    message = f"Upload a model of {plan.artefact.corpus}" if plan.artefact.corpus else "Upload a model"
    return upload_files(plan.folder, names, repository, message=message, private=private, revision=revision)


def find_model(name: str | Path, *, revision: str | None = None) -> Path:
    """The folder of a model: the folder itself, or what a hub has under that name.

    Args:
        name: A folder, `owner/title` on a hub, or `embedded`, the model that ships with the package. A folder that is
            there wins; a path given as one is never looked up.
        revision: Commit, tag or branch on the hub.

    Raises:
        UsageError: A revision is given for a folder.
        AssetError: There is no such folder, and the hub has no such model, or may not be asked.
    """
    path = Path(name)
    if isinstance(name, str) and not path.exists() and is_repository(name):
        return download_files(name, first=FILE, patterns=PATTERNS, revision=revision)
    if name == SHIPPED and not path.exists():
        path = SHIPPED_FOLDER
    if revision is not None:
        raise UsageError(f"{name}: a revision goes with a model on a hub only: leave it out")
    return path


def hub_id(backbone: str) -> str | None:
    """The repository of a hub that has a backbone; None for a folder of somebody's machine.

    Example:
        >>> hub_id("embedded"), hub_id("Qwen/Qwen3-0.6B-Base"), hub_id("/models/mine")
        ('sentence-transformers/all-MiniLM-L6-v2', 'Qwen/Qwen3-0.6B-Base', None)
    """
    from instructerc.assets.embedded import REPOSITORY

    preset = PRESETS.get(backbone)
    if preset is not None:
        return REPOSITORY if preset.source == "package" else preset.source
    return backbone if is_repository(backbone) else None


def _require_whole(artefact: Artefact, place: Path, names: list[str]) -> None:
    wanted = [PARAMETERS] * (artefact.adapter is not None) + ["config.json"] * (artefact.backbone == HERE)
    missing = [name for name in wanted if name not in names]
    if artefact.backbone == HERE and not any(name.endswith(".safetensors") for name in names):
        missing.append("model.safetensors")
    if artefact.demonstrations is not None and not any(name.startswith(f"{POOL}/") for name in names):
        missing.append(POOL)
    if missing:
        raise ArtefactError(f"{place}: lacks {', '.join(missing)}: copy the whole folder of the model")
