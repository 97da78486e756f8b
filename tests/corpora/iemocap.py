"""IEMOCAP as it is handed out, made up: exactly its format, none of its content."""

from __future__ import annotations

from pathlib import Path

from instructerc.corpora.iemocap import VALIDATION

HEAD = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


def label(turn: str, emotion: str) -> str:
    annotators = "C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n\n"
    return f"[6.2901 - 8.2357]\t{turn}\t{emotion}\t[2.5000, 2.5000, 2.5000]\n{annotators}"


def put(root: Path, conversation: str, transcription: str, evaluation: str) -> None:
    dialog = root / f"Session{int(conversation[3:5])}" / "dialog"
    for folder, content in (("transcriptions", transcription), ("EmoEvaluation", evaluation)):
        (dialog / folder).mkdir(parents=True, exist_ok=True)
        (dialog / folder / f"{conversation}.txt").write_text(content, encoding="utf-8")


def simple(root: Path, conversation: str) -> None:
    turn = f"{conversation}_F000"
    put(root, conversation, f"{turn} [006.2901-008.2357]: Excuse me.\n", HEAD + label(turn, "neu"))


def write_release(root: Path, *, validation: bool = False) -> Path:
    """Sessions 1 to 5 with a conversation each; with `validation` also those that validate."""
    own = ("Ses01F_impro01", "Ses02F_impro01", "Ses03M_impro01", "Ses04F_script01_1", "Ses05M_script01_1b")
    for conversation in (*own, *(sorted(VALIDATION) if validation else ())):
        simple(root, conversation)
    return root
