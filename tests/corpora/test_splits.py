"""How one labelled file is cut in three."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from instructerc.corpora.splits import assign_splits

IDS = st.lists(st.text(min_size=1), unique=True, max_size=60)


@given(IDS, st.randoms())
def test_the_cut_depends_on_the_ids_alone(ids: list[str], random: object) -> None:
    shuffled = list(ids)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert assign_splits(shuffled) == assign_splits(ids)


@given(IDS.filter(lambda ids: len(ids) >= 3))
def test_no_part_is_empty_and_the_shares_are_kept(ids: list[str]) -> None:
    counts = Counter(assign_splits(ids).values())
    tenth = max(1, round(len(ids) / 10))
    assert (counts["test"], counts["validation"], counts["train"]) == (tenth, tenth, len(ids) - 2 * tenth)


def test_fewer_than_three_are_all_trained_on() -> None:
    assert assign_splits(["a", "b"]) == {"a": "train", "b": "train"}


def test_the_cut_is_the_same_on_every_machine() -> None:
    found = assign_splits(str(number) for number in range(20))
    assert sorted(name for name, split in found.items() if split == "test") == ["8", "9"]
    assert sorted(name for name, split in found.items() if split == "validation") == ["13", "17"]
    assert Counter(found.values()) == {"train": 16, "validation": 2, "test": 2}
