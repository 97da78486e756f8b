"""Names of columns, as the command line takes them."""

from __future__ import annotations

import pytest

from instructerc.corpora.columns import Columns, parse_columns
from instructerc.errors import UnknownNameError, UsageError


def test_pairs_replace_defaults_and_a_name_may_hold_equal_signs() -> None:
    assert parse_columns(["text=a=b", "turn=", "split="]) == Columns(text="a=b", turn=None, split=None)


@pytest.mark.parametrize("pair", ["text", "text=", "speaker="])
def test_a_pair_that_names_nothing_is_refused(pair: str) -> None:
    with pytest.raises(UsageError, match=pair):
        parse_columns([pair])


def test_an_unknown_role_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'emotion'"):
        parse_columns(["emotions=x"])
