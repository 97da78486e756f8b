"""Live conversations of a server's clients."""

from __future__ import annotations

import pytest

from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.serving.sessions import Sessions, TooManySessionsError, UnknownSessionError


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def sessions(**changes: float) -> tuple[Sessions, Clock]:
    clock = Clock()
    settings = {"most": 10, "warm": 10, "turns": 100, "idle": 60.0, **changes}
    return Sessions(**settings, clock=clock), clock  # type: ignore[arg-type]


def test_whoever_goes_on_is_not_idle(recognizer: EmotionRecognizer) -> None:
    held, clock = sessions()
    kept, left = held.open(recognizer.session), held.open(recognizer.session)
    for clock.now in (40.0, 80.0, 120.0):
        held.add(kept, "Ann", "Well.")
    assert len(held.get(kept).predictions) == 3
    with pytest.raises(UnknownSessionError, match="was idle for too long"):
        held.get(left)


def test_an_idle_one_makes_room(recognizer: EmotionRecognizer) -> None:
    held, clock = sessions(most=1)
    held.open(recognizer.session)
    with pytest.raises(TooManySessionsError, match="1 live conversations are open already"):
        held.open(recognizer.session)
    clock.now = 61
    assert held.open(recognizer.session)


def test_names_cannot_be_guessed(recognizer: EmotionRecognizer) -> None:
    held, _ = sessions()
    names = {held.open(recognizer.session) for _ in range(10)}
    assert len(names) == 10
    assert min(map(len, names)) >= 20


def test_only_those_used_last_stay_in_memory_and_the_others_lose_nothing(recognizer: EmotionRecognizer) -> None:
    held, _ = sessions(warm=2)
    names = [held.open(recognizer.session) for _ in range(3)]
    alone = recognizer.session()
    texts = ["Oh no.", "Really?", "Great!"]
    for text in texts:
        said = alone.add("Ann", text)
        assert [held.add(name, "Ann", text).emotion for name in names] == [said.emotion] * 3
        assert [found.session.held_tokens > 0 for found in held._open.values()] == [False, True, True]  # type: ignore[attr-defined]
