"""The mean of the weights over the last steps, which is measured and kept in place of the last weights.

```
step       1    2    3    …            average ← d · average + (1 - d) · weights,   d = min(decay, (1 + t) / (10 + t))
weights    w₁   w₂   w₃   …            t steps are done; the first ones count little, however large the decay
```

Training goes on from the weights themselves, and so does a resume.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.errors import TrainingError

if TYPE_CHECKING:
    import torch

FILE = "averages.safetensors"
"""In a checkpoint: the averages, in float32 whatever the weights are held in."""


def decay_at(step: int, decay: float) -> float:
    """What the average keeps of itself at a step, from 1.

    Example:
        >>> decay_at(1, 0.99), decay_at(10_000, 0.99)
        (0.18181818181818182, 0.99)
    """
    return min(decay, (1 + step) / (10 + step))


@dataclass(slots=True)
class WeightAverage:
    """The moving average of all weights that are trained.

    Attributes:
        model: The model, whose weights may be trained further.
        decay: What the average keeps of itself a step, in the long run.
    """

    model: Any
    decay: float
    _averages: dict[str, torch.Tensor]

    @classmethod
    def of(cls, model: Any, decay: float) -> WeightAverage:
        """Begins with the weights as they are."""
        return cls(model, decay, {name: weight.detach().float().clone() for name, weight in _trained(model).items()})

    def step_done(self, step: int) -> None:
        """Takes the weights after an optimiser step into the average."""
        from torch.optim.swa_utils import get_ema_multi_avg_fn

        weights = _trained(self.model)
        now = [weights[name].detach().float() for name in self._averages]
        get_ema_multi_avg_fn(decay_at(step, self.decay))(list(self._averages.values()), now, step)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Puts the average in the place of the weights, for as long as it lasts."""
        weights = _trained(self.model)
        kept = {name: weight.detach().clone() for name, weight in weights.items()}
        self._put(weights, self._averages)
        try:
            yield
        finally:
            self._put(weights, kept)

    def save(self, folder: Path) -> None:
        """Writes the averages into a checkpoint."""
        from safetensors.torch import save_file

        save_file(self._averages, folder / FILE)

    def load(self, folder: Path) -> None:
        """Takes up the averages of a checkpoint.

        Raises:
            TrainingError: It has none, or not those of these weights.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            found = load_file(folder / FILE)
        except (OSError, SafetensorError) as error:
            raise TrainingError(f"{folder / FILE}: cannot be read ({error}): start anew without --resume") from None
        if {name: tensor.shape for name, tensor in found.items()} != {
            name: tensor.shape for name, tensor in self._averages.items()
        }:
            raise TrainingError(f"{folder / FILE}: is of another model: start anew without --resume")
        for name, average in self._averages.items():
            average.copy_(found[name])

    @staticmethod
    def _put(weights: dict[str, torch.Tensor], values: dict[str, torch.Tensor]) -> None:
        import torch

        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(values[name])


@dataclass(frozen=True, slots=True)
class AsTheyAre:
    """No average: the weights after the last step."""

    def step_done(self, step: int) -> None:
        """Nothing."""

    def in_place(self) -> contextlib.AbstractContextManager[None]:
        """The weights stay."""
        return contextlib.nullcontext()

    def save(self, folder: Path) -> None:
        """Nothing."""

    def load(self, folder: Path) -> None:
        """Nothing."""


Averaging = WeightAverage | AsTheyAre
"""What is measured and kept."""


def _trained(model: Any) -> dict[str, torch.Tensor]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
