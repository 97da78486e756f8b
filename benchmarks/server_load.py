"""What a server withstands: many clients at once on loopback, mixed sizes, for half a minute.

python benchmarks/server_load.py [--clients 64] [--seconds 30] [--json benchmarks/results/server-load.json]

Starts `instructerc serve` with the model that ships as a process of its own, lets clients ask without a pause, and adds
up: answers by status, turns a second, seconds to the answer (median, 95 %, 99 %), requests read together, and the
server's memory before, half way and at the end. One client in four follows a live conversation, a turn at a time; the
others send one conversation of 1 to 40 turns. A second round does the same against a queue of 64 turns, where refusals
(429) are what the limits promise.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx

from measuring import Column, finish, memory, parser_of

LINES = (
    "How can I help?",
    "My parcel was due on Monday. It is Friday.",
    "I gave the number to your colleague twice already!",
    "I am sorry to hear that. May I have it once more, please?",
    "Oh! That is wonderful, thank you so much.",
    "No.",
    "Well, I waited at home all day, nobody rang, and in the evening there was a note that nobody had been at home.",
)


class Load:
    """What clients met with."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.seconds: dict[str, list[float]] = {"conversations": [], "live turns": []}
        self.turns = 0

    async def ask(self, client: httpx.AsyncClient, path: str, body: Any, turns: int) -> Any:
        """One request; returns its answer where there is one."""
        began = time.monotonic()
        response = await client.post(path, json=body)
        self.statuses[response.status_code] += 1
        if response.status_code == 429:
            await asyncio.sleep(float(response.headers["retry-after"]))
        if not response.is_success:
            return None
        if turns:
            kind = "conversations" if path == "/v1/recognize" else "live turns"
            self.seconds[kind].append(time.monotonic() - began)
        self.turns += turns
        return response.json()


def said(draw: random.Random) -> dict[str, str]:
    return {"speaker": draw.choice(("Agent", "Ines")), "text": draw.choice(LINES)}


async def whole(load: Load, client: httpx.AsyncClient, draw: random.Random, until: float) -> None:
    while time.monotonic() < until:
        turns = [said(draw) for _ in range(min(40, int(draw.expovariate(1 / 8)) + 1))]
        await load.ask(client, "/v1/recognize", {"conversations": [{"turns": turns}]}, len(turns))


async def live(load: Load, client: httpx.AsyncClient, draw: random.Random, until: float) -> None:
    while time.monotonic() < until:
        opened = await load.ask(client, "/v1/sessions", {}, 0)
        if opened is None:
            continue
        for _ in range(draw.randint(5, 30)):
            if time.monotonic() >= until:
                break
            await load.ask(client, f"/v1/sessions/{opened['id']}/turns", said(draw), 1)
        await client.delete(f"/v1/sessions/{opened['id']}")


async def clients(url: str, process: int, *, count: int, seconds: float) -> dict[str, Any]:
    load = Load()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        await client.post("/v1/recognize", json={"conversations": [{"turns": [said(random.Random(0))] * 40}]})
        memories = [memory(process)]
        began = time.monotonic()
        until = began + seconds
        tasks = [
            asyncio.create_task((live if number % 4 == 0 else whole)(load, client, random.Random(number), until))
            for number in range(count)
        ]
        await asyncio.sleep(seconds / 2)
        memories.append(memory(process))
        await asyncio.gather(*tasks)
        passed = time.monotonic() - began
        memories.append(memory(process))
        text = (await client.get("/metrics")).text
    batches, requests = (float(re.findall(rf"^{name} (\S+)", text, re.MULTILINE)[0]) for name in (
        "instructerc_batches", "instructerc_batched_requests"))  # fmt: skip
    row: dict[str, Any] = {
        "clients": count,
        "seconds": passed,
        "answered": sum(number for status, number in load.statuses.items() if status < 300),
        "refused": load.statuses[429],
        "failed": sum(number for status, number in load.statuses.items() if status >= 300 and status != 429),
        "turns": load.turns / passed,
        "together": requests / batches,
    }
    for kind, seconds_ in load.seconds.items():
        cuts = statistics.quantiles(seconds_, n=100)
        row |= {f"{kind} p50": cuts[49], f"{kind} p99": cuts[98]}
    for name, level in zip(("start", "half", "end"), memories, strict=True):
        row[f"memory {name}"] = level
    return row


def measured(*options: str, count: int, seconds: float) -> dict[str, Any]:
    """Starts a server, lets the clients in, ends it."""
    command = [sys.executable, "-m", "instructerc", "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    url = next(line.split()[2] for line in process.stderr if line.startswith("listening at "))
    drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
    try:
        found = asyncio.run(clients(url, process.pid, count=count, seconds=seconds))
    finally:
        process.terminate()
        process.wait()
        drain.wait()
    return found


COLUMNS = (
    Column("queue", "turns that may wait"),
    Column("clients", "clients"),
    Column("seconds", "lasted", ".0f", " s"),
    Column("answered", "answered", ","),
    Column("refused", "refused (429)", ","),
    Column("failed", "failed"),
    Column("turns", "turns a second", ".1f"),
    Column("together", "requests a batch", ".1f"),
    Column("conversations p50", "conversations, p50", ".2f", " s"),
    Column("conversations p99", "p99", ".2f", " s"),
    Column("live turns p50", "live turns, p50", ".2f", " s"),
    Column("live turns p99", "p99", ".2f", " s"),
    Column("memory start", "memory, start", ",.0f", " MiB"),
    Column("memory half", "half way", ",.0f", " MiB"),
    Column("memory end", "end", ",.0f", " MiB"),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a queue."""
    parser = parser_of(__doc__)
    parser.set_defaults(threads=2)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    rows = []
    for queue in (8_192, 64):
        found = measured("--max-queue", str(queue), count=given.clients, seconds=given.seconds)
        rows.append({"queue": queue, **found})
    finish(given, argv, COLUMNS, rows)


if __name__ == "__main__":
    main()
