"""How long `instructerc --help` takes, beside starting Python alone.

python benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 15
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import instructerc": [sys.executable, "-c", "import instructerc"],
    "instructerc --help": [sys.executable, "-m", "instructerc", "--help"],
    "instructerc run --help": [sys.executable, "-m", "instructerc", "run", "--help"],
}


def median_seconds(command: list[str]) -> float:
    """Median wall time of a command, after one run that fills the caches."""
    seconds = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def main() -> None:
    """Prints the median of each command."""
    for name, command in COMMANDS.items():
        print(f"{median_seconds(command):6.3f} s  {name}")


if __name__ == "__main__":
    main()
