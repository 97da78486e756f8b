"""YAML: plain values, every key once, and no bombs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.errors import RecipeError
from instructerc.experiments.documents import read_document, read_value, write_document


def read(tmp_path: Path, text: str | bytes) -> dict[str, object]:
    file = tmp_path / "recipe.yaml"
    file.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return read_document(file).values


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{level}: &b{level} [{', '.join(['*a' if level == 0 else f'*b{level - 1}'] * 9)}]\n" for level in range(9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("- a\n", ":1: is no mapping of keys"),
        ("name: [a\n", "is no valid YAML: while parsing a flow sequence"),
        ("name: a\n\tb: c\n", ":2: is no valid YAML"),
        (b"name: caf\xe9\n", "is not UTF-8 (byte 9)"),
        ("name: a\x01b\n", "is no valid YAML: unacceptable character #x0001"),
        ("name: !!python/object/apply:os.system ['true']\n", ":1: the tag 'tag:yaml.org,2002:python/object/apply"),
        ("name: !mine x\n", ":1: the tag '!mine' is refused"),
        ("a: &a\n  b: *a\n", ":2: is no valid YAML: the anchor 'a' holds itself"),
        ("a: *b\n", ":1: is no valid YAML: found undefined alias"),
        ("a: " + "[" * 5000 + "]" * 5000, ":1: nests more than 16 levels"),
        ("a: " + "b" * 300_000, "holds 300003 characters"),
        (BOMB, ":3: uses more than 16 aliases"),
        ("? [a]\n: b\n", ":1: a key must be a word"),
        ("a: 1\n---\nb: 2\n", ":2: is no valid YAML: expected a single document"),
        ("a: " + "9" * 5000, "is no number that can be read"),
    ],
)
def test_a_wrong_file_is_one_clear_error(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(RecipeError) as raised:
        read(tmp_path, text)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_every_doubled_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as raised:
        read(tmp_path, "name: a\ntraining:\n  epochs: 1\n  epochs: 2\nname: b\n")
    file = tmp_path / "recipe.yaml"
    assert raised.value.violations == (
        f"{file}:4: training.epochs: stands twice, first in line 3: remove one of the two",
        f"{file}:5: name: stands twice, first in line 1: remove one of the two",
    )


def test_keys_know_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("name: a\n\ntraining:\n  # more\n  epochs: 1\n", encoding="utf-8")
    assert read_document(file).lines == {"name": 1, "training": 3, "training.epochs": 5}


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfname: a\r\nseed: 3\r\n") == {"name": "a", "seed": 3}


def test_an_honest_alias_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &l [1, 2]\nb: *l\n") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("2E5", 2e5),
        (".5", 0.5),
        ("-3", -3),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("~", None),
        ("", None),
        ("'3'", "3"),
        ("[a, 1]", ["a", 1]),
        ("{a: 1}", {"a": 1}),
        (r"C:\models\mine", r"C:\models\mine"),
    ],
)
def test_values_are_read_by_the_rules_of_yaml_1_2(text: str, value: object) -> None:
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
    | st.sampled_from(["no", "1e-4", "0x1F", "1_000", "null", "2024-01-01", "=", "<<", "12:30:45", "-", "*a", "&b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcé~1 ", min_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(values=st.dictionaries(st.sampled_from(["name", "a b", "1", "null", "é"]), VALUES, min_size=1))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, object]) -> None:
    file = tmp_path_factory.mktemp("documents") / "recipe.yaml"
    file.write_text(write_document(values), encoding="utf-8")
    assert read_document(file).values == values
