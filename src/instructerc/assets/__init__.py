"""Files that come from elsewhere: where they lie, whether they are the right ones, how they get here.

```
Asset(name, url, sha256, size) ── download ── name.part ── verify ── name
```
"""

from __future__ import annotations

from instructerc.assets.cache import cache_directory, offline, offline_switch
from instructerc.assets.checksum import sha256_of, verify
from instructerc.assets.download import DEFAULT_RETRY, Asset, Progress, Retry, download, ignore_progress
from instructerc.assets.writing import json_bytes, replacing, write_atomically

__all__ = [
    "DEFAULT_RETRY",
    "Asset",
    "Progress",
    "Retry",
    "cache_directory",
    "download",
    "ignore_progress",
    "json_bytes",
    "offline",
    "offline_switch",
    "replacing",
    "sha256_of",
    "verify",
    "write_atomically",
]
