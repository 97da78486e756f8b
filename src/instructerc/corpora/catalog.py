"""The corpora that have a name: what they are, where their publishers keep them, how to know them (method §12).

Sums and sizes are those of the publishers' files. Where nobody could compute one it is None, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from instructerc.assets import Asset, cache_directory
from instructerc.conversation import Split
from instructerc.errors import UnknownNameError
from instructerc.labels import DAILYDIALOG, EKMAN, EMORYNLP, IEMOCAP, MELD, LabelSet


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a part of a corpus holds.

    Attributes:
        conversations: Number of conversations.
        utterances: Number of turns that carry a label, as papers count them.
    """

    conversations: int
    utterances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A corpus that has a name.

    Attributes:
        name: The name, as commands take it.
        title: The name, as papers write it, with the split where there are several.
        labels: Its label set.
        licence: The licence of its publisher.
        homepage: Where it is described, or asked for.
        citation: The paper to cite.
        counts: What method §12 says it holds, by split.
        files: What its reader reads, by path inside its folder; several may come out of one archive.
        archive: The archive that holds the files; None where each is published by itself.
        layouts: Folders inside a given folder in which the files may stand as well, as publishers lay them out.
        gated: Why it cannot be downloaded, and what a person does instead; None where it can be.
        note: What a person should know when the download fails, or before it.
    """

    name: str
    title: str
    labels: LabelSet
    licence: str
    homepage: str
    citation: str
    counts: Mapping[Split, Counts]
    files: tuple[Asset, ...] = ()
    archive: Asset | None = None
    layouts: tuple[str, ...] = ()
    gated: str | None = None
    note: str | None = None

    @property
    def access(self) -> Literal["bundled", "download", "on request"]:
        """How one gets it."""
        if self.gated is not None:
            return "on request"
        return "download" if self.files else "bundled"

    @property
    def folder(self) -> Path:
        """Where its files lie when no other folder is named: inside the cache."""
        return cache_directory() / "corpora" / self.name


def get_source(name: str) -> Source:
    """The source of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in SOURCES:
        raise UnknownNameError("corpus", name, SOURCES)
    return SOURCES[name]


def _counts(train: tuple[int, int], validation: tuple[int, int], test: tuple[int, int]) -> Mapping[Split, Counts]:
    return {"train": Counts(*train), "validation": Counts(*validation), "test": Counts(*test)}


def _assets(base: str, *files: tuple[str, str | None, int | None]) -> tuple[Asset, ...]:
    return tuple(Asset(name=name, url=f"{base}/{name}", sha256=sha256, size=size) for name, sha256, size in files)


_MELD_REPOSITORY = "https://raw.githubusercontent.com/declare-lab/MELD/2d2011b409d3ca2d7e94460cd007d434b1d0a102/data"
_EMORYNLP_REPOSITORY = (
    "https://raw.githubusercontent.com/emorynlp/emotion-detection/289b967a34556f0d86b52ea36571c2a0c90740ae/json"
)
_RELEASED_CODE = (
    "https://raw.githubusercontent.com/LIN-SHANG/InstructERC/98b595cd52c759317885eb14a7a473f9506e2d3e/original_data"
)
_RELEASED_CODE_NOTE = (
    "From the released code of InstructERC (https://github.com/LIN-SHANG/InstructERC), in the layout of COSMIC "
    "(https://github.com/declare-lab/conv-emotion). The address follows the paths that the code reads; what counts is "
    "the checksum."
)
_IEMOCAP_REQUEST = (
    "IEMOCAP is given only to people who ask the University of Southern California for it: "
    "fill in the form at https://sail.usc.edu/iemocap/"
)

_MELD_COUNTS = _counts((1038, 9989), (114, 1109), (280, 2610))
_EMORYNLP_COUNTS = _counts((659, 7551), (89, 954), (79, 984))
_IEMOCAP_COUNTS = _counts((108, 5163), (12, 647), (31, 1623))

_MELD_PAPER = "Poria et al., MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations, ACL 2019"
_EMORYNLP_PAPER = (
    "Zahiri and Choi, Emotion Detection on TV Show Transcripts with Sequence-based Convolutional Neural Networks, "
    "AAAI workshops 2018"
)
_IEMOCAP_PAPER = (
    "Busso et al., IEMOCAP: Interactive emotional dyadic motion capture database, "
    "Language Resources and Evaluation 42, 2008"
)
_DAILYDIALOG_PAPER = "Li et al., DailyDialog: A Manually Labelled Multi-turn Dialogue Dataset, IJCNLP 2017"
_DAILYDIALOG_ARCHIVE = Asset(
    name="ijcnlp_dailydialog.zip",
    url="http://yanran.li/files/ijcnlp_dailydialog.zip",
    # As others recorded them; the six files inside have sums of their own below.
    sha256="c641e88cbf21fd7c1b57289387f9107d33fe8685a2b37fe8066b82776535ea89",
    size=4475921,
)


def _in_archive(name: str, sha256: str, size: int) -> Asset:
    return Asset(name=name, url=_DAILYDIALOG_ARCHIVE.url, sha256=sha256, size=size)


_SOURCES = (
    Source(
        name="sample",
        title="Sample corpus of this package",
        labels=EKMAN,
        licence="CC0-1.0",
        homepage="part of this package",
        citation="none needed",
        counts=_counts((384, 3781), (68, 640), (113, 1099)),
    ),
    Source(
        name="meld",
        title="MELD",
        labels=MELD,
        licence="GPL-3.0",
        homepage="https://github.com/declare-lab/MELD",
        citation=_MELD_PAPER,
        counts=_MELD_COUNTS,
        layouts=("MELD", "data/MELD"),
        files=_assets(
            f"{_MELD_REPOSITORY}/MELD",
            ("train_sent_emo.csv", "d2fa2d6529cf03cac2989efec05c9b27d8fd2f4c8fc5974c7ae88aa537fa02db", 1119290),
            ("dev_sent_emo.csv", "2e89c6f8aa182d6f62f8c6331aece905ac7273ca4999660bfb5213e1d0370c1c", 121640),
            ("test_sent_emo.csv", "8d37103938f7067600839fe29d5a114a6cd1bcdafb75bec101e06464c5006888", 294526),
        ),
    ),
    Source(
        name="meld-cosmic",
        title="MELD, pickle of the released code",
        labels=MELD,
        licence="GPL-3.0 (the texts are MELD's)",
        homepage="https://github.com/LIN-SHANG/InstructERC",
        citation=_MELD_PAPER,
        counts=_MELD_COUNTS,
        layouts=("meld", "original_data/meld"),
        files=_assets(
            f"{_RELEASED_CODE}/meld",
            ("meld.pkl", "3713dab8c0b1d3ae4bb40251599fc6aff687cad1c2468e2f4b50554705a260f8", 999031),
        ),
        note=_RELEASED_CODE_NOTE,
    ),
    Source(
        name="emorynlp",
        title="EmoryNLP, 659/89/79 split (InstructERC, COSMIC, BiosERC)",
        labels=EMORYNLP,
        licence="Apache-2.0 (EmoryNLP); GPL-3.0 (the repository that publishes these files)",
        homepage="https://github.com/declare-lab/MELD",
        citation=_EMORYNLP_PAPER,
        counts=_EMORYNLP_COUNTS,
        layouts=("emorynlp", "data/emorynlp"),
        files=_assets(
            f"{_MELD_REPOSITORY}/emorynlp",
            ("emorynlp_train_final.csv", "462c66c333783adb801836d12d1424f48489bef4fb8ddfec7fbb2f08ce8211d5", 771777),
            ("emorynlp_dev_final.csv", "20edc9d5917fe705b17b849f7f288e495d4132a60353a6247c3800445bdf8734", 93130),
            ("emorynlp_test_final.csv", "dbc4b5638acd12c92a5f48def829e04f1c765cddffb4eedbe34216312e0d2d78", 100280),
        ),
    ),
    Source(
        name="emorynlp-cosmic",
        title="EmoryNLP, 659/89/79 split, pickle of the released code",
        labels=EMORYNLP,
        licence="Apache-2.0 (the texts are EmoryNLP's)",
        homepage="https://github.com/LIN-SHANG/InstructERC",
        citation=_EMORYNLP_PAPER,
        counts=_EMORYNLP_COUNTS,
        layouts=("EmoryNLP", "original_data/EmoryNLP"),
        files=_assets(
            f"{_RELEASED_CODE}/EmoryNLP",
            ("EmoryNLP.pkl", "047b493e1c399374c3075d1defb33b094c887d1198feb463e9e645de20550a77", 1770289),
        ),
        note=_RELEASED_CODE_NOTE,
    ),
    Source(
        name="emorynlp-v1",
        title="EmoryNLP v1.0, 713/99/85 split (SPCL, CoMPM)",
        labels=EMORYNLP,
        licence="Apache-2.0",
        homepage="https://github.com/emorynlp/emotion-detection",
        citation=_EMORYNLP_PAPER,
        counts=_counts((713, 9934), (99, 1344), (85, 1328)),
        layouts=("json",),
        files=_assets(
            _EMORYNLP_REPOSITORY,
            ("emotion-detection-trn.json", None, None),  # no copy was at hand to compute its sum from
            ("emotion-detection-dev.json", "177f0b8ae5442045ea60e6f7940e14b1a8c15c704201f01da1ba74943f99086e", 563109),
            ("emotion-detection-tst.json", "2da84b0bffbc9da2f3b9de8016c2d3ae5478e6ccb26d473313368373b427dedc", 556256),
        ),
    ),
    Source(
        name="iemocap",
        title="IEMOCAP, six emotions, session 5 as test",
        labels=IEMOCAP,
        licence="IEMOCAP licence of the University of Southern California",
        homepage="https://sail.usc.edu/iemocap/",
        citation=_IEMOCAP_PAPER,
        counts=_IEMOCAP_COUNTS,
        layouts=("IEMOCAP_full_release", "IEMOCAP"),
        gated=f"{_IEMOCAP_REQUEST}, then unpack the archive so that Session1 to Session5 stand in its folder",
    ),
    Source(
        name="iemocap-cosmic",
        title="IEMOCAP, six emotions, pickle of the released code",
        labels=IEMOCAP,
        licence="IEMOCAP licence of the University of Southern California (the texts are IEMOCAP's)",
        homepage="https://sail.usc.edu/iemocap/",
        citation=_IEMOCAP_PAPER,
        counts=_IEMOCAP_COUNTS,
        layouts=("iemocap", "original_data/iemocap"),
        files=_assets(f"{_RELEASED_CODE}/iemocap", ("iemocap.pkl", None, None)),  # no copy was at hand
        gated=(
            f"the pickle holds IEMOCAP's texts, and {_IEMOCAP_REQUEST}; once they gave it to you, put iemocap.pkl "
            "(the released code of InstructERC reads one) into its folder"
        ),
        note=_RELEASED_CODE_NOTE,
    ),
    Source(
        name="dailydialog",
        title="DailyDialog",
        labels=DAILYDIALOG,
        licence="CC BY-NC-SA 4.0",
        homepage="http://yanran.li/dailydialog",
        citation=_DAILYDIALOG_PAPER,
        counts=_counts((11118, 87170), (1000, 8069), (1000, 7740)),
        archive=_DAILYDIALOG_ARCHIVE,
        layouts=("ijcnlp_dailydialog",),
        files=(
            _in_archive(
                "train/dialogues_train.txt", "71633bd5fdb0b09dd82215b131b56432cf7329a0fe50bc8adec168713d350d1a", 6041183
            ),
            _in_archive(
                "train/dialogues_emotion_train.txt",
                "5c94e57c6e6c6641f4b1386513085f9d9b934229e732a556424ca7dfae4b6c77",
                185458,
            ),
            _in_archive(
                "validation/dialogues_validation.txt",
                "2ad64701fe3a4449e7a6ee7cdc6c2a71c80f77b8a34f708ac0532395f499081c",
                558030,
            ),
            _in_archive(
                "validation/dialogues_emotion_validation.txt",
                "3d4094299a995e998bbc3492ce1755c9abc1e7f56500c840e83b12dd16580596",
                17138,
            ),
            _in_archive(
                "test/dialogues_test.txt", "3c323651cdfb09f7b529f850eddf96a638fc6cc9b43330b77956ab248484a1a8", 544208
            ),
            _in_archive(
                "test/dialogues_emotion_test.txt",
                "482b7235f91a1441055a09241b2d2709bb1702f4a08d7316c27fa807cba7d3c9",
                16480,
            ),
        ),
        note=(
            "The authors' site is often down. The Internet Archive keeps copies of the address: put "
            "ijcnlp_dailydialog.zip into the folder by hand and run the command again, it is checked and unpacked."
        ),
    ),
)

SOURCES: Mapping[str, Source] = {source.name: source for source in _SOURCES}
"""Every corpus that has a name, by its name."""
