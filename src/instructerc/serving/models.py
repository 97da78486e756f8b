"""The models of a server, by name, and each of them asked for other labels."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from instructerc.errors import UnknownNameError, UsageError
from instructerc.recognition.recognizer import EmotionRecognizer

REMEMBERED = 64
"""Label sets that are remembered, so that requests that share one are read together."""


class Models:
    """The recognisers that answer. The first one answers who names none.

    Example:
        ```python
        models = Models({"embedded": EmotionRecognizer.from_pretrained("embedded")})
        models.get(labels=["calm", "tense"]).labels
        ```
    """

    def __init__(self, recognizers: Mapping[str, EmotionRecognizer]) -> None:
        if not recognizers:
            raise UsageError("no model: give one or more")
        self._recognizers = dict(recognizers)
        self._asked: dict[tuple[str, tuple[tuple[str, str], ...]], EmotionRecognizer] = {}
        self._lock = threading.Lock()

    def items(self) -> Sequence[tuple[str, EmotionRecognizer]]:
        """Every name with its recogniser."""
        return tuple(self._recognizers.items())

    def known(self, name: str | None = None, *, labels: Mapping[str, str] | None = None) -> EmotionRecognizer | None:
        """What `get` gives, where it takes no making; None where it does.

        Raises:
            UnknownNameError: There is no model of that name.
        """
        name = next(iter(self._recognizers)) if name is None else name
        if name not in self._recognizers:
            raise UnknownNameError("model", name[:80], self._recognizers)
        if labels is None:
            return self._recognizers[name]
        with self._lock:
            return self._asked.get((name, tuple(labels.items())))

    def get(self, name: str | None = None, *, labels: Mapping[str, str] | None = None) -> EmotionRecognizer:
        """The recogniser of that name, asked for those labels: always the same object for the same two.

        To be called in the thread that computes: a tokenizer serves one at a time.

        Args:
            name: None is the first one.
            labels: Labels with what they mean; None leaves the model's own.

        Raises:
            UnknownNameError: There is none of that name.
            UsageError: The labels cannot be told apart.
        """
        found = self.known(name, labels=labels)
        if found is not None:
            return found
        assert labels is not None
        name = next(iter(self._recognizers)) if name is None else name
        found = self._recognizers[name].asking(labels=labels)
        with self._lock:
            self._asked[name, tuple(labels.items())] = found
            while len(self._asked) > REMEMBERED:
                self._asked.pop(next(iter(self._asked)))
        return found
