r"""Chat models: a prompt is a user's message in the tokenizer's own chat template, the answer the assistant's turn.

```
template, rendered     <s><|im_start|>user\n ⟪text⟫ <|im_end|>\n<|im_start|>assistant\n ⟪answer⟫ <|im_end|>\n
                       └───── opening ─────┘        └──────────── closing ───────────┘          └ answer_end
```

The template is rendered once, with placeholders; its fixed parts are tokenised with their control tokens, and texts of
users without any. Both are tokenised apart, so that text cannot change what stands around it, and every prompt begins
with the same ids. The one thing that is looked after is how a word begins: spaces that the template writes in front of
a text are tokenised with it, and a SentencePiece tokenizer marks a word's start only where it does in the whole
(`Joint`). On ordinary texts the ids are those of `apply_chat_template`; a text whose first or last characters would
merge with the template's, such as a line break at its very beginning, is the exception.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from instructerc.backbones.backbone import Backbone, Style
from instructerc.backbones.plain_text import ALONE, Frame, Joint, TextEncoder, plain_frame
from instructerc.errors import BackboneError, UsageError

StyleSetting = Literal["auto", "plain", "chat"]
"""What may be asked for; `auto` is what `choose_style` finds."""

USER = "instructerctextoftheuser"
ANSWER = "instructercansweroftheassistant"
"""Placeholders: plain letters, which no template strips, escapes or splits."""

WORDS = ("Emotions", "joy", "a")
"""What the joints are tried on."""

ANCHORS = ("", "\n", "a\n", "a.")
"""What may stand in front of a text so that its start is not marked as a word's, in the order they are tried."""

NOT_TUNED = frozenset({"base", "pt", "pretrained"})
"""Parts of a name that say that a model was not tuned on chats; its tokenizer may have a template all the same."""

THE_DAY = (
    "{%- macro strftime_now(format) -%}{{- format"
    ".replace('%d', '26').replace('%b', 'Jul').replace('%B', 'July').replace('%m', '07').replace('%Y', '2024')"
    ".replace('%y', '24').replace('%A', 'Friday').replace('%a', 'Fri') -}}{%- endmacro -%}"
)
"""Templates that write today's date write this day's: a model is to be asked tomorrow what it learned today."""

REMEDY = "set backbone.style to plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleChoice:
    """How prompts are put to a model, and why.

    Attributes:
        style: `plain` or `chat`.
        reason: In a few words.
    """

    style: Style
    reason: str


def choose_style(setting: StyleSetting, name: str, tokenizer: Any, preset: Style | None = None) -> StyleChoice:
    """How prompts are put to a backbone.

    `auto` is what its preset says; without one, `chat` where the tokenizer has a chat template and the last part of the
    backbone's name or folder does not call it a base model (base, pt, pretrained).

    Args:
        setting: What was asked for.
        name: Preset, folder or hub id of the backbone.
        tokenizer: Its tokenizer.
        preset: What its preset says; None where it is none.

    Raises:
        UsageError: The setting is unknown.
        BackboneError: `chat` is asked for, and there is no chat template, or one that cannot be split.
    """
    if setting not in get_args(StyleSetting):
        raise UsageError(f"backbone.style is {setting!r}: choose one of {', '.join(get_args(StyleSetting))}")
    choice = _choice(setting, name, tokenizer, preset)
    if choice.style == "chat":
        if not getattr(tokenizer, "chat_template", None):
            raise BackboneError(f"{name}: its tokenizer has no chat template: {REMEDY}")
        try:
            chat_frame(tokenizer)
        except BackboneError as error:
            raise BackboneError(f"{name}: {error}") from None
    return choice


def _choice(setting: StyleSetting, name: str, tokenizer: Any, preset: Style | None) -> StyleChoice:
    if setting != "auto":
        return StyleChoice(style=setting, reason="as backbone.style says")
    if preset is not None:
        return StyleChoice(style=preset, reason="as its preset says")
    if not getattr(tokenizer, "chat_template", None):
        return StyleChoice(style="plain", reason="its tokenizer has no chat template")
    for place in (name, str(getattr(tokenizer, "name_or_path", ""))):
        last = re.split(r"[/\\]", place.rstrip("/\\"))[-1]
        said = next((part for part in re.split(r"[-_. ]", last) if part.lower() in NOT_TUNED), None)
        if said is not None:
            return StyleChoice(style="plain", reason=f"its name, {last}, says {said}: not tuned on chats")
    return StyleChoice(style="chat", reason="its tokenizer has a chat template")


def style_notice(backbone: Backbone) -> str:
    """What to say of a backbone whose prompts go through its chat template; empty of any other."""
    return f"prompts go through the chat template: {backbone.style_reason}" if backbone.style == "chat" else ""


def frame_of(tokenizer: Any, style: Style) -> Frame:
    """What stands around the prompts of a backbone.

    Raises:
        BackboneError: The style is `chat`, and the chat template cannot be split.
    """
    return chat_frame(tokenizer) if style == "chat" else plain_frame(tokenizer)


def chat_frame(tokenizer: Any) -> Frame:
    """What the chat template puts around a user's message and behind the assistant's.

    No system message is given; one that the template inserts itself stays. Where the template knows
    `enable_thinking`, thinking is off.

    Args:
        tokenizer: The backbone's tokenizer, prepared by `loading.prepare_tokenizer`.

    Raises:
        BackboneError: The template fails on a plain exchange, or does not show each message exactly once.
    """
    opening, closing = _split(_render(tokenizer, answered=False), USER)
    before, tail = _split(_render(tokenizer, answered=True), ANSWER)
    between = _split(before, USER)[1]
    # What a template writes in front of an assistant's content and not behind its generation prompt: a space.
    gap = between[len(closing) :] if between.startswith(closing) else ""
    text = TextEncoder(tokenizer)

    def whole(rendered: str) -> list[int]:
        ids: list[int] = tokenizer(rendered, add_special_tokens=False, split_special_tokens=False, verbose=False)[
            "input_ids"
        ]
        return ids

    opening_ids, text_joint = _joined(text, whole, opening)
    bare = closing.rstrip(" ")
    spaces = closing[len(bare) :] + (gap if not gap.strip(" ") else "")
    closing_ids = _behind_a_text(whole, opening, bare)
    answer_joint = _joined(text, whole, f"{opening}{WORDS[0]}{bare}{spaces}")[1]
    if spaces and not answer_joint.lead:
        closing_ids = _behind_a_text(whole, opening, closing)
    end = next((token for token in whole(tail) if token in text.control), tokenizer.eos_token_id)
    return Frame(
        opening=tuple(opening_ids),
        closing=tuple(closing_ids),
        answer_end=end,
        text=text_joint,
        answer=answer_joint,
    )


def _joined(text: TextEncoder, whole: Callable[[str], list[int]], fixed: str) -> tuple[list[int], Joint]:
    """Ids of a fixed part, and how what follows is tokenised so that the two are what they are in the whole."""
    bare = fixed.rstrip(" ")
    for head in (bare, fixed) if bare != fixed else (fixed,):
        ids = whole(head)
        for anchor in ANCHORS:
            joint = Joint(lead=fixed[len(head) :], anchor=anchor)
            if all(whole(fixed + word) == ids + text.encode(word, joint) for word in WORDS):
                return ids, joint
    return whole(fixed), ALONE


def _behind_a_text(whole: Callable[[str], list[int]], opening: str, closing: str) -> list[int]:
    """Ids of a fixed part as it stands behind a text: behind a colon where it leaves that alone, else behind a word."""
    for text in (f"{WORDS[0]}:", WORDS[0]):
        head, ids = whole(opening + text), whole(opening + text + closing)
        if ids[: len(head)] == head:
            return ids[len(head) :]
    return whole(closing)


def _render(tokenizer: Any, *, answered: bool) -> str:
    messages = [{"role": "user", "content": USER}]
    if answered:
        messages.append({"role": "assistant", "content": ANSWER})
    try:
        template = tokenizer.get_chat_template()
        thinks = {"enable_thinking": False} if "enable_thinking" in template else {}
        rendered = tokenizer.apply_chat_template(
            messages,
            chat_template=f"{THE_DAY}{template}" if "strftime_now" in template else template,
            tokenize=False,
            add_generation_prompt=not answered,
            **thinks,
        )
    except Exception as error:  # whatever a template raises, jinja2's own errors among it
        raise BackboneError(f"its chat template fails on a question and its answer ({error}): {REMEDY}") from error
    return str(rendered)


def _split(rendered: str, placeholder: str) -> Sequence[str]:
    parts = rendered.split(placeholder)
    if len(parts) != 2:
        who = "the user's" if placeholder == USER else "the assistant's"
        times = "never" if len(parts) == 1 else f"{len(parts) - 1} times"
        raise BackboneError(f"its chat template shows {who} message {times}, not once: {REMEDY}")
    return parts
