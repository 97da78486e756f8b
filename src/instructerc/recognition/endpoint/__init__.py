"""Recognition by a model behind an OpenAI-compatible endpoint: ChatGPT, or a server of one's own.

```
settings     which server and model, and how it is asked; where the key comes from
client       one question to the server, and what its refusals mean
journal      every answer on disk as it comes: nothing is paid for twice
recognizer   EndpointRecognizer: conversations in, emotions out, several questions at once
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instructerc.recognition.endpoint.settings import EndpointSettings
from instructerc.recognition.endpoint.usage import Usage

if TYPE_CHECKING:
    from instructerc.recognition.endpoint.recognizer import EndpointRecognizer

__all__ = ["EndpointRecognizer", "EndpointSettings", "Usage"]


def __getattr__(name: str) -> Any:
    # Loaded when it is asked for: an artefact knows the settings, and the recogniser knows artefacts.
    if name == "EndpointRecognizer":
        from instructerc.recognition.endpoint.recognizer import EndpointRecognizer

        return EndpointRecognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
