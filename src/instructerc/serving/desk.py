"""One queue in front of the models: requests of several clients are read together, sessions in their turn.

One thread computes, and takes what waits: as many conversations as fit into a batch go through the model as one, so
that rows are full however small the requests are. Between two batches it makes every call that waits, such as a turn of
a live conversation, which is small and has a person behind it. Who asks waits without holding a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from instructerc.conversation import Conversation
from instructerc.errors import InstructERCError, PromptError
from instructerc.recognition.labelling import Recognizer
from instructerc.recognition.predictions import TurnPrediction

Result = TypeVar("Result")
Answers = list[tuple[TurnPrediction, ...]]


class BusyError(InstructERCError):
    """More waits for the model than a server lets wait."""


class ClosedError(InstructERCError):
    """The server is shutting down."""


@dataclass(slots=True, eq=False)
class _Job(Generic[Result]):
    """Something that the worker does: conversations to recognise, or a call of its own."""

    turns: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    recognizer: Recognizer | None = None
    conversations: Sequence[Conversation] = ()
    call: Callable[[], Any] | None = None
    dropped: bool = False

    def succeed(self, value: Any) -> None:
        self._settle(lambda: self.future.set_result(value))

    def fail(self, error: BaseException) -> None:
        self._settle(lambda: self.future.set_exception(error))

    def _settle(self, settle: Callable[[], None]) -> None:
        def unless_done() -> None:
            if not self.future.done():
                settle()

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(unless_done)


@dataclass(slots=True)
class DeskStatistics:
    """What went over the desk.

    Attributes:
        batches: Times that a model was asked for conversations.
        requests: Requests in them.
        turns: Turns in them.
    """

    batches: int = 0
    requests: int = 0
    turns: int = 0


@dataclass(slots=True)
class Desk:
    """Takes requests, and has one thread answer them. Open it with `with`.

    Attributes:
        batch: Turns that are read together.
        queue: Turns that may wait.
        statistics: What went over it.
    """

    batch: int = 64
    queue: int = 8_192
    statistics: DeskStatistics = field(default_factory=DeskStatistics)
    _waiting: deque[_Job[Any]] = field(default_factory=deque)
    _condition: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = True
    _batched: bool = False
    _thread: threading.Thread | None = None

    def __enter__(self) -> Desk:
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="recogniser")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Takes nothing more, and ends when everything that was taken is answered."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()

    @property
    def waiting_turns(self) -> int:
        """Turns that wait for a model."""
        with self._condition:
            return sum(job.turns for job in self._waiting)

    async def recognize(self, recognizer: Recognizer, conversations: Sequence[Conversation]) -> Answers:
        """The predictions of conversations, in order; read together with what others ask of the same recogniser.

        Raises:
            BusyError: Too much waits already.
            ClosedError: The desk is closed.
            PromptError: A conversation cannot be read by the model.
        """
        turns = max(1, sum(map(len, conversations)))
        job: _Job[Answers] = _Job(turns, *_here(), recognizer=recognizer, conversations=tuple(conversations))
        answers: Answers = await self._put(job)
        return answers

    async def call(self, work: Callable[[], Result]) -> Result:
        """Runs something in the model's thread, when its turn comes.

        Raises:
            As `recognize`, and whatever `work` raises.
        """
        result: Result = await self._put(_Job(1, *_here(), call=work))
        return result

    async def _put(self, job: _Job[Any]) -> Any:
        with self._condition:
            if self._closed:
                raise ClosedError("the server is shutting down: ask again in a moment")
            waiting = self.waiting_turns
            if waiting + job.turns > self.queue and self._waiting:
                raise BusyError(f"{waiting:,} turns wait for the model already: ask again in a moment")
            self._waiting.append(job)
            self._condition.notify()
        try:
            return await job.future
        finally:
            job.dropped = True  # who asked went away, or waited too long: nobody reads the answer

    def _work(self) -> None:
        while (jobs := self._next()) is not None:
            self._batched = bool(jobs) and jobs[0].call is None
            if self._batched:
                self._recognize(jobs)
            else:
                for job in jobs:
                    _call(job)

    def _next(self) -> list[_Job[Any]] | None:
        """Calls, or requests that go together; nothing where nobody waits any more, None at the very end."""
        with self._condition:
            while not self._waiting and not self._closed:
                self._condition.wait()
            if not self._waiting:
                return None
            waiting = [job for job in self._waiting if not job.dropped]
            calls = [job for job in waiting if job.call is not None]
            # By turns, so that neither can keep the other waiting for more than one round.
            calls_first = bool(calls) and (self._batched or len(calls) == len(waiting))
            taken = calls if calls_first else _together([job for job in waiting if job.call is None], self.batch)
            self._waiting = deque(job for job in waiting if job not in taken)
            return taken

    def _recognize(self, jobs: Sequence[_Job[Any]]) -> None:
        recognizer = jobs[0].recognizer
        assert recognizer is not None
        try:
            together = [conversation for job in jobs for conversation in job.conversations]
            rows = iter(list(recognizer.recognize_all(together)))
        except PromptError as error:
            if len(jobs) == 1:
                jobs[0].fail(error)
                return
            for job in jobs:  # one client's conversation that cannot be read is no other client's fault
                self._recognize([job])
            return
        except BaseException as error:  # whatever it is, the thread goes on, and who asked is told
            for job in jobs:
                job.fail(error)
            return
        self.statistics.batches += 1
        self.statistics.requests += len(jobs)
        self.statistics.turns += sum(job.turns for job in jobs)
        for job in jobs:
            job.succeed([next(rows) for _ in job.conversations])


def _together(waiting: Sequence[_Job[Any]], most: int) -> list[_Job[Any]]:
    """The request that has waited longest, and those that the same recogniser can answer with it."""
    taken = list(waiting[:1])
    turns = sum(job.turns for job in taken)
    for job in waiting[1:]:
        if job.recognizer is taken[0].recognizer and turns + job.turns <= most:
            taken.append(job)
            turns += job.turns
    return taken


def _call(job: _Job[Any]) -> None:
    assert job.call is not None
    try:
        job.succeed(job.call())
    except BaseException as error:
        job.fail(error)


def _here() -> tuple[asyncio.AbstractEventLoop, asyncio.Future[Any]]:
    loop = asyncio.get_running_loop()
    return loop, loop.create_future()
