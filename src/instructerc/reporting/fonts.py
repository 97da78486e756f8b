"""Letters of any script in plots.

matplotlib's own font has European, Arabic and Hebrew letters, and no Chinese, Japanese or Korean ones, and no emoji.
Where a label has such, the fonts of the system stand in; where it has none that knows them, boxes are drawn: the tables
beside a plot spell every label.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAND_INS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "Droid Sans Fallback", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "SimHei"),
    *("Yu Gothic", "Malgun Gothic", "Apple SD Gothic Neo", "Noto Sans Devanagari", "Nirmala UI", "Noto Sans Thai"),
    *("Leelawadee UI", "Noto Emoji", "Segoe UI Emoji", "Arial Unicode MS"),
)
"""Fonts of Linux, macOS and Windows that have what the bundled one lacks, in the order they are asked."""


def png(figure: Figure, *, dpi: int) -> bytes:
    """A figure as a PNG; labels that are not ASCII may take letters from the fonts of the system."""
    from matplotlib.text import Text

    found = installed()
    for text in figure.findobj(Text):
        if found and isinstance(text, Text) and not text.get_text().isascii():
            text.set_fontfamily([*text.get_fontfamily(), *found])
    image = io.BytesIO()
    with warnings.catch_warnings():
        # No font has it: a box is drawn, and the tables beside the plot spell it.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        figure.savefig(image, format="png", dpi=dpi)
    return image.getvalue()


def installed() -> list[str]:
    """Those of `STAND_INS` that this system has."""
    from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    return [name for name in STAND_INS if name in known]
