"""The queue in front of the model: what is read together, what is refused, what happens to what nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from instructerc.conversation import Conversation, Utterance
from instructerc.errors import PromptTooLongError
from instructerc.recognition.predictions import TurnPrediction
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.serving.desk import BusyError, ClosedError, Desk
from instructerc.testing import tiny_corpus

CHATS = tiny_corpus().test


@asynccontextmanager
async def busy(desk: Desk) -> AsyncIterator[Callable[[], None]]:
    """A desk whose thread is kept waiting until what it gives is called."""
    begun, release = threading.Event(), threading.Event()
    desk.__enter__()
    held = asyncio.create_task(desk.call(lambda: (begun.set(), release.wait())))
    await asyncio.to_thread(begun.wait)
    try:
        yield release.set
    finally:
        release.set()
        await held
        await asyncio.to_thread(desk.__exit__)


async def settled(desk: Desk, turns: int) -> None:
    while desk.waiting_turns < turns:
        await asyncio.sleep(0.001)


def test_what_waits_is_read_together_and_answered_apart(recognizer: EmotionRecognizer) -> None:
    async def scene() -> tuple[list[Any], Desk]:
        desk = Desk(batch=100)
        async with busy(desk) as release:
            tasks = [asyncio.create_task(desk.recognize(recognizer, [chat])) for chat in CHATS]
            await settled(desk, sum(map(len, CHATS)))
            release()
            return await asyncio.gather(*tasks), desk

    answers, desk = asyncio.run(scene())
    assert (desk.statistics.batches, desk.statistics.requests) == (1, len(CHATS))
    for (rows,), chat in zip(answers, CHATS, strict=True):
        assert [row.emotion for row in rows] == [row.emotion for row in recognizer.recognize(chat)]
        assert {row.conversation for row in rows} == {chat.id}


def test_a_batch_is_bounded_and_takes_one_recogniser_alone(recognizer: EmotionRecognizer) -> None:
    other = recognizer.asking(labels=["calm", "tense"])

    async def scene() -> Desk:
        desk = Desk(batch=8)
        async with busy(desk) as release:
            tasks = [asyncio.create_task(desk.recognize(recognizer, [chat])) for chat in CHATS[:3]]
            tasks.append(asyncio.create_task(desk.recognize(other, CHATS[:1])))
            await settled(desk, 16)
            release()
            await asyncio.gather(*tasks)
            return desk

    # Two and one of the first, and one of the other.
    assert asyncio.run(scene()).statistics.batches == 3


def test_a_conversation_that_cannot_be_read_fails_alone(recognizer: EmotionRecognizer) -> None:
    endless = Conversation("endless", (Utterance("Ann", "word " * 900),))

    async def scene() -> list[Any]:
        desk = Desk()
        async with busy(desk) as release:
            tasks = [asyncio.create_task(desk.recognize(recognizer, [chat])) for chat in (CHATS[0], endless, CHATS[1])]
            await settled(desk, 9)
            release()
            return await asyncio.gather(*tasks, return_exceptions=True)

    first, fault, last = asyncio.run(scene())
    assert isinstance(fault, PromptTooLongError)
    assert len(first[0]) == len(last[0]) == 4


def test_what_is_too_much_is_refused_and_what_was_taken_is_answered(recognizer: EmotionRecognizer) -> None:
    async def scene() -> tuple[Any, list[Any]]:
        desk = Desk(queue=8)
        async with busy(desk) as release:
            tasks = [asyncio.create_task(desk.recognize(recognizer, [chat])) for chat in CHATS[:2]]
            await settled(desk, 8)
            with pytest.raises(BusyError, match="8 turns wait for the model already"):
                await desk.recognize(recognizer, CHATS[:1])
            with pytest.raises(BusyError):
                await desk.call(int)
            release()
            return None, await asyncio.gather(*tasks)

    assert [len(answer[0]) for answer in asyncio.run(scene())[1]] == [4, 4]


def test_what_nobody_waits_for_is_not_computed(recognizer: EmotionRecognizer) -> None:
    async def scene() -> Desk:
        desk = Desk()
        async with busy(desk) as release:
            task = asyncio.create_task(desk.recognize(recognizer, CHATS[:1]))
            await settled(desk, 4)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            release()
            await desk.call(int)
            return desk

    assert asyncio.run(scene()).statistics.batches == 0


def test_whatever_goes_wrong_the_next_one_is_answered(recognizer: EmotionRecognizer) -> None:
    class Broken:
        model_hash = ""
        labels = ("joy",)

        def recognize_all(
            self, conversations: Iterable[Conversation], *, progress: Any = None
        ) -> Iterator[tuple[TurnPrediction, ...]]:
            raise MemoryError

    async def scene() -> Any:
        with Desk() as desk:
            with pytest.raises(MemoryError):
                await desk.recognize(Broken(), CHATS[:1])
            with pytest.raises(ZeroDivisionError):
                await desk.call(lambda: 1 // 0)
            return await desk.recognize(recognizer, CHATS[:1])

    assert len(asyncio.run(scene())[0]) == 4


def test_a_desk_that_closes_answers_what_it_took_and_takes_nothing_more(recognizer: EmotionRecognizer) -> None:
    async def scene() -> Any:
        desk = Desk()
        async with busy(desk) as release:
            task = asyncio.create_task(desk.recognize(recognizer, CHATS[:1]))
            await settled(desk, 4)
            closing = asyncio.create_task(asyncio.to_thread(desk.__exit__))
            while not desk._closed:
                await asyncio.sleep(0.001)
            with pytest.raises(ClosedError, match="shutting down"):
                await desk.recognize(recognizer, CHATS[:1])
            release()
            await closing
            return await task

    assert len(asyncio.run(scene())[0]) == 4
