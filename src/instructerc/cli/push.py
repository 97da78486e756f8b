"""`instructerc push`: a trained or merged model on a model hub."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instructerc.errors import UsageError

if TYPE_CHECKING:
    from instructerc.recognition.publishing import PushPlan


def push(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A run folder, or the folder of a trained or merged model.")
    ],
    repository: Annotated[
        str, typer.Argument(metavar="OWNER/TITLE", help="Repository on the hub; made where it is missing.")
    ],
    *,
    private: Annotated[bool, typer.Option("--private", help="Nobody else may see it.")] = False,
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="BRANCH", help="Another branch than the main one.")
    ] = None,
    with_pool: Annotated[
        bool,
        typer.Option("--with-pool", help="Upload the labelled utterances that its prompts show, word for word, too."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be uploaded; upload nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Upload a trained or merged model with its card to a model hub.

    Who may write there is the hub's own login (`hf auth login`, or HF_TOKEN).
    Example: `instructerc push runs/mine-42 me/mine --private`.
    """
    from instructerc.assets.hub import is_repository
    from instructerc.recognition.publishing import plan_push
    from instructerc.recognition.publishing import push as upload

    if not is_repository(repository):
        raise UsageError(f"{repository!r} is no repository of a hub: write OWNER/TITLE")
    plan = plan_push(model, with_pool=with_pool)
    if not plan.has_card:
        typer.echo(f"note: {plan.folder} has no README.md: nobody will be told what this model is", err=True)
    url = None if dry_run else upload(plan, repository, private=private, revision=revision)
    if json:
        typer.echo(json_module.dumps({**plan.to_json(), "repository": repository, "url": url}, indent=2))
    else:
        _print(plan, url)


def _print(plan: PushPlan, url: str | None) -> None:
    for name, size in plan.files:
        typer.echo(f"{size:>14,}  {name}")
    typer.echo(f"{plan.size:>14,}  bytes in {len(plan.files)} files")
    for name in plan.left_out:
        typer.echo(f"left out: {name}", err=True)
    if url is not None:
        typer.echo(url)
