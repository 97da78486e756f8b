"""InstructERC: emotion recognition in conversation with instruction-tuned language models.

```
Conversation(id, utterances) ── EmotionRecognizer.from_pretrained(folder) ── recognize ── an emotion a turn
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instructerc.conversation import Conversation, Corpus, Utterance

if TYPE_CHECKING:
    from instructerc.corpora import load_conversations, load_corpus
    from instructerc.recognition.predictions import TurnPrediction
    from instructerc.recognition.recognizer import EmotionRecognizer
    from instructerc.recognition.session import RecognitionSession

__version__ = "0.1.0"

__all__ = [
    "Conversation",
    "Corpus",
    "EmotionRecognizer",
    "RecognitionSession",
    "TurnPrediction",
    "Utterance",
    "__version__",
    "load_conversations",
    "load_corpus",
]

# Loaded when they are first asked for: `import instructerc` stays light.
_LAZY = {
    "EmotionRecognizer": "instructerc.recognition.recognizer",
    "RecognitionSession": "instructerc.recognition.session",
    "TurnPrediction": "instructerc.recognition.predictions",
    "load_conversations": "instructerc.corpora",
    "load_corpus": "instructerc.corpora",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
