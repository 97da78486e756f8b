"""Weights in the precision that they are computed in, for a model that learns no more.

```
float32 weights, computed in bfloat16    each pass casts every weight matrix, then multiplies
settled                                  each pass multiplies
```

The numbers are the same bits: a weight is rounded once instead of every time. Of a pass over one short prompt, which is
what a live conversation asks for, that casting is nearly half (`benchmarks/settled.py`).
"""

from __future__ import annotations

from instructerc.backbones.backbone import Backbone


def settle(backbone: Backbone) -> None:
    """Casts the weights of linear layers for good; a backbone that computes as precisely as its weights is left alone.

    Only layers of exactly torch's own kind are: others, such as quantised ones, may read their weights otherwise.
    Weights that such a layer shares with another, as a head does with the word embeddings, stay what they are there.

    Args:
        backbone: What is asked from now on, within `backbone.computing()`; it cannot be trained any more.
    """
    import torch

    if not backbone.autocast:
        return
    for module in backbone.model.modules():
        if type(module) is torch.nn.Linear:
            for name, tensor in list(module.named_parameters(recurse=False)):
                settled = tensor.detach().to(torch.bfloat16)
                setattr(module, name, torch.nn.Parameter(settled, requires_grad=False))
