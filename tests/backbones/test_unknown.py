"""A backbone that knows too little of the texts is told of."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.unknown import FEWEST, LARGEST_SHARE, sampled, unknown_notice, unknown_share
from instructerc.testing import tiny_llama
from tests.tiny_models import load

KNOWN, UNKNOWN = "great", "兴"


@pytest.fixture(scope="module")
def embedded() -> object:
    pytest.importorskip(PACKAGE, reason="the extra `offline` is not installed")
    return load("embedded")


def text_of(known: int, unknown: int) -> str:
    return " ".join([KNOWN] * known + [UNKNOWN] * unknown)


@pytest.mark.parametrize(("known", "unknown"), [(100, 0), (95, 5), (94, 6), (0, 100), (38, 2), (37, 3)])
def test_more_than_five_in_a_hundred_are_told_of(embedded, known: int, unknown: int) -> None:  # type: ignore[no-untyped-def]
    share = unknown / (known + unknown)
    assert unknown_share(embedded.tokenizer, [text_of(known, unknown)]) == pytest.approx(share)
    notice = unknown_notice(embedded, [text_of(known, 0), text_of(0, unknown)])
    assert (notice is not None) == (share > LARGEST_SHARE)
    if notice:
        assert notice.startswith(f"{share:.0%} of the tokens of these texts are unknown to the backbone embedded, ")


def test_a_few_tokens_are_no_sample(embedded) -> None:  # type: ignore[no-untyped-def]
    assert unknown_share(embedded.tokenizer, [UNKNOWN] * (FEWEST - 1)) == 0
    assert unknown_share(embedded.tokenizer, [UNKNOWN] * FEWEST) == 1
    assert unknown_share(embedded.tokenizer, []) == 0
    assert unknown_notice(embedded, []) is None


def test_a_byte_level_backbone_knows_every_text(tmp_path: Path) -> None:
    backbone = load(tiny_llama(tmp_path))
    assert unknown_share(backbone.tokenizer, ["兴👍 مرحبا"] * 50) == 0
    backbone.tokenizer.unk_token = None
    assert unknown_share(backbone.tokenizer, ["兴👍"] * 50) == 0


def test_the_sample_reaches_over_all_texts(embedded) -> None:  # type: ignore[no-untyped-def]
    texts = [KNOWN] * 5000 + [text_of(0, 1)] * 5000
    assert unknown_notice(embedded, texts) is not None


@given(st.integers(0, 5000), st.integers(1, 600))
def test_a_sample_is_spaced_and_no_larger_than_asked_for(size: int, count: int) -> None:
    taken = sampled([str(number) for number in range(size)], count)
    assert len(taken) == min(size, count)
    assert taken == sorted(set(taken), key=int)
    gaps = [int(second) - int(first) for first, second in zip(taken, [*taken[1:], str(size)], strict=False)]
    assert not gaps or max(gaps) - min(gaps) <= 1
