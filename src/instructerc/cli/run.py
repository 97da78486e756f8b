"""`instructerc run`: one recipe, from data to report."""

from __future__ import annotations

import json as json_module
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from instructerc.cli.recipes import complete_recipe
from instructerc.errors import UsageError

if TYPE_CHECKING:
    from instructerc.experiments.resolve import Resolved
    from instructerc.experiments.run import RunResult
    from instructerc.experiments.watching import RunWatcher


def run(
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE", help="Name of a recipe, or a YAML file.", autocompletion=complete_recipe),
    ],
    *,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a value, e.g. training.epochs=3. Repeatable."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print each effective value and its origin; run nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Load data, count, show prompts, estimate memory; train nothing.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in the folder.")] = False,
    batching: Annotated[
        str | None, typer.Option("--batching", metavar="auto|tree|padded", help="As --set training.batching=…")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N,N,…", help="Run once a seed; report mean and deviation.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Run folder.")] = None,
    log: Annotated[
        str, typer.Option("--log", metavar="text|json", help="What stderr shows: lines and bars, or an event a line.")
    ] = "text",
    auto_batch: Annotated[
        bool, typer.Option("--auto-batch", help="Where memory runs out, halve the passes and go on.")
    ] = False,
    launch: Annotated[
        str | None,
        typer.Option("--launch", metavar="accelerate|torchrun", help="Train in several processes of this machine."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option("--processes", metavar="N", help="With --launch: how many; default one a GPU.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            metavar="NAME",
            help="With --launch accelerate: data-parallel (default), zero2, zero3, zero3-offload, fsdp2, or a file of "
            "accelerate config.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train, choose an epoch on validation, evaluate and report, as a recipe says.

    Examples: `instructerc run quickstart`, `instructerc run mine.yaml --set training.learning_rate=1e-4 --explain`.
    """
    from instructerc.experiments.resolve import resolve, with_seed

    given = list(overrides or ())
    if batching is not None:
        given.append(f"training.batching={batching}")
    if auto_batch:
        given.append("training.auto_batch=true")
    if out is not None:
        # As JSON, so that a folder named `true` or `a: b` stays a text.
        given.append(f"output.folder={json_module.dumps(str(out))}")
    resolved = resolve(recipe, given)
    runs = [resolved] if seeds is None else [with_seed(resolved, seed) for seed in parse_seeds(seeds)]
    if explain:
        _print_explanation(runs[0], json=json)
        return
    if dry_run:
        _print_dry_run(runs[0], json=json)
        return
    if launch is None and (processes is not None or strategy is not None):
        raise UsageError("--processes and --strategy say how several processes are started: add --launch accelerate")
    if launch is not None:
        if log != "text":
            raise UsageError("--log json with --launch: events of the run are in its folder, in events.jsonl")
        _launch_all(runs, launch, processes, strategy, resume=resume, json=json)
        return
    _run_all(runs, resume=resume, json=json, watching=_watching(log))


def _watching(log: str) -> Callable[[], AbstractContextManager[RunWatcher]]:
    from instructerc.cli.progress import json_watcher, terminal_watcher

    kinds: dict[str, Callable[[], AbstractContextManager[RunWatcher]]] = {
        "text": terminal_watcher,
        "json": json_watcher,
    }
    if log not in kinds:
        raise UsageError(f"--log {log}: choose one of {', '.join(kinds)}")
    return kinds[log]


def parse_seeds(text: str) -> list[int]:
    """Seeds out of `1,2,3`.

    Raises:
        UsageError: Something in it is no whole number >= 0, or stands twice.

    Example:
        >>> parse_seeds("1, 2,3")
        [1, 2, 3]
    """
    parts = [part.strip() for part in text.split(",")]
    wrong = [part for part in parts if not (part.isascii() and part.isdigit() and int(part) < 2**32)]
    if wrong or len(set(map(int, parts))) < len(parts):  # 01 is 1
        fault = f"{', '.join(map(repr, wrong))} is no seed" if wrong else "a seed stands twice"
        raise UsageError(f"--seeds {text!r}: {fault}: write different whole numbers, such as --seeds 1,2,3")
    return [int(part) for part in parts]


def _print_explanation(resolved: Resolved, *, json: bool) -> None:
    from instructerc.experiments.resolve import explain

    rows = [row.to_json() for row in explain(resolved)]
    if json:
        typer.echo(json_module.dumps(rows, indent=2, ensure_ascii=False))
        return
    from instructerc.cli.tables import text_table

    # The value comes last: it may be long, and then pushes nothing aside.
    cells = [(row["key"], row["origin"], json_module.dumps(row["value"], ensure_ascii=False)) for row in rows]
    typer.echo(text_table([("key", "origin", "value"), *cells]))


def _print_dry_run(resolved: Resolved, *, json: bool) -> None:
    from instructerc.experiments.dry_run import dry_run

    found = dry_run(resolved)
    typer.echo(json_module.dumps(found.to_json(), indent=2, ensure_ascii=False) if json else found.to_text())


def _launch_all(
    runs: Sequence[Resolved], launcher: str, processes: int | None, strategy: str | None, *, resume: bool, json: bool
) -> None:
    """Starts the processes of each run, once nothing speaks against any of them."""
    from instructerc.cli.progress import terminal_watcher
    from instructerc.experiments.launching import (
        DATA_PARALLEL,
        Launch,
        gpu_count,
        launch_run,
        processes_of,
        require_hardware,
    )
    from instructerc.experiments.run import prepare_run

    if json and len(runs) > 1:
        raise UsageError("--json with --launch and --seeds: each run prints its own: give one seed")
    gpus = gpu_count()
    launch = Launch(launcher=launcher, processes=processes_of(processes, gpus), strategy=strategy or DATA_PARALLEL)
    require_hardware(launch, gpus)
    _refuse_taken(runs, resume=resume)
    for resolved in runs:
        with terminal_watcher() as watcher:
            prepare_run(resolved, watcher=watcher)
            watcher.phase(f"starting {launch.processes} processes with {launcher} ({launch.strategy})")
        launch_run(launch, resolved, resume=resume, json=json)


def _refuse_taken(runs: Sequence[Resolved], *, resume: bool) -> None:
    """The last of several runs shall not fail after hours of the others."""
    from instructerc.experiments.folder import refuse_taken

    for resolved in runs:
        folder = resolved.recipe.output.folder
        if not resume and folder is not None:
            refuse_taken(folder)


def _run_all(
    runs: Sequence[Resolved],
    *,
    resume: bool,
    json: bool,
    watching: Callable[[], AbstractContextManager[RunWatcher]],
) -> None:
    from instructerc.experiments.run import run_recipe
    from instructerc.reporting.figures import marked
    from instructerc.training.ranks import Ranks

    if not Ranks.here().first:  # one of several processes that train: the first one is the run
        from instructerc.experiments.run import help_train

        for resolved in runs:
            help_train(resolved, resume=resume)
        return
    _refuse_taken(runs, resume=resume)
    results = []
    for resolved in runs:
        with watching() as watcher:
            result = run_recipe(resolved, resume=resume, watcher=watcher)
        results.append(result)
        if not json:
            shown = f"seed {resolved.recipe.seed}  context {resolved.recipe.window.context}  {result.folder}"
            typer.echo(f"W-F1 {marked(f'{100 * result.weighted_f1:.2f}', result.marks)}  {shown}")
            for name, figure in result.sources.items():
                typer.echo(f"     {100 * figure:.2f}  on {name}")
            for name, figure in result.baselines.items():
                typer.echo(f"     {100 * figure:.2f}  {name}")
    if json:
        typer.echo(json_module.dumps(_summary(results), indent=2, ensure_ascii=False))
    elif len(results) > 1:
        mean, deviation = _spread(results)
        spread = marked(f"{100 * mean:.2f} ± {100 * deviation:.2f}", results[0].marks)
        typer.echo(f"W-F1 {spread}  mean and deviation of {len(results)} seeds")


def _summary(results: Sequence[RunResult]) -> dict[str, Any]:
    if len(results) == 1:
        return dict(results[0].to_json())
    mean, deviation = _spread(results)
    runs = [result.to_json() for result in results]
    return {"weighted_f1": {"mean": mean, "deviation": deviation}, "runs": runs}


def _spread(results: Sequence[RunResult]) -> tuple[float, float]:
    figures = [float(result.weighted_f1) for result in results]
    # Sample deviation (n - 1): the seeds are a sample.
    return statistics.mean(figures), statistics.stdev(figures)
