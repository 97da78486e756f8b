"""The report as files in a folder."""

from __future__ import annotations

from pathlib import Path

from instructerc.assets import json_bytes, write_atomically
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
        "report.json": json_bytes(report.to_json()),
        "report.md": render_markdown(report).encode("utf-8", "replace"),
        "report.html": render_html(report).encode("utf-8", "replace"),
        "confusion.png": confusion_png(report.main),
    }
    if report.curves is not None:
        contents["curves.png"] = curves_png(report.curves)
    return tuple(write_atomically(Path(folder) / name, content) for name, content in contents.items())
