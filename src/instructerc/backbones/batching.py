"""Whether a backbone reads token trees or padded batches."""

from __future__ import annotations

import logging
from typing import Literal, get_args

from instructerc.backbones.abilities import TreeAbility, tree_ability
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.self_check import check_trees
from instructerc.backbones.tree_attention import enable
from instructerc.errors import BackboneError, UsageError

Batching = Literal["auto", "tree", "padded"]
"""`tree` computes shared tokens once, `padded` reads every prompt alone, `auto` takes trees where they are exact."""

# The package's logger: without any set-up, Python prints its warnings as plain lines on stderr.
logger = logging.getLogger("instructerc")


def use_trees(backbone: Backbone, batching: Batching) -> bool:
    """What `batching` means for this backbone.

    The first question about a backbone tries trees on it (`self_check`). Where `auto` has to do without them, one
    line is logged at level WARNING, once a backbone.

    Raises:
        UsageError: `batching` is unknown.
        BackboneError: Trees are asked for, and this backbone does not take them.
    """
    if batching not in get_args(Batching):
        raise UsageError(f"batching is {batching!r}: choose one of {', '.join(get_args(Batching))}")
    if batching == "padded":
        return False
    known = backbone.tree_verdict
    verdict = known or _verdict(backbone)
    backbone.tree_verdict = verdict
    if not verdict.able:
        if batching == "tree":
            raise BackboneError(f"{backbone.name}: takes no token trees: {verdict.reason}: set batching to auto")
        if known is None and not backbone.both_ways:  # else it is meant so
            logger.warning("%s: %s: reads padded batches instead of token trees", backbone.name, verdict.reason)
    return verdict.able


def _verdict(backbone: Backbone) -> TreeAbility:
    ability = tree_ability(backbone)
    if not ability.able:
        return ability
    if _gains_from_blocks(backbone) and enable(backbone.model):
        blocks = check_trees(backbone)
        if blocks.able:
            return blocks
        backbone.model.set_attn_implementation("sdpa")
    return check_trees(backbone)


def _gains_from_blocks(backbone: Backbone) -> bool:
    """On a CPU a whole row's mask costs its square; elsewhere blocks have not been measured."""
    return backbone.device.type == "cpu" and backbone.model.config._attn_implementation == "sdpa"
