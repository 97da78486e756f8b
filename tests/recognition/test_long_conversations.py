"""Work grows with the turns of a conversation, not with their square. Work is counted, never timed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.plain_text import ALONE, Joint, TextEncoder
from instructerc.conversation import Conversation, Utterance
from instructerc.prompts import PromptSpec, Window
from instructerc.prompts.wording import CompactWording, Turn
from instructerc.recognition import recognizer as module
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import TINY_LABELS

SAID = ("We won!", "Great.", "They lied to me again!", "See you at noon.", "Any news today?", "No.", "I passed.")


def chat(turns: int) -> Conversation:
    """No two turns alike: equal prompts would share everything."""
    return Conversation(
        "long", tuple(Utterance("AB"[turn % 2], f"{SAID[turn % len(SAID)]} {turn + 1000}") for turn in range(turns))
    )


@pytest.fixture
def work(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Counts rendered turns, encoded tokens, and tokens that go through the model."""
    done = {"turns": 0, "encoded": 0, "model": 0}
    line, encode = CompactWording._line, TextEncoder.encode

    def counted_line(wording: CompactWording, turn: Turn) -> str:
        done["turns"] += 1
        return line(wording, turn)

    def counted_encode(encoder: TextEncoder, text: str, joint: Joint = ALONE) -> list[int]:
        ids = encode(encoder, text, joint)
        done["encoded"] += len(ids)
        return ids

    def counted_pass(_: Any, __: Any, inputs: dict[str, Any]) -> None:
        done["model"] += inputs["input_ids"].numel()

    monkeypatch.setattr(CompactWording, "_line", counted_line)
    monkeypatch.setattr(TextEncoder, "encode", counted_encode)
    hook = llama.model.register_forward_pre_hook(counted_pass, with_kwargs=True)
    yield done
    hook.remove()


@pytest.mark.slow
@pytest.mark.parametrize("window", [Window(), Window(size=None, stride=12)], ids=repr)
def test_2000_turns_take_twice_the_work_of_1000(llama: Backbone, work: dict[str, int], window: Window) -> None:
    spec = PromptSpec(labels=TINY_LABELS, wording="compact", window=window)
    recognizer = EmotionRecognizer(backbone=llama, prompt=spec, max_length=100)
    recognizer.recognize(chat(1))  # whatever a backbone does once
    counts = []
    for turns in (500, 1000, 2000):
        work.update(dict.fromkeys(work, 0))
        rows = recognizer.recognize(chat(turns))
        assert [row.turn for row in rows] == list(range(turns))
        counts.append(dict(work))
    for name in work:
        first, second = counts[1][name] - counts[0][name], counts[2][name] - counts[1][name]
        assert second == pytest.approx(2 * first, rel=0.05), name


def test_turns_that_the_window_wanted_are_counted_though_nobody_rendered_them(llama: Backbone) -> None:
    spec = PromptSpec(labels=TINY_LABELS, wording="compact", window=Window(size=None, stride=4))
    rows = EmotionRecognizer(backbone=llama, prompt=spec, max_length=200).recognize(chat(120))
    dropped = [row.dropped_turns for row in rows]
    assert dropped[0] == 0
    assert all(start % 4 == 0 for start in dropped)
    assert all(0 < target - start < 20 for target, start in list(enumerate(dropped))[30:])


def test_a_slice_holds_a_bounded_number_of_tokens(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = PromptSpec(labels=TINY_LABELS, wording="compact", window=Window(size=None))
    recognizer = EmotionRecognizer(backbone=llama, prompt=spec)
    conversation = Conversation("c", chat(14).utterances)
    expected = recognizer.recognize(conversation)
    slices: list[int] = []
    answer = EmotionRecognizer.answer_encoded

    def counted(self: EmotionRecognizer, examples: Any, encoded: Any, **options: Any) -> Any:
        slices.append(sum(len(item.prompt) * len(item.answers) for item in encoded))
        return answer(self, examples, encoded, **options)

    monkeypatch.setattr(EmotionRecognizer, "answer_encoded", counted)
    monkeypatch.setattr(module, "CHUNK_TOKENS", 900)
    rows = recognizer.recognize(conversation)
    assert len(slices) > 2
    assert max(slices) <= 900
    assert [row.turn for row in rows] == list(range(14))
    for row, right in zip(rows, expected, strict=True):
        assert row.probabilities == pytest.approx(right.probabilities, abs=1e-5)
    slices.clear()
    monkeypatch.setattr(module, "CHUNK_TOKENS", 1)  # less than any example: one a slice
    assert len(recognizer.recognize(conversation)) == len(slices) == 14
