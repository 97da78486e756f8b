"""From the `demonstrations` section of a recipe to what finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instructerc.conversation import Corpus
from instructerc.demonstrations.demonstrator import Demonstrator
from instructerc.demonstrations.embeddings import EmbeddingCache
from instructerc.demonstrations.encoder import Progress, SentenceEncoder, require_library
from instructerc.demonstrations.pairing import get_pairing
from instructerc.demonstrations.pool import DemonstrationPool
from instructerc.demonstrations.pool_files import read_pool
from instructerc.errors import DataError
from instructerc.labels import LabelSet
from instructerc.prompts.demonstration import DemonstrationSpec

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe


def shown_in(recipe: Recipe) -> DemonstrationSpec | None:
    """How many demonstrations the recipe's prompts show, and where; None where they show none."""
    values = recipe.demonstrations
    return None if values.pairing is None else DemonstrationSpec(count=values.count, placement=values.placement)


def recipe_encoder(recipe: Recipe) -> SentenceEncoder:
    """The sentence encoder that a recipe names; nothing is loaded yet."""
    return SentenceEncoder(name=recipe.demonstrations.encoder, revision=recipe.demonstrations.encoder_revision)


def recipe_demonstrator(recipe: Recipe, corpus: Corpus, labels: LabelSet, *, progress: Progress) -> Demonstrator | None:
    """What finds the demonstrations of a recipe, its pool encoded; None where prompts show none.

    Args:
        recipe: The recipe.
        corpus: Its training split is the pool, unless the recipe names a file.
        labels: The label set of the corpus.
        progress: Told how far the encoding is.

    Raises:
        UsageError: sentence-transformers is missing, or keys do not fit.
        DataError: The pool is empty, or its file is wrong.
        AssetError: The sentence encoder could not be had.
    """
    values = recipe.demonstrations
    if values.pairing is None:
        return None
    require_library()
    pairing = get_pairing(values.pairing, seed=recipe.seed)
    pairing.require_fit(labels.labels, values.count)  # before minutes of encoding
    encoder = recipe_encoder(recipe)
    if values.pool is not None:
        pool = read_pool(values.pool, labels)
    else:
        pool = DemonstrationPool.of_corpus(corpus, per_label=values.per_label, seed=recipe.seed)
    if not len(pool):
        raise DataError(
            f"corpus {corpus.name!r} has no labelled training turn that could be shown: set demonstrations.pool, or "
            "demonstrations.pairing to null"
        )
    cache = EmbeddingCache()
    return Demonstrator(
        pool=pool.encoded(encoder, cache=cache, progress=progress),
        encoder=encoder,
        pairing=pairing,
        count=values.count,
        cache=cache,
    )
