"""Reporting: what people look at.

```
Scores, rows, curves ── Report ── write_report ── report.json, report.md, report.html, confusion.png, curves.png
                           └────── terminal ── tables
```
"""

from __future__ import annotations

from instructerc.reporting.palette import Mark, palette
from instructerc.reporting.report import Curves, Report, WrongTurn, report_of_rows, wrong_turns
from instructerc.reporting.writing import write_report

__all__ = ["Curves", "Mark", "Report", "WrongTurn", "palette", "report_of_rows", "write_report", "wrong_turns"]
