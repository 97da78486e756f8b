"""One target under the fuzzer, in a process of its own: what benchmarks/fuzz.py starts.

python benchmarks/fuzz_target.py NAME SECONDS FOLDER

Nothing of ours may be loaded before it is instrumented, so this file imports as little as it can.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    """Never returns: libFuzzer ends the process. What it finds lies in the folder."""
    name, seconds, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    with atheris.instrument_imports(include=["instructerc"]):
        from tests.hostile import TARGETS
    target = TARGETS[name]
    corpus, place = folder / "corpus", folder / "place"
    for path in (corpus, place):
        path.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed)
    limits = [f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=20", "-max_len=20000"]
    options = [*limits, f"-artifact_prefix={folder}/", "-print_final_stats=1", "-seed=1", str(corpus)]
    atheris.Setup([sys.argv[0], *options], lambda content: target.read(content, place))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
