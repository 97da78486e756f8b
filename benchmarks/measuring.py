"""What the benchmarks share: clocks, tables, and the small files that docs/benchmarks.md is made from."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import shlex
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from instructerc.conversation import Corpus
from instructerc.corpora import load_corpus

SHARED_VARIABLE = "INSTRUCTERC_SHARED"
"""Names the folder that holds data/meld and data/emorynlp."""

PACKAGES = ("instructerc", "torch", "transformers", "tokenizers", "numpy")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        key: Where its value stands in a row.
        heading: What people read.
        spec: How the value is formatted; texts as they are.
        unit: Stands behind the value.
    """

    key: str
    heading: str
    spec: str = ""
    unit: str = ""

    def cell(self, row: Row) -> str:
        """The value of a row as people read it; empty where there is none."""
        value = row.get(self.key)
        if value is None or isinstance(value, str):
            return value or ""
        return f"{value:{self.spec}}{self.unit}"


@dataclass(frozen=True, slots=True)
class Elapsed:
    """How long something took.

    Attributes:
        wall: Seconds on the clock.
        processor: Seconds of this process on all cores: what remains of a time on a machine that others use as well.
    """

    wall: float
    processor: float


class Stopwatch:
    """Measures wall and processor time of what stands in its `with`.

    On a GPU what was asked for is waited for on both ends: it runs while Python goes on.
    """

    elapsed: Elapsed

    def __enter__(self) -> Stopwatch:
        wait_for_device()
        self._wall, self._processor = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        wait_for_device()
        self.elapsed = Elapsed(time.perf_counter() - self._wall, time.process_time() - self._processor)


def wait_for_device() -> None:
    """Waits for what a GPU still computes."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def memory(process: int) -> float | None:
    """Resident memory of a process, in MiB; None where it has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return None if found is None else int(found[1]) / 1024


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return float(statistics.median(values))


def parser_of(description: str | None, *, threads: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the rows here, as a small file")
    if threads:
        parser.add_argument("--threads", type=int, default=1, help="cores that torch may use (1)")
    return parser


def use_threads(count: int) -> None:
    """Holds torch to so many cores."""
    import torch

    from instructerc.backbones.loading import quiet_transformers

    quiet_transformers()
    torch.set_num_threads(count)


def corpus_of(name: str, folder: Path | None = None) -> Corpus | None:
    """A corpus, by name or path; None where neither `folder` nor INSTRUCTERC_SHARED says where its files are."""
    if name == "sample" or Path(name).exists():
        return load_corpus(name)
    shared = os.environ.get(SHARED_VARIABLE)
    if folder is None and not shared:
        print(
            f"{name}: left out, since neither --folder nor {SHARED_VARIABLE} says where its files are", file=sys.stderr
        )
        return None
    return load_corpus(name, folder=folder or Path(str(shared)) / "data" / name)


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Prints a table: texts to the left, figures to the right."""
    cells = [[column.heading for column in columns], *([column.cell(row) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = [all(isinstance(row.get(column.key), str | None) for row in rows) for column in columns]
    for line in cells:
        parts = zip(line, widths, left, strict=True)
        print("  ".join(text.ljust(width) if texts else text.rjust(width) for text, width, texts in parts).rstrip())


def finish(
    arguments: argparse.Namespace,
    argv: Sequence[str] | None,
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    notes: Sequence[str] = (),
) -> None:
    """Prints the rows, and writes them where `--json` says."""
    print_table(columns, rows)
    for note in notes:
        print(note)
    if arguments.json:
        threads = getattr(arguments, "threads", None)
        write_record(arguments.json, columns, rows, command=command_line(argv), threads=threads, notes=notes)


def write_record(
    path: Path,
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    command: str,
    threads: int | None,
    notes: Sequence[str] = (),
) -> None:
    """Writes what a page is made from: rows, their columns, and where they come from."""
    record: Mapping[str, Any] = {
        "command": command,
        "machine": {"device": device_name(), "cores": os.cpu_count(), "threads": threads, "system": platform.system()},
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "columns": [asdict(column) for column in columns],
        "rows": [_rounded(row) for row in rows],
        "notes": list(notes),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _rounded(row: Row) -> Row:
    """Six significant digits are more than any clock has."""
    return {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in row.items()}


def device_name() -> str:
    """What computes."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "CPU"


def command_line(argv: Sequence[str] | None) -> str:
    """The command as another would type it: whole paths are those of one machine, and keep their last part only."""
    given = list(sys.argv[1:] if argv is None else argv)
    if "--json" in given:
        place = given.index("--json")
        del given[place : place + 2]
    main = sys.modules["__main__"] if argv is None else None
    name = Path(getattr(main, "__file__", None) or "benchmark.py").name
    words = [Path(word).name if Path(word).is_absolute() else word for word in given]
    return shlex.join(["python", f"benchmarks/{name}", *words])
