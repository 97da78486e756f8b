"""The report as files in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from instructerc.assets import write_atomically
from instructerc.reporting.html import render_html
from instructerc.reporting.markdown import render_markdown
from instructerc.reporting.plots import confusion_png, curves_png
from instructerc.reporting.report import Report


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Writes `report.json`, `report.md`, `report.html`, `confusion.png` and, where there are curves, `curves.png`.

    Each file is whole or not there; what stood there before is replaced.

    Args:
        report: What to write.
        folder: Where to; it is made where it is missing.

    Returns:
        The files, in the order above.
    """
    contents = {
        "report.json": _json(report.to_json()),
        "report.md": render_markdown(report).encode("utf-8", "replace"),
        "report.html": render_html(report).encode("utf-8", "replace"),
        "confusion.png": confusion_png(report.main),
    }
    if report.curves is not None:
        contents["curves.png"] = curves_png(report.curves)
    return tuple(write_atomically(Path(folder) / name, content) for name, content in contents.items())


def _json(record: Any) -> bytes:
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can escape and UTF-8 cannot hold
        return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()
