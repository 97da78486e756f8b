"""One question to a server, and what its refusals mean.

```
answer                          a `Reply`; one that holds no answer carries the reason
429, 5xx, timeout, torn reply   sent again with growing pauses, as often as `retries` says; then an error
400 that names a parameter      asked in simpler words from then on: no response_format, no temperature …
400, 413: too long              `TooLongError`: whoever asked leaves turns out
401, 403, 404 …                 an error at once, which says what to do
```
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from instructerc.errors import EndpointError, UsageError
from instructerc.recognition.endpoint.settings import EndpointSettings, is_loopback
from instructerc.recognition.endpoint.usage import Usage

if TYPE_CHECKING:
    import openai

logger = logging.getLogger(__name__)

NO_KEY = "none"
"""The client library insists on a key; servers that need none pass over it."""

_TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum.{0,20}(context|length|tokens)|too (long|large|many (input )?tokens)"
    r"|exceed.{0,60}(context|tokens|length)|reduce the length|longer than",
    re.IGNORECASE,
)
_STRUCTURED = re.compile(r"response_?format|json|schema|structured|guided|grammar", re.IGNORECASE)
_LENGTH = re.compile(r"max_(completion_)?tokens", re.IGNORECASE)
_FILTER = re.compile(r"content.?(filter|management|policy)|responsible.?ai", re.IGNORECASE)
_LONGEST_PAUSE = 8.0


class TooLongError(Exception):
    """The server says that a prompt is too long. Never leaves this package.

    Args:
        requests: How often it was asked to find out.
    """

    def __init__(self, requests: int) -> None:
        self.requests = requests
        super().__init__(requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server made of one question.

    Attributes:
        text: The answer as it came; empty where there is none.
        reason: Why there is no answer; empty where there is one.
        structured: Whether the server was told to admit nothing but the labels.
        usage: What it cost.
    """

    text: str
    reason: str = ""
    structured: bool = False
    usage: Usage = Usage()  # noqa: RUF009 — a frozen value


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """Which parameters the server takes.

    Attributes:
        structured: `response_format` with a schema of the labels.
        temperature: `temperature`; some reasoning models take their own alone.
        length: What the limit of an answer is called; reasoning models of OpenAI know the longer name alone.
    """

    structured: bool
    temperature: bool = True
    length: str = "max_tokens"

    def simpler(self, complaint: str, *, guess: bool) -> Dialect | None:
        """The dialect without what a server complains of; None where nothing can go.

        Args:
            complaint: What the server says, with the name of the parameter where it gives one.
            guess: Whether `response_format` goes where the complaint names nothing known.
        """
        if self.length == "max_tokens" and _LENGTH.search(complaint):
            return replace(self, length="max_completion_tokens")
        if self.temperature and "temperature" in complaint.lower():
            return replace(self, temperature=False)
        if self.structured and (guess or _STRUCTURED.search(complaint)):
            return replace(self, structured=False)
        return None

    def and_without(self, other: Dialect) -> Dialect:
        """What both take: two questions under way at once may each have met another refusal."""
        return Dialect(
            structured=self.structured and other.structured,
            temperature=self.temperature and other.temperature,
            length=max(self.length, other.length, key=len),
        )


class ChatClient:
    """Asks one server; several threads may ask at once.

    Args:
        settings: Which server and model.

    Raises:
        UsageError: The environment variable of the key is not set, or the client library is missing.
        OfflineError: An offline switch is on, and the server is not on this machine.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        settings.require_reachable()
        openai = require_library()
        self.settings = settings
        self.dialect = Dialect(structured=settings.answers == "structured")
        self._key = settings.key()
        self._lock = threading.Lock()
        self._answered = False
        own = settings.variable == settings.key_variable  # not OpenAI by default: its account stays out of it
        headers: dict[str, Any] = {name: openai.Omit() for name in ("OpenAI-Organization", "OpenAI-Project") if own}
        self._client = openai.OpenAI(
            api_key=self._key or NO_KEY,
            base_url=settings.address,
            timeout=settings.timeout,
            max_retries=settings.retries,
            default_headers=headers,
        )

    def close(self) -> None:
        """Closes connections that are kept open."""
        self._client.close()

    def ask(self, prompt: str, labels: Sequence[str]) -> Reply:
        """Asks one question, the whole prompt as one message of the user.

        Args:
            prompt: The prompt.
            labels: The answers that are allowed.

        Raises:
            TooLongError: The prompt is longer than the model can read.
            EndpointError: The server cannot be reached or refuses, and asking on would not help.
        """
        import openai

        dialect, requests = self.dialect, 0
        while True:
            requests += 1
            try:
                completion = self._send(prompt, labels, dialect)
            except openai.APIStatusError as error:
                judged = self._judge(error, dialect, requests)
                if isinstance(judged, Reply):
                    return judged
                dialect = judged
            except openai.APIConnectionError as error:
                raise self._unreachable(error) from None
            else:
                self._settle(dialect)
                reply = _read(completion, requests, structured=dialect.structured)
                return replace(reply, text=self._scrub(reply.text))

    def _judge(self, error: openai.APIStatusError, dialect: Dialect, requests: int) -> Dialect | Reply:
        """What a refusal comes to: simpler words to ask in, or no answer to this one question.

        Raises:
            TooLongError: The prompt is what is wrong.
            EndpointError: Asking on would not help.
        """
        complaint, status = self._complaint(error), error.status_code
        if status not in (400, 413, 422):
            raise self._refusal(error) from None
        if status == 413 or _says_too_long(error, complaint):
            raise TooLongError(requests) from None
        if _FILTER.search(complaint):
            return Reply(text="", reason="content filter", usage=Usage(requests=requests))
        simpler = dialect.simpler(complaint, guess=not self._answered)
        if simpler is not None:
            return simpler
        if self._answered:  # others were answered in these words: it is this question
            return Reply(text="", reason=f"refused ({complaint})", usage=Usage(requests=requests))
        raise self._refusal(error) from None

    def _send(self, prompt: str, labels: Sequence[str], dialect: Dialect) -> Any:
        """A completion; a reply that is none is asked for again, as the library does after a server's error."""
        import openai

        arguments: dict[str, Any] = {dialect.length: self.settings.max_tokens}
        if dialect.temperature:
            arguments["temperature"] = self.settings.temperature
        if dialect.structured:
            arguments["response_format"] = response_format(labels)
        messages: list[Any] = [{"role": "user", "content": prompt}]
        for left in range(self.settings.retries, -1, -1):
            try:
                found: Any = self._client.chat.completions.create(
                    model=self.settings.model, messages=messages, **arguments
                )
            except (ValueError, openai.APIResponseValidationError):  # torn JSON
                found = None
            if getattr(found, "choices", None) is not None:
                return found
            if left:
                time.sleep(min(0.5 * 2 ** (self.settings.retries - left), _LONGEST_PAUSE))
        raise EndpointError(
            f"{self.settings.address}: answers with something that is no chat completion: endpoint.url has to be the "
            "base address of an OpenAI-compatible server, which usually ends in /v1"
        )

    def _settle(self, dialect: Dialect) -> None:
        """Keeps the dialect that was understood, and says once what is no longer asked for."""
        with self._lock:
            self._answered = True
            before, self.dialect = self.dialect, self.dialect.and_without(dialect)
            fell_back = before.structured and not self.dialect.structured
        if fell_back:
            logger.warning(
                "%s: takes no response_format: the model writes freely, and the answer rule reads it",
                self.settings.address,
            )

    def _complaint(self, error: openai.APIStatusError) -> str:
        """What the server says, in one line, with code and parameter where it names them."""
        body: Any = error.body
        body = body if isinstance(body, dict) else {}
        parts = [body.get("message") or body.get("detail") or error.message, body.get("code"), body.get("param")]
        text = " ".join(" ".join(str(part).split()) for part in parts if part)
        return self._scrub(text[:300])

    def _scrub(self, text: str) -> str:
        """Without the key, should a server send it back."""
        return text.replace(self._key, "***") if self._key else text

    def _refusal(self, error: openai.APIStatusError) -> EndpointError:
        settings, status = self.settings, error.status_code
        said = f"{settings.address}: {status}: {self._complaint(error)}"
        if status == 401:
            remedy = (
                "name the environment variable that holds a key by endpoint.key_variable"
                if settings.variable is None
                else f"the key in environment variable {settings.variable} is not valid there: set it anew"
            )
        elif status == 403:
            remedy = f"the key may not use model {settings.model!r}: ask for access, or choose another endpoint.model"
        elif status == 404:
            remedy = (
                f"there is no model {settings.model!r} there, or no server of this kind: {settings.address}/models "
                "lists the models; endpoint.url usually ends in /v1"
            )
        elif status == 429 and "quota" in said:
            remedy = "the account has used up what it paid for: top it up, then go on with --resume"
        elif status == 429:
            remedy = f"after {settings.retries} tries: lower endpoint.concurrency, wait, then go on with --resume"
        elif status >= 500:
            remedy = f"after {settings.retries} tries: wait until the server is well, then go on with --resume"
        else:
            remedy = "correct the keys of section endpoint"
        return EndpointError(f"{said}: {remedy}")

    def _unreachable(self, error: openai.APIConnectionError) -> EndpointError:
        import openai

        settings = self.settings
        if isinstance(error, openai.APITimeoutError):
            return EndpointError(
                f"{settings.address}: no answer within {settings.timeout:g} seconds, {settings.retries + 1} times: "
                "raise endpoint.timeout or lower endpoint.concurrency, then go on with --resume"
            )
        where = "start the server" if is_loopback(settings.address) else "look at the network"
        cause = self._scrub(str(error.__cause__ or error))
        return EndpointError(
            f"{settings.address}: nothing answers there ({cause}): {where}, or correct endpoint.url; what was answered "
            "is kept, --resume goes on"
        )


def require_library() -> Any:
    """The client library.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import openai
    except ImportError:
        raise UsageError(
            "recognition.engine 'endpoint' needs the library openai: pip install 'instructerc[endpoint]'"
        ) from None
    return openai


def response_format(labels: Sequence[str]) -> dict[str, Any]:
    """Has a server admit nothing but an object with one of the labels.

    Example:
        >>> response_format(["joy", "anger"])["json_schema"]["schema"]["properties"]
        {'emotion': {'type': 'string', 'enum': ['joy', 'anger']}}
    """
    schema = {
        "type": "object",
        "properties": {"emotion": {"type": "string", "enum": list(labels)}},
        "required": ["emotion"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "emotion", "strict": True, "schema": schema}}


def _says_too_long(error: openai.APIStatusError, complaint: str) -> bool:
    code = str(error.code or "")
    return "context" in code or bool(_TOO_LONG.search(complaint))


def _read(completion: Any, requests: int, *, structured: bool) -> Reply:
    """A reply out of a completion: its text, or why it has none."""
    counted = completion.usage
    usage = Usage(
        requests=requests,
        prompt_tokens=getattr(counted, "prompt_tokens", None) or 0,
        completion_tokens=getattr(counted, "completion_tokens", None) or 0,
        uncounted=int(counted is None),
    )
    choice = completion.choices[0] if completion.choices else None
    text, reason = _text_of(choice)
    return Reply(text=text, reason=reason, structured=structured, usage=usage)


def _text_of(choice: Any) -> tuple[str, str]:
    """The text of a choice, and why it is no answer; empty where it is one."""
    if choice is None:
        return "", "no choice"
    text = choice.message.content or ""
    if refusal := getattr(choice.message, "refusal", None):
        return refusal, "refusal"
    if choice.finish_reason == "content_filter":
        return text, "content filter"
    if not text.strip():
        return text, "no word within max_tokens" if choice.finish_reason == "length" else "empty answer"
    return text, ""
