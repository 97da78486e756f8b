"""The section of a recipe that says which server is asked, where one is; a part of `schema`."""

from __future__ import annotations

from typing import Annotated, Literal

# Models are classes, so pydantic is needed while this module is made; who imports it does so inside a function.
from pydantic import Field  # noqa: TID253

from instructerc.experiments.section import Number, Section, Text, Whole, key


class EndpointSettings(Section):
    """Which server is asked, where recognition.engine is endpoint. Keys of servers never stand in a recipe."""

    model: Text | None = key(None, "What the server calls the model; has to be given.")
    url: Text | None = key(
        None,
        "Base address of an OpenAI-compatible server, such as http://localhost:8000/v1. Null is OpenAI's own.",
        takes="an address that begins with http:// or https://, or null",
    )
    key_variable: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")] | None = key(
        None,
        "Environment variable that holds the key. Null takes OPENAI_API_KEY for OpenAI's own server, and no key for "
        "any other.",
        takes="the name of an environment variable in capitals, or null",
    )
    answers: Literal["structured", "text"] = key(
        "structured",
        "`structured` has the server admit nothing but the labels (a JSON schema; where it cannot, text); `text` lets "
        "the model write, as the paper does, and reads the answer by the released rule.",
        source="method §8",
    )
    temperature: Number = key(0.0, "Of the sampling; 0 takes the likeliest token.", ge=0, le=2)
    max_tokens: Whole = key(64, "Longest answer. Models that think first need some thousands.", unit="tokens", ge=1)
    concurrency: Whole = key(8, "Questions that are under way at once: speed against rate limits.", ge=1, le=256)
    timeout: Number = key(60.0, "How long an answer may take; then the question is sent again.", unit="seconds", gt=0)
    retries: Whole = key(
        5, "How often a question is sent again after a rate limit, a server's error or a broken connection.", ge=0
    )
    price_input: Number | None = key(None, "Price of a million tokens read, for the account.", ge=0)
    price_output: Number | None = key(None, "Price of a million tokens written, for the account.", ge=0)
