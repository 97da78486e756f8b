"""`instructerc plan`: what labelling so many turns would take."""

from __future__ import annotations

import json as json_module
from itertools import islice
from typing import Annotated, Any

import typer

SAMPLE = 200
"""Conversations that are counted, at most."""


def plan(
    *,
    turns: Annotated[float, typer.Option("--turns", metavar="N", help="Turns to be labelled, such as 1e9.")],
    backbone: Annotated[
        str, typer.Option("--backbone", metavar="NAME", help="A name of `instructerc backbones ls`.")
    ] = "embedded",
    parameters: Annotated[
        float | None, typer.Option("--parameters", metavar="N", help="Of a model that has no name there, such as 7e9.")
    ] = None,
    gpu: Annotated[
        str | None, typer.Option("--gpu", metavar="NAME", help="Such as h100; a wrong one lists all.")
    ] = None,
    gpus: Annotated[int, typer.Option("--gpus", metavar="N", min=1, help="How many of it.")] = 1,
    utilisation: Annotated[
        float | None,
        typer.Option("--utilisation", metavar="P", help="Share of its peak that is reached. [default: 0.3]"),
    ] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", metavar="N", help="Tokens a second of one device, as you measured them.")
    ] = None,
    price: Annotated[float | None, typer.Option("--price", metavar="X", help="Of an hour of one device.")] = None,
    sample: Annotated[
        str, typer.Option("--sample", metavar="FILE|NAME", help="Conversations to count tokens on.")
    ] = "sample",
    wording: Annotated[str, typer.Option("--wording", metavar="NAME", help="Of the prompts.")] = "compact-repeated",
    window: Annotated[int, typer.Option("--window", metavar="N", min=0, help="Turns of history.")] = 12,
    stride: Annotated[int, typer.Option("--stride", metavar="N", min=1, help="Of the window.")] = 4,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate GPU hours and cost of labelling so many turns, with token trees and without, and show how.

    Tokens are counted on a sample; the speed is arithmetic, unless --speed gives what you measured.
    Example: `instructerc plan --turns 1e9 --backbone qwen3-0.6b --gpu h100 --price 2.50`.
    """
    from instructerc.scale.planning import UTILISATION, count_tokens, estimate

    tokenizer, name = _tokenizer(backbone)
    count = count_tokens(_sample(sample), _spec(wording, window, stride), tokenizer, longest=_longest(backbone))
    size = int(parameters) if parameters is not None else _parameters(backbone)
    found: dict[str, Any] = {
        way: estimate(
            turns=turns,
            tokens_per_turn=tokens / count.turns,
            parameters=size,
            device=gpu,
            devices=gpus,
            utilisation=UTILISATION if utilisation is None else utilisation,
            tokens_per_second=speed,
            price=price,
        )
        for way, tokens in (("as token trees", count.trees), ("every prompt by itself", count.alone))
    }
    if json:
        record = {way: one.to_json() for way, one in found.items()}
        typer.echo(json_module.dumps({**record, "counted": count.turns, "tokenizer": name}, indent=2))
        return
    typer.echo(f"Tokens a turn: counted on {count.turns:,} turns of {sample}, with the tokenizer of {name}")
    for way, one in found.items():
        typer.echo(f"\n{way}:\n" + "\n".join(f"  {line}" for line in one.lines()))
    if speed is None:
        typer.echo("\nThe speed is arithmetic, not a measurement: measure one hour's work, and give --speed.")


def _tokenizer(backbone: str) -> tuple[Any, str]:
    """Its own where it is at hand; else that of the embedded one, which counts about as many."""
    import logging

    from instructerc.backbones.loading import load_tokenizer, quiet_transformers
    from instructerc.errors import InstructERCError

    quiet_transformers()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return load_tokenizer(backbone)[0], backbone
    except InstructERCError:
        return load_tokenizer("embedded")[0], "embedded (that of the backbone is not at hand)"


def _sample(sample: str) -> Any:
    from pathlib import Path

    from instructerc.corpora import load_conversations, load_corpus

    if Path(sample).exists():
        return islice(load_conversations(sample), SAMPLE)
    return islice(load_corpus(sample).train, SAMPLE)


def _spec(wording: str, window: int, stride: int) -> Any:
    from instructerc.labels import EKMAN
    from instructerc.prompts import PromptSpec, Window

    return PromptSpec(labels=EKMAN.labels, wording=wording, window=Window(size=window, stride=stride))


def _parameters(backbone: str) -> int:
    from instructerc.backbones.presets import PRESETS
    from instructerc.errors import UnknownNameError

    if backbone not in PRESETS:
        raise UnknownNameError("backbone", backbone, PRESETS)
    return PRESETS[backbone].parameters


def _longest(backbone: str) -> int:
    from instructerc.backbones.presets import PRESETS

    return PRESETS[backbone].context if backbone in PRESETS else 4096
