"""`instructerc backbones`: the backbones that have a name, and whether one is usable here."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from instructerc.backbones.inspection import Inspection
    from instructerc.backbones.memory import Memory
    from instructerc.backbones.presets import Preset

app = typer.Typer(
    add_completion=False,
    help="List backbones, and say what one needs and whether it fits.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

HUB = "https://huggingface.co"


def complete_backbone(incomplete: str) -> list[str]:
    """Names of backbones that begin with what was typed: for the shell's completion."""
    from instructerc.backbones.presets import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]


@app.command("ls")
def list_backbones(*, json: Json = False) -> None:
    """List the backbones that have a name.

    Memory is that of a GPU which computes in bfloat16, with the defaults of a recipe; `show` has the arithmetic.
    """
    from instructerc.backbones.inspection import ALL, LORA, LORA_4BIT, parameters_text
    from instructerc.backbones.presets import PRESETS

    if json:
        typer.echo(json_module.dumps([_record(preset) for preset in PRESETS.values()], indent=2, ensure_ascii=False))
        return
    from instructerc.backbones.inspection import preset_memory
    from instructerc.cli.tables import text_table

    rows: list[tuple[str, ...]] = [("name", "parameters", "reads", "prompts", LORA, LORA_4BIT, ALL, "gated", "for")]
    for preset in PRESETS.values():
        memory = preset_memory(preset)
        rows.append(
            (
                preset.name,
                parameters_text(preset.parameters),
                "trees" if preset.trees else "batches",
                preset.style,
                *(_size(memory, use) for use in (LORA, LORA_4BIT, ALL)),
                "yes" if preset.gated else "no",
                preset.note,
            )
        )
    typer.echo(text_table(rows, right=(1, 4, 5, 6)))


def _size(memory: Any, use: str) -> str:
    from instructerc.backbones.memory import size_text

    return size_text(memory[use].total) if use in memory else "-"


def _record(preset: Preset) -> dict[str, Any]:
    from instructerc.backbones.inspection import preset_memory

    memory = {use: found.to_json() for use, found in preset_memory(preset).items()}
    return {**asdict(preset), "targets": list(preset.targets), "memory": memory}


@app.command("show")
def show_backbone(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a backbone.", autocompletion=complete_backbone)],
    *,
    json: Json = False,
) -> None:
    """Print all that is known of a backbone, and the arithmetic of its memory."""
    from instructerc.backbones.presets import PRESETS
    from instructerc.errors import UnknownNameError

    if name not in PRESETS:
        raise UnknownNameError("backbone", name, PRESETS)
    preset = PRESETS[name]
    if json:
        typer.echo(json_module.dumps(_record(preset), indent=2, ensure_ascii=False))
        return
    from instructerc.backbones.inspection import preset_memory
    from instructerc.cli.tables import text_table

    typer.echo(text_table(preset_lines(preset)))
    for use, memory in preset_memory(preset).items():
        typer.echo(f"\n{use}, on a GPU in bfloat16:\n{_arithmetic(memory)}")


def preset_lines(preset: Preset) -> list[tuple[str, str]]:
    """What the table says of a backbone, as names and values."""
    packaged = preset.source == "package"
    revision = preset.revision or "not pinned: pin one yourself with backbone.revision"
    return [
        ("name", preset.name),
        ("for", preset.note),
        ("source", "comes with a package, offline" if packaged else f"{HUB}/{preset.source}"),
        *([] if packaged else [("revision", revision), ("access", access_of(preset))]),
        ("licence", preset.licence),
        ("family", preset.family),
        ("parameters", f"{preset.parameters:,}"),
        ("published in", preset.dtype),
        ("context", f"{preset.context:,} tokens"),
        ("LoRA targets", ", ".join(preset.targets)),
        ("reads", "token trees" if preset.trees else "padded batches"),
        ("prompts", "in its chat template" if preset.style == "chat" else "as they are"),
    ]


def access_of(preset: Preset) -> str:
    """How one gets the weights of a backbone on the hub."""
    from instructerc.backbones.memory import size_text

    size = preset.parameters * (4 if preset.dtype == "float32" else 2)
    if preset.gated:
        return f"gated: accept its terms on its page, then `hf auth login`; about {size_text(size)}"
    return f"open: downloaded when it is first needed, about {size_text(size)}"


def _arithmetic(memory: Memory) -> str:
    from instructerc.backbones.memory import size_text
    from instructerc.cli.tables import text_table

    rows: Sequence[tuple[str, str, str]] = [*memory.lines(), ("in all", size_text(memory.total), "")]
    return text_table(rows, right=(1,))


@app.command("check")
def check_backbone(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|PATH", help="A backbone, a local folder, or a hub id.", autocompletion=complete_backbone
        ),
    ],
    *,
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="COMMIT", help="Branch, tag or commit on the hub.")
    ] = None,
    json: Json = False,
) -> None:
    """Say whether a backbone is usable here, and what will happen with it.

    Configuration and tokenizer are read, weights are not. Ends with 1 where it is not usable.
    """
    from instructerc.backbones.inspection import inspect_backbone
    from instructerc.backbones.loading import quiet_transformers
    from instructerc.backbones.presets import PRESETS
    from instructerc.cli.tables import text_table
    from instructerc.errors import BackboneError

    quiet_transformers()
    try:
        found = inspect_backbone(name, revision=revision)
    except BackboneError:
        if name in PRESETS and not json:
            typer.echo(text_table(preset_lines(PRESETS[name])))
            typer.echo("\nSo says the table; the rest needs its files.")
        raise
    if json:
        typer.echo(json_module.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        typer.echo(_text(found))
    if not any(map(found.fits, found.memory)):
        raise BackboneError(f"{name}: does not fit on {found.device} in any way: take a smaller backbone")


def _text(found: Inspection) -> str:
    from instructerc.backbones.memory import size_text
    from instructerc.cli.tables import text_table

    facts = [
        ("name", found.name),
        ("source", found.source),
        *([("revision", found.revision)] if found.revision else []),
        ("family", f"{found.family} ({found.architecture})"),
        ("parameters", f"{found.parameters:,}"),
        ("context", f"{found.context:,} tokens"),
        ("LoRA targets", ", ".join(found.targets) or "not known: set adapter.targets"),
        ("weights", found.weights.text),
        ("computes on", found.device + ("" if found.room is None else f", {size_text(found.room)} free")),
    ]
    parts = [text_table(facts), "What will happen:\n" + "\n".join(f"- {line}" for line in found.consequences())]
    parts += [f"{use}:\n{_arithmetic(memory)}" for use, memory in found.memory.items()]
    return "\n\n".join(parts)
