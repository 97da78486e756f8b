"""`instructerc predict --engine ray`: a folder, partition by partition, by many workers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from instructerc.scale.labelling import Done
    from instructerc.scale.ray_engine import ScaleSettings


def predict_with_ray(source: str, out: str, settings: ScaleSettings, *, address: str | None) -> int:
    """Labels, says how it goes on, and returns the exit code."""
    from instructerc.cli.predict import SET_ASIDE
    from instructerc.scale.ray_engine import label_with_ray

    began = time.monotonic()
    turns = done_here = 0

    def told(done: Done) -> None:
        nonlocal turns, done_here
        done_here += 1
        turns += done.turns
        rate = turns / max(time.monotonic() - began, 1e-9)
        fault = f": {done.fault}" if done.fault else ""
        typer.echo(f"{done.name}: {done.turns:,} turns{fault}; {turns:,} in all, {rate:,.0f} a second", err=True)

    summary = label_with_ray(source, out, settings, address=address, progress=told)
    before = f", {summary.resumed:,} of them from before" if summary.resumed else ""
    typer.echo(
        f"{out}: {summary.turns:,} turns of {summary.conversations:,} conversations in {summary.partitions:,} "
        f"partitions{before}",
        err=True,
    )
    if summary.set_aside:
        typer.echo(f"{summary.set_aside:,} faults of the input: see the files *.errors.jsonl there", err=True)
    for fault in summary.unreadable:
        typer.echo(f"not read: {fault}", err=True)
    return SET_ASIDE if summary.set_aside or summary.unreadable else 0
