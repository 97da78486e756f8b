"""MELD: three CSV files, a row a turn, conversations numbered anew in each file (method §12).

```
Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,…
1,You must’ve had your hands full.,The Interviewer,neutral,neutral,0,1,…
   ─→  Conversation("train-0", …Utterance("The Interviewer", "You must’ve had your hands full.", "neutral")…)
```
No number is used twice in a file, the rows of a conversation stand together, dialogue 60 of the training file does
not exist, and turns are missing inside 76 conversations: what is there is read in the order of the file.
"""

from __future__ import annotations

from pathlib import Path

from instructerc.conversation import Conversation, Corpus, Split
from instructerc.corpora.catalog import get_source
from instructerc.corpora.faults import Faults
from instructerc.corpora.locating import locate
from instructerc.corpora.published_csv import PublishedCsv
from instructerc.corpora.repair import REPAIRED, TextRepair

FILES: dict[Split, str] = {
    "train": "train_sent_emo.csv",
    "validation": "dev_sent_emo.csv",
    "test": "test_sent_emo.csv",
}


def read_meld(folder: Path | None = None, *, text: TextRepair = REPAIRED) -> Corpus:
    """Reads MELD from its CSV files.

    Args:
        folder: Where they lie, flat or as in the publisher's repository; default the cache.
        text: What is done with texts and speakers; `VERBATIM` leaves them as they are.

    Returns:
        1038, 114 and 280 conversations; their ids are the split and the file's number, "train-0".

    Raises:
        UnreadableFileError: A file is missing, empty or no text.
        InvalidRowsError: Rows are at fault; carries all of them, of all three files.
    """
    source = get_source("meld")
    paths = locate(source, folder)
    faults = Faults()
    parts: dict[Split, tuple[Conversation, ...]] = {}
    for split, name in FILES.items():
        parts[split] = _reader(split, text).read(paths[name], faults)
    faults.raise_if_any()
    return Corpus(source.name, source.labels.labels, **parts)


def _reader(split: Split, text: TextRepair) -> PublishedCsv:
    return PublishedCsv(
        key=("Dialogue_ID",),
        identify=lambda key: f"{split}-{key[0]}",
        speaker_of=str,
        labels=get_source("meld").labels,
        text=text,
    )
