"""Writes docs/backbones.md from the table of presets; with --check only says whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

from pages import write_or_check

from instructerc.backbones.inspection import ALL, LORA, LORA_4BIT, parameters_text, preset_memory
from instructerc.backbones.memory import LONGEST, size_text
from instructerc.backbones.presets import PRESETS, Preset
from instructerc.backbones.rows import ACCELERATOR_ROW_TOKENS

PAGE = Path(__file__).parents[1] / "docs" / "backbones.md"

HUB = "https://huggingface.co"

HEAD = f"""\
# Backbones

<!-- Written by scripts/backbones_page.py from src/instructerc/backbones/presets.py: change that, then `make docs`. -->

`backbone.name` takes a name of this page, a local folder, or a hub id of any causal language model.

```
instructerc backbones ls                              the table below
instructerc backbones show llama2-7b                  all that is known of one, and the arithmetic of its memory
instructerc backbones check qwen3-0.6b                whether one is usable here, and what will happen
instructerc backbones check /models/llama-2-7b        the same for a folder
```

`check` reads configuration and tokenizer, never the weights. It says how prompts are put to the model and whether it
reads token trees or padded batches, each with the reason; whether the weights are on this machine and whole; and what
fits into its memory, with a remedy for what does not. It ends with 0 where the backbone is usable. Without a network
and without the files, `check` prints what this table says of a name, and ends with 1.

## The table

Memory is an estimate for a GPU that computes in bfloat16, with the defaults of a recipe: rank 16 on the targets below,
rows of {ACCELERATOR_ROW_TOKENS:,} tokens or as many in padded batches, prompts of {LONGEST} tokens at most, no gradient
checkpointing. All parameters are trained in float32.

"""

ABOUT = """\
- **Base or tuned.** Base models, unless the name ends in `-instruct`: fine-tuning teaches the form of the answer, and a
  base model is what the paper starts from. The tuned ones are for zero-shot; their prompts go through the chat template
  (`backbone.style`). The ChatGLMs exist as tuned models only, and get plain prompts, as in the released code.
- **Gemma.** Gemma 3 is the newest generation with models that read text alone. Checkpoints of Gemma 4 hold parts for
  images and sound as well; they are not in the table, and `check` says what would happen with one.
- **ChatGLM2** is loaded as a GLM of transformers, whose computation is the same, **ChatGLM** by this package's own
  model.
- **Number types.** `backbone.dtype: auto` is bfloat16 where the hardware computes with it, else float32, whatever the
  weights were published in.

## Revisions

A name stands for a commit of its repository, so that the model is the same tomorrow. `backbone.revision` takes another:
a commit, a tag, or `main` for whatever is newest. A trained model keeps the commit that it was trained on. What is not
pinned: pin one yourself with `backbone.revision`.

"""

MEMORY = """\
## How memory is estimated

Everything is arithmetic on the sizes of the architecture, and `show` and `check` print it line by line.

| part | what it is |
| --- | --- |
| weights | every parameter in its number type; in 4 bits, linear layers take 0.516 bytes a weight, the rest stays |
| adapters, gradients, optimiser | what is trained, in 32 bits: itself, its gradient, AdamW's two moments |
| weights as computed | float32 weights that are computed with in bfloat16 are there in both types |
| activations | tokens of the largest row × layers × what a layer keeps of a token for the backward pass |
| work | what the layer that is just computed backwards needs on top |
| logits | predicted tokens × words of the vocabulary, three times in 32 bits |
| keys and values | in recognition, of everything that is read at once |

A layer keeps the inputs of its norms, queries, keys, values and outputs of attention, its mask, and what the activation
and the gate multiply; an adapter keeps its input behind a dropout of its own. The tests hold this against what autograd
keeps in eight families of models. [benchmarks.md](benchmarks.md) has estimates beside measured trainings.

What is not in it:

- The program and its libraries, about 450 MiB. `check` adds them where the model computes on the CPU.
- What an allocator keeps of freed memory. glibc's kept about half of the activations' size once more in the measured
  trainings on a CPU, since rows of different lengths leave gaps; `MALLOC_MMAP_THRESHOLD_=65536` in the environment
  avoids that, and costs time.
- Training that a recipe makes larger: `check` goes by the defaults, `instructerc run mine.yaml --dry-run` by the recipe
  and its data.

What makes it smaller: `backbone.quantization: 4bit` (weights), `training.gradient_checkpointing: true` (activations, at
the cost of time), `training.row_tokens` or `training.micro_batch` (both activations and work).
"""


def page() -> str:
    """The whole page."""
    rows = PRESETS.values()
    main = table(
        ["name", "parameters", "reads", "prompts", "context", LORA, LORA_4BIT, ALL, "for"],
        [[f"`{row.name}`", *_use(row)] for row in rows],
    )
    sources = table(
        ["name", "source", "commit", "family", "LoRA targets", "licence"],
        [[f"`{row.name}`", *_source(row)] for row in rows],
    )
    return "".join([HEAD, main, "\n", ABOUT, sources, "\n", MEMORY])


def _use(row: Preset) -> list[str]:
    memory = preset_memory(row)
    sizes = [size_text(memory[use].total) if use in memory else "" for use in (LORA, LORA_4BIT, ALL)]
    reads = "trees" if row.trees else "batches"
    return [parameters_text(row.parameters), reads, row.style, f"{row.context:,}", *sizes, row.note]


def _source(row: Preset) -> list[str]:
    source = "a package" if row.source == "package" else f"[{row.source}]({HUB}/{row.source})"
    commit = f"`{row.revision[:12]}`" if row.revision else "" if row.source == "package" else "not pinned"
    licence = row.licence + (", gated" if row.gated else "")
    return [source, commit, row.family, ", ".join(f"`{target}`" for target in row.targets), licence]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    return "".join("| " + " | ".join(line) + " |\n" for line in [head, ["---"] * len(head), *rows])


def main(arguments: list[str]) -> int:
    """Writes or checks the page; returns the exit status."""
    return write_or_check(PAGE, page(), arguments, source="the table of presets")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
