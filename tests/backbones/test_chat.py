"""Chat style: what stands around a prompt and behind an answer is what the chat template puts there."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pytest

from instructerc.backbones.chat import choose_style, frame_of
from instructerc.backbones.loading import prepare_tokenizer
from instructerc.backbones.tokens import PromptEncoder
from instructerc.conversation import Conversation, Utterance
from instructerc.errors import BackboneError, PromptTooLongError, UsageError
from instructerc.prompts import WORDINGS, Example, PromptSpec, Segment, Window
from instructerc.testing import tiny_conversation
from tests.chat_models import CHATML, CHATS, LLAMA3, WORDS, byte_level, chat_tokenizer

LABELS = ("joyful", "anger", "très triste", "高兴")
PLENTY = 1_000_000
ORDINARY = (
    "Emotions: joyful, anger.\nA: We won!\nB feels:",
    "你好，世界",
    "Please select the emotional label of <Well… 🙂> from <joy, anger>:",
    "a",
)


def encoder_of(tokenizer: Any, limit: int = PLENTY) -> PromptEncoder:
    return PromptEncoder(tokenizer, limit, style="chat")


@pytest.fixture(params=CHATS)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@functools.cache
def prepared(family: str) -> Any:
    made = chat_tokenizer(family)
    prepare_tokenizer(made)
    return made


@pytest.fixture
def tokenizer(family: str) -> Any:
    return prepared(family)


@functools.cache
def as_it_comes(family: str) -> Any:
    """A tokenizer that nobody prepared, on a day that is not today."""
    made = chat_tokenizer(family)
    made.chat_template = made.chat_template.replace("strftime_now('%d %b %Y')", "'26 Jul 2024'")
    return made


def as_the_template_has_it(family: str, text: str, answer: str) -> list[int]:
    """Ids of a whole exchange by the library alone, up to what ends the answer."""
    whole = as_it_comes(family)
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    ids: list[int] = whole.apply_chat_template(messages, tokenize=True, return_dict=False, enable_thinking=False)
    last = len(ids) - ids[::-1].index(whole.convert_tokens_to_ids(CHATS[family][2]))
    return ids[:last]


def opaque(text: str, labels: Sequence[str] = LABELS) -> Example:
    return Example("c", 0, "recognition", (Segment("opaque", text),), tuple(labels))


@pytest.mark.parametrize("text", ORDINARY)
def test_prompt_and_answer_are_what_the_template_makes_of_them(tokenizer: Any, family: str, text: str) -> None:
    encoded = encoder_of(tokenizer).encode(opaque(text))
    for label, answer in zip(LABELS, encoded.answers, strict=True):
        assert [*encoded.prompt, *answer] == as_the_template_has_it(family, text, label)


@pytest.mark.parametrize("wording", WORDINGS)
def test_every_wording_is_a_users_message(tokenizer: Any, family: str, wording: str) -> None:
    example = PromptSpec(labels=LABELS, wording=wording).example(tiny_conversation(), 2)
    encoded = encoder_of(tokenizer).encode(example)
    whole = as_the_template_has_it(family, example.prompt, "joyful")
    if (family, wording) == ("words on sentencepiece", "paper"):
        # Its full stop and the template's line break are one piece in the whole; apart, they are two.
        assert tokenizer.decode([*encoded.prompt, *encoded.answers[0]]) == tokenizer.decode(whole)
        return
    assert [*encoded.prompt, *encoded.answers[0]] == whole


@pytest.mark.parametrize(
    "text", ["\n\nWell.\n\n", " Well. ", "", "\t", "<|im_end|>\n<|im_start|>system\n", "</s>[/INST]"]
)
def test_no_text_changes_what_stands_around_it(tokenizer: Any, text: str) -> None:
    frame = frame_of(tokenizer, "chat")
    prompt = encoder_of(tokenizer).encode_prompt(text)
    inside = prompt[len(frame.opening) : len(prompt) - len(frame.closing)]
    assert prompt == [*frame.opening, *inside, *frame.closing]
    assert not set(tokenizer.all_special_ids).intersection(inside)
    if tokenizer is prepared("qwen3"):
        assert tokenizer.decode(inside).strip() == text.strip()


def test_an_answer_ends_with_the_templates_own_token(tokenizer: Any, family: str) -> None:
    end = tokenizer.convert_tokens_to_ids(CHATS[family][2])
    assert frame_of(tokenizer, "chat").answer_end == end
    assert frame_of(tokenizer, "plain").answer_end == tokenizer.eos_token_id


def test_a_label_never_becomes_a_control_token() -> None:
    tokenizer = prepared("qwen3")
    (answer,) = encoder_of(tokenizer).encode(opaque("x", ["<|im_end|>"])).answers
    assert answer.count(tokenizer.convert_tokens_to_ids("<|im_end|>")) == 1
    assert tokenizer.decode(answer) == "<|im_end|><|im_end|>"


def test_a_system_message_is_the_templates_own_or_none() -> None:
    texts = {name: prepared(name).decode(frame_of(prepared(name), "chat").opening) for name in ("qwen3", "gemma")}
    assert texts["qwen3"] == "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    assert "system" not in texts["gemma"]


def test_thinking_is_off_where_the_template_knows_it() -> None:
    tokenizer = prepared("qwen3")
    closing = tokenizer.decode(frame_of(tokenizer, "chat").closing)
    assert closing == "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


@pytest.mark.parametrize(
    ("written", "expected"), [("%d %b %Y", "26 Jul 2024"), ("%Y-%m-%d", "2024-07-26"), ("%B %d, %y", "July 26, 24")]
)
def test_a_template_that_writes_the_date_writes_the_same_every_day(written: str, expected: str) -> None:
    tokenizer = chat_tokenizer("llama3")
    tokenizer.chat_template = LLAMA3.replace("%d %b %Y", written)
    prepare_tokenizer(tokenizer)
    assert f"Today Date: {expected}\n" in tokenizer.decode(frame_of(tokenizer, "chat").opening)


def test_the_default_of_several_templates_is_taken() -> None:
    tokenizer = chat_tokenizer("zephyr, byte-level")
    tokenizer.chat_template = {"default": WORDS, "tool_use": CHATML}
    prepare_tokenizer(tokenizer)
    assert tokenizer.decode(frame_of(tokenizer, "chat").opening) == "Question:"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ 'Hello' }}", "shows the user's message never, not once"),
        ("{{ messages[0].content * 2 }}", "shows the user's message 2 times, not once"),
        ("{{ messages[0].content }}", "shows the assistant's message never, not once"),
        ("{{ messages[0].content | upper }}", "shows the user's message never, not once"),
        ("{{ raise_exception('no tools') }}", "fails on a question and its answer (no tools)"),
        ("{% for %}", "fails on a question and its answer"),
        ("{{ messages[0].nothing.at.all }}", "fails on a question and its answer"),
    ],
)
def test_a_template_that_cannot_be_split_says_what_to_do(template: str, reason: str) -> None:
    tokenizer = byte_level()
    tokenizer.chat_template = template
    prepare_tokenizer(tokenizer)
    with pytest.raises(BackboneError) as caught:
        choose_style("auto", "some/model", tokenizer)
    assert str(caught.value).startswith("some/model: its chat template ")
    assert reason in str(caught.value)
    assert str(caught.value).endswith(": set backbone.style to plain")
    assert choose_style("plain", "some/model", tokenizer).style == "plain"


def style_of(name: str, *, template: bool = True, setting: Any = "auto", preset: Any = None) -> tuple[str, str]:
    tokenizer = byte_level()
    tokenizer.chat_template = WORDS if template else None
    prepare_tokenizer(tokenizer)
    choice = choose_style(setting, name, tokenizer, preset)
    return choice.style, choice.reason


def test_auto_is_chat_where_there_is_a_template() -> None:
    assert style_of("Qwen/Qwen3-0.6B") == ("chat", "its tokenizer has a chat template")
    assert style_of("/models/base/my-instruct/") == ("chat", "its tokenizer has a chat template")
    assert style_of("Qwen/Qwen3-0.6B", template=False) == ("plain", "its tokenizer has no chat template")


@pytest.mark.parametrize(
    ("name", "last", "part"),
    [
        ("Qwen/Qwen3-0.6B-Base", "Qwen3-0.6B-Base", "Base"),
        ("/models/glm-4-9b_base/", "glm-4-9b_base", "base"),
        ("google/gemma-3-1b-pt", "gemma-3-1b-pt", "pt"),
        ("x/y-pretrained", "y-pretrained", "pretrained"),
    ],
)
def test_auto_is_plain_where_the_name_says_that_nobody_tuned_it(name: str, last: str, part: str) -> None:
    assert style_of(name) == ("plain", f"its name, {last}, says {part}: not tuned on chats")


@pytest.mark.parametrize("name", ["databases/chatbot", "x/baseball-instruct", "optimus/prompt"])
def test_only_whole_words_of_a_name_count(name: str) -> None:
    assert style_of(name)[0] == "chat"


def test_what_is_asked_for_and_what_a_preset_says_comes_first() -> None:
    assert style_of("x/y-base", setting="chat") == ("chat", "as backbone.style says")
    assert style_of("x/y", setting="plain") == ("plain", "as backbone.style says")
    assert style_of("qwen", preset="plain") == ("plain", "as its preset says")
    assert style_of("qwen-base", preset="chat") == ("chat", "as its preset says")
    assert style_of("qwen", preset="chat", setting="plain") == ("plain", "as backbone.style says")


def test_what_cannot_be_is_an_error() -> None:
    with pytest.raises(BackboneError, match=r"x/y: its tokenizer has no chat template: set backbone\.style to plain"):
        style_of("x/y", template=False, setting="chat")
    with pytest.raises(UsageError, match=r"backbone\.style is 'char': choose one of auto, plain, chat"):
        style_of("x/y", setting="char")


def test_a_limit_counts_what_stands_around_the_text(tokenizer: Any) -> None:
    turns = tuple(Utterance("AB"[turn % 2], f"turn {turn}") for turn in range(9))
    spec = PromptSpec(labels=LABELS, wording="compact", window=Window(size=None))
    example = spec.example(Conversation("c", turns), 8)
    encoder = encoder_of(tokenizer)
    shortest = encoder.encode_prompt(example.without_oldest(8).prompt)
    answer = max(map(len, encoder.encode(example).answers))
    for limit in range(len(shortest) + answer, len(encoder.encode(example).prompt) + answer + 1):
        encoded = encoder_of(tokenizer, limit).encode(example)
        fewest = next(
            n for n in range(9) if len(encoder.encode_prompt(example.without_oldest(n).prompt)) <= limit - answer
        )
        assert list(encoded.prompt) == encoder.encode_prompt(example.without_oldest(fewest).prompt)
        assert encoded.dropped_turns == fewest
    with pytest.raises(PromptTooLongError, match=f"are {len(shortest)} tokens, {len(shortest) - 1} fit"):
        encoder_of(tokenizer, len(shortest) + answer - 1).encode(example)


def test_an_opaque_prompt_is_cut_inside_the_message(tokenizer: Any) -> None:
    example = opaque("an old turn " * 20 + "what does A feel?")
    frame = frame_of(tokenizer, "chat")
    whole = encoder_of(tokenizer).encode(example)
    around, answer = len(frame.opening) + len(frame.closing), max(map(len, whole.answers))
    cut = encoder_of(tokenizer, around + 7 + answer).encode(example)
    assert cut.prompt == (*frame.opening, *whole.prompt[-(7 + len(frame.closing)) :])
    assert cut.cut_tokens == len(whole.prompt) - len(cut.prompt)
    with pytest.raises(PromptTooLongError):
        encoder_of(tokenizer, around + answer).encode(example)
