"""Mapping files of people's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.corpora.mapping_files import load_mapping, read_mapping
from instructerc.corpora.unified import RELEASED
from instructerc.errors import LabelMappingError, UnknownNameError, UnreadableFileError
from instructerc.labels import MELD

REMEDY = "give each one, or null to leave its turns unlabelled"
YAML = """\
labels: [calm, "null", no]
corpora:
  ekman: {neutral: calm, joy: calm, sadness: "null", anger: no, surprise: null, fear: ~, disgust:}
  own:
    "yes": calm
"""


def write(folder: Path, text: str | bytes, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def faults(folder: Path, text: str, name: str = "mine.yaml") -> list[str]:
    path = write(folder, text, name)
    with pytest.raises(LabelMappingError) as caught:
        read_mapping(path)
    return [fault.replace(str(path), name) for fault in caught.value.faults]


def test_labels_are_texts_whatever_yaml_makes_of_them(tmp_path: Path) -> None:
    mapping = load_mapping(write(tmp_path, YAML))
    assert (mapping.name, mapping.labels) == ("mine", ("calm", "null", "no"))
    assert mapping.corpora["ekman"] == {
        "neutral": "calm",
        "joy": "calm",
        "sadness": "null",
        "anger": "no",
        "surprise": None,
        "fear": None,
        "disgust": None,
    }
    assert mapping.corpora["own"] == {"yes": "calm"}


def test_json_is_read_as_well_and_labels_may_be_left_out(tmp_path: Path) -> None:
    text = '{\n\t"corpora": {"own": {"up": "high", "down": "low", "still": null, "top": "high"}}\n}'
    mapping = load_mapping(write(tmp_path, text, "mine.json"))
    assert mapping.labels == ("high", "low")
    assert mapping.corpora["own"]["still"] is None


def test_a_name_is_a_mapping_of_ours_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_mapping("released") is RELEASED
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean 'feeling-wheel'"):
        load_mapping("feeling-wheal")
    with pytest.raises(UnreadableFileError, match=r"gone\.yaml: cannot be read \(No such file"):
        load_mapping("gone.yaml")


def test_every_fault_has_its_line(tmp_path: Path) -> None:
    text = """\
labels: [calm, tense]
corpora:
  meld:
    joyfull: calm
    angry: tens
  own: {ok: calm}
"""
    assert faults(tmp_path, text) == [
        "mine.yaml:5: meld: angry: 'tens' is no unified label: did you mean 'tense'? Known: calm, tense",
        f"mine.yaml:4: meld: joyfull: unknown label 'joyfull': did you mean 'joyful'? Known: {', '.join(MELD.labels)}",
        f"mine.yaml:4: meld: no unified label for neutral, surprise, fear, sad, joyful, disgust: {REMEDY}",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.yaml: the file is empty: write the keys labels and corpora"),
        ("- a", "mine.yaml:1: the file is no table: write the keys labels and corpora"),
        ("labels: [a]", "mine.yaml: lacks 'corpora': write corpora: {meld: {joyful: happy, …}, …}"),
        ("corpora: {a: {b: c}}\nlabel: [c]", "mine.yaml: unknown key 'label': the keys are labels, corpora"),
        ("corpora: x", "mine.yaml:1: 'corpora' is no table: write corpora: {meld: {joyful: happy, …}, …}"),
        ("corpora: {}", "mine.yaml: 'corpora' is empty: write corpora: {meld: {joyful: happy, …}, …}"),
        ("corpora:\n  a: b", "mine.yaml:2: 'a' is no table: write a unified label behind each label"),
        ("corpora: {a: {b: [c]}}", "mine.yaml:1: a: b: is no label: write one text, or null to leave its turns unla"),
        ("corpora: {a: {b: c}}\nlabels: c", "mine.yaml:2: labels: is no list of labels: write labels: [calm, tense]"),
        ("corpora: {a: {b: c}}\nlabels: [[c]]", "mine.yaml:2: labels: is no list of labels"),
        ("corpora: {a: {b: c, b: d}}", "mine.yaml:1: 'a' has 'b' twice, first in line 1: keep one of them"),
        ("corpora: {a: {[b]: c}}", "mine.yaml:1: 'a' has a key that is no text"),
        ("corpora: {a: {b: null}}", "mine.yaml: unified labels are none: give at least one, each once"),
        ("corpora: {a: &x {b: c}, d: *x}", "mine.yaml: refers to another place with *: write the table out"),
        ("corpora: {a: {b: c}", "mine.yaml:1: is neither YAML nor JSON ("),
        ("[" * 5000 + "]" * 5000, "mine.yaml: is nested more than 8 deep: a mapping needs 3"),
        ("a: b\n---\nc: d", "mine.yaml:2: is neither YAML nor JSON ("),
        ("\x00", "mine.yaml: is neither YAML nor JSON ("),
        ("corpora: !!python/object/apply:os.system [ls]", "mine.yaml:1: 'corpora' is no table"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(text: str, message: str, tmp_path: Path) -> None:
    [fault] = faults(tmp_path, text)
    assert fault.startswith(message)
    assert "\n" not in fault


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"is not UTF-8 \(byte 1\): save it as UTF-8"):
        read_mapping(write(tmp_path, b"a\xff"))
    with pytest.raises(UnreadableFileError, match="has 300,000 characters, a mapping has 262,144 at most"):
        read_mapping(write(tmp_path, "#" * 300_000))
