"""ChatGLM-6B and ChatGLM2-6B from their original checkpoints, without the code that these bring along.

```
config.json says "chatglm" ─┬─ inner_hidden_size …     first version: `modeling.py`, on the base classes of transformers
                            └─ padded_vocab_size …     second and third: the library's own GLM, names changed while
                                                       loading (`conversion.py`)
ice_text.model, tokenizer.model ── `sentencepiece_model` ── `tokenizer`: a tokenizer of the `tokenizers` library
```

`checkpoint.find_checkpoint` says whether a folder or hub repository is one, and loads its parts.
"""

from __future__ import annotations
