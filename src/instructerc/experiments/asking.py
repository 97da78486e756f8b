"""A run whose model is behind an endpoint: who is asked, what it cost, and what it would cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.experiments.arguments import endpoint_settings
from instructerc.experiments.data import RunData
from instructerc.recognition.endpoint.client import require_library
from instructerc.recognition.endpoint.settings import EndpointSettings
from instructerc.recognition.endpoint.usage import Usage

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe
    from instructerc.recognition.endpoint.recognizer import EndpointRecognizer

JOURNAL = "answers.jsonl"
"""Every answer of the server, as it came; lies beside the predictions."""

CHARACTERS_A_TOKEN = 4
"""About what tokenizers of today make of English; other languages have fewer characters a token."""

ANSWER_TOKENS = 8
"""About what an answer takes: one word, or one word in an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What asking a server came to.

    Attributes:
        model: What the server calls the model.
        facts: What the report's provenance says of it.
        notices: What a reader has to know.
        summary: Requests, tokens and price in a line.
        dropped_demonstrations: Demonstrations that prompts lost because they were too long.
    """

    model: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    summary: str = ""
    dropped_demonstrations: int = 0


def require_server(recipe: Recipe) -> None:
    """Sees to it, before anything is read or written, that a recipe's server may be asked; it is not asked yet.

    Raises:
        UsageError: The key or the client library is missing.
        OfflineError: An offline switch is on, and the server is elsewhere.
    """
    settings = endpoint_settings(recipe)
    if settings is not None:
        require_library()
        settings.require_reachable()
        settings.key()


def open_recognizer(recipe: Recipe, folder: Path) -> EndpointRecognizer:
    """What a run asks with; answers that its folder holds are not asked for again."""
    from instructerc.recognition.endpoint.recognizer import EndpointRecognizer

    settings = endpoint_settings(recipe)
    journal = folder / JOURNAL
    return EndpointRecognizer.from_pretrained(folder, settings=settings, journal=journal, allow_oracle=True)


def what_was_asked(recognizer: EndpointRecognizer) -> Asked:
    """What the answers that a run got came to, over all its resumes."""
    settings, tally = recognizer.settings, recognizer.tally
    facts = {
        "model": settings.model,
        "server": settings.address,
        "answers": settings.answers,
        "temperature": settings.temperature,
        "max tokens": settings.max_tokens,
        **{name.replace("_", " "): value for name, value in tally.usage.to_json().items() if value or name[0] != "u"},
    }
    if recognizer.price is not None:
        facts |= {"price": round(recognizer.price, 4)}
    fell_back = settings.answers == "structured" and tally.free > 0
    candidates = (
        (
            fell_back,
            f"{tally.free} answers were free text, read by the answer rule: the server took no response_format.",
        ),
        (
            tally.unanswered,
            "Questions without an answer, counted as out of label: "
            + ", ".join(f"{count} x {reason}" for reason, count in tally.unanswered.most_common(5))
            + ".",
        ),
    )
    return Asked(
        model=settings.model,
        facts=facts,
        notices=tuple(text for holds, text in candidates if holds),
        summary=tally.usage.to_text() + _price_text(recognizer.price),
        dropped_demonstrations=tally.dropped_demonstrations,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run would ask for. Tokens are estimated: only the server has its tokenizer.

    Attributes:
        settings: Which server.
        usage: Requests, and tokens at `CHARACTERS_A_TOKEN`.
    """

    settings: EndpointSettings
    usage: Usage

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        settings = self.settings
        price = self.usage.price(settings.price_input, settings.price_output)
        return {"model": settings.model, "server": settings.address, **self.usage.to_json(), "price": price}

    def lines(self) -> list[str]:
        """The same for people."""
        settings = self.settings
        price = _price_text(self.usage.price(settings.price_input, settings.price_output))
        return [
            f"asks {settings.model} at {settings.address}",
            f"{self.usage.to_text()}{price}: tokens are estimated, at {CHARACTERS_A_TOKEN} characters each",
        ]


def estimate(recipe: Recipe, data: RunData) -> Estimate | None:
    """What measuring a recipe would ask a server for; None where it asks none."""
    settings = endpoint_settings(recipe)
    if settings is None:
        return None
    lengths = [len(example.prompt) for example in data.asked(recipe.evaluation.split)]
    usage = Usage(
        requests=len(lengths),
        prompt_tokens=sum(lengths) // CHARACTERS_A_TOKEN,
        completion_tokens=ANSWER_TOKENS * len(lengths),
    )
    return Estimate(settings=settings, usage=usage)


def _price_text(price: float | None) -> str:
    return "" if price is None else f", price {price:.4f}"
