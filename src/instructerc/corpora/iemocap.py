r"""IEMOCAP: the original session folders (method §12).

```
Session1/dialog/transcriptions/Ses01F_impro01.txt   Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
Session1/dialog/EmoEvaluation/Ses01F_impro01.txt    [6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5, 2.5, 2.5]
   ─→  Conversation("Ses01F_impro01", (Utterance("F", "Excuse me.", "neutral"), …))
```
The speaker is the F or M of the turn's id, turns stand in the order of the transcription, and a turn whose label is
none of the six is left out, of the history too. Session 5 is the test split; twelve conversations validate.
"""

from __future__ import annotations

import re
from pathlib import Path

from instructerc.conversation import Conversation, Corpus, Split, Utterance
from instructerc.corpora.catalog import get_source
from instructerc.corpora.faults import Faults
from instructerc.corpora.locating import how_to_get
from instructerc.errors import UnreadableFileError, nearest

SESSIONS = (1, 2, 3, 4, 5)
TEST_SESSION = 5
VALIDATION = frozenset(
    {
        "Ses04F_script02_1",
        "Ses02F_impro07",
        "Ses02M_script01_2",
        "Ses03M_impro02",
        "Ses03M_impro08a",
        "Ses01M_impro01",
        "Ses04F_impro07",
        "Ses03F_impro01",
        "Ses02F_impro02",
        "Ses01M_script03_1",
        "Ses03M_script02_2",
        "Ses03M_script03_2",
    }
)
KEPT = ("hap", "sad", "neu", "ang", "exc", "fru")
DROPPED = ("sur", "fea", "dis", "oth", "xxx")
"""Labels of turns that the six-way task leaves out; `xxx` is no agreement."""

# `Ses05M_script01_1_FXX0` and the like are turns too: what follows F or M is a name, not a number.
_TURN = re.compile(r"(?P<id>Ses\w+_(?P<speaker>[FM])[^\W_]+)\s*\[[^\]]*\]:(?P<text>.*)")
_EVALUATION = re.compile(r"\[[^\]]*\]\s+(?P<id>Ses\w+)\s+(?P<label>\S+)")


def read_iemocap(folder: Path | None = None) -> Corpus:
    """Reads the six-way task from the original release.

    Args:
        folder: The folder in which Session1 to Session5 stand, or the one above it; default the cache.

    Returns:
        108, 12 and 31 conversations, sorted by session and name; ids are the file names without ending.

    Raises:
        UnreadableFileError: Sessions or files are missing or empty.
        InvalidRowsError: Lines are at fault; carries all of them, of all files.
    """
    source = get_source("iemocap")
    root = session_root(folder)
    faults = Faults()
    parts: dict[Split, list[Conversation]] = {"train": [], "validation": [], "test": []}
    for session in SESSIONS:
        dialog = root / f"Session{session}" / "dialog"
        # Names that begin with "._" are leftovers of another file system in the release.
        for transcription in sorted((dialog / "transcriptions").glob("Ses*.txt")):
            evaluation = dialog / "EmoEvaluation" / transcription.name
            conversation = Conversation(transcription.stem, _turns(transcription, evaluation, faults))
            if conversation.utterances:
                parts[_split(session, conversation.id)].append(conversation)
    faults.raise_if_any()
    train, validation, test = (tuple(part) for part in parts.values())
    return Corpus(source.name, source.labels.labels, train, validation, test)


def session_root(folder: Path | None = None) -> Path:
    """The folder in which the five sessions stand.

    Args:
        folder: That folder, or the one above it; default the cache.

    Raises:
        UnreadableFileError: Sessions are missing; says which, and where to ask for them.
    """
    source = get_source("iemocap")
    folder = source.folder if folder is None else Path(folder)
    layouts = ("", *source.layouts)
    root = next((folder / layout for layout in layouts if (folder / layout / "Session1").is_dir()), folder)
    needed = [f"Session{session}/dialog/{part}" for session in SESSIONS for part in ("transcriptions", "EmoEvaluation")]
    missing = [name for name in needed if not (root / name).is_dir()]
    if missing:
        raise UnreadableFileError(f"iemocap: {root} lacks {', '.join(missing)}: {how_to_get(source, folder)}")
    return root


def _split(session: int, conversation: str) -> Split:
    if session == TEST_SESSION:
        return "test"
    return "validation" if conversation in VALIDATION else "train"


def _turns(transcription: Path, evaluation: Path, faults: Faults) -> tuple[Utterance, ...]:
    labels = _labels(evaluation, faults)
    spoken = _spoken(transcription, faults)
    if labels is None or spoken is None:
        return ()
    canonical = get_source("iemocap").labels.canonical
    for turn, label in labels.items():
        if label in KEPT and turn not in spoken:
            reason = f"{turn!r} has the label {label!r}, and no line here: the file was cut off or changed"
            faults.add(transcription, None, None, reason)
    return tuple(
        Utterance(speaker, text, canonical(labels[turn]))
        for turn, (speaker, text) in spoken.items()
        if labels.get(turn) in KEPT
    )


def _spoken(path: Path, faults: Faults) -> dict[str, tuple[str, str]] | None:
    text = faults.text_of(path)
    if text is None:
        return None
    spoken: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        match = _TURN.match(line.strip())
        if match is None:
            # `M: [BREATHING]` and the like are remarks of the transcriber, not turns.
            if line.startswith("Ses"):
                reason = f"{line[:60]!r} is no turn: `Ses01F_impro01_F000 [006.2901-008.2357]: text` is"
                faults.add(path, number, None, reason)
        elif match["id"] in spoken:
            faults.add(path, number, None, f"turn {match['id']!r} stands twice: delete one")
        else:
            spoken[match["id"]] = (match["speaker"], match["text"].strip())
    return spoken


def _labels(path: Path, faults: Faults) -> dict[str, str] | None:
    text = faults.text_of(path)
    if text is None:
        return None
    labels: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.startswith("["):
            continue  # the head of the file, and what single annotators said
        match = _EVALUATION.match(line)
        if match is None:
            reason = f"{line.strip()[:60]!r} is no label: `[6.2901 - 8.2357]\\tSes01F_impro01_F000\\tneu\\t[…]` is"
            faults.add(path, number, None, reason)
            continue
        label = match["label"].lower()
        if label not in KEPT and label not in DROPPED:
            faults.add(path, number, None, _unknown(match["label"]))
        if match["id"] in labels:
            faults.add(path, number, None, f"turn {match['id']!r} is labelled twice: delete one")
        labels[match["id"]] = label
    return labels


def _unknown(label: str) -> str:
    known = (*KEPT, *DROPPED)
    similar = nearest(label, known)
    hint = f"did you mean {similar!r}? " if similar else ""
    return f"unknown label {label!r}: {hint}Known: {', '.join(known)}"
