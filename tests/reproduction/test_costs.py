from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.experiments.resolve import resolve
from instructerc.reproduction.costs import EMBEDDED_SECONDS, passes_of, seconds_per_pass
from instructerc.reproduction.grid import Request, expand
from instructerc.reproduction.overview import cost_of, overview
from instructerc.reproduction.reading import read_table, table_names
from instructerc.reproduction.results import Results
from instructerc.reproduction.running import status_of
from tests.reproduction.examples import result

STAGES = (
    "stages=[{name: a, tasks: {speaker_identification: 1}, epochs: 3}, "
    "{name: b, tasks: {recognition: 1, prediction: 0.1}}]"
)


@pytest.mark.parametrize(
    ("overrides", "examples"),
    [
        ((), 4 * 9989),
        (("training.epochs=1", "data.fraction=0.5"), 9989 / 2),
        ((STAGES,), (3 + 2 * 4) * 9989),
        (("data.corpus=[meld, emorynlp]", "data.unify=released"), 4 * (9989 + 7551)),
        (("data.limit=519",), 4 * 9989 / 2),
        (("adapter.method=none",), 0),
        (("data.corpus=chats/",), None),
    ],
)
def test_what_is_learned_from_is_counted(overrides: tuple[str, ...], examples: float | None) -> None:
    assert passes_of(resolve("meld", overrides)) == examples


def test_a_rate_is_that_of_finished_cells_of_the_backbone() -> None:
    other = result("single", {"meld": 0.5}, setting={"backbone.name": "llama2-7b"}, seconds=5.0, passes=1.0)
    own = [result("single", {"meld": 0.5}, seconds=seconds, passes=100.0) for seconds in (30.0, 10.0)]
    assert seconds_per_pass([other, *own], "embedded") == (0.2, True)
    tried = result("single", {"meld": 0.5}, setting={"data.limit": 3}, seconds=50.0, passes=1.0)
    assert seconds_per_pass([*own, tried], "embedded") == (0.2, True)
    assert seconds_per_pass([other], "embedded") == (EMBEDDED_SECONDS, False)
    assert seconds_per_pass([other, *own], "llama2-7b") == (5.0, True)
    assert seconds_per_pass([], "llama2-7b") == (None, False)


def test_runs_that_cells_share_cost_once(tmp_path: Path) -> None:
    table = read_table("ablation")
    results = Results(tmp_path)

    def cost(*rows: str) -> tuple[float | None, float | None, bool]:
        found = expand(table, Request(corpora=("meld",), rows=rows))
        return cost_of([status_of(cell, results) for cell in found], results)

    passes, hours, measured = cost("full", "without-lora")
    assert passes == cost("full")[0] == (3 + 2 * 4) * 9989
    assert hours == pytest.approx(11 * 0.1)
    assert not measured


def test_every_table_has_its_line(tmp_path: Path) -> None:
    lines = {line.table: line for line in overview(Request(corpora=("meld", "emorynlp"), results=tmp_path))}
    assert tuple(lines) == table_names()
    assert (lines["ablation"].cells, lines["ablation"].done, lines["ablation"].refused) == (12, 0, 0)
    assert lines["unified"].cells == 7 * (4 + 2)
    assert lines["zero-shot"].passes == lines["zero-shot"].hours == 0
    assert not any(line.measured and line.passes for line in lines.values())


def test_what_nobody_measured_has_no_hours(tmp_path: Path) -> None:
    results = Results(tmp_path)
    cells = expand(read_table("plain"), Request(backbone="llama2-7b", corpora=("meld",)))
    assert cost_of([status_of(cell, results) for cell in cells], results) == (6 * 9989, None, False)
