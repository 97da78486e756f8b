"""A small report that holds everything once, hostile text included."""

from __future__ import annotations

from instructerc.conversation import Utterance
from instructerc.evaluation import evaluate
from instructerc.recognition.predictions import TurnPrediction
from instructerc.reporting import Curves, Report, WrongTurn, report_of_rows

LABELS = ("neutral", "joy", "anger")
SCRIPT = "<script>alert('x')</script>"
HEBREW = "אני לא מאמין! \u202e txet"
EMOJI = "👩‍👩‍👧 🙂"


def rows() -> list[TurnPrediction]:
    sure = {"neutral": 0.2, "joy": 0.7, "anger": 0.1}
    unsure = {"neutral": 0.3, "joy": 0.4, "anger": 0.3}
    turns = [
        ("a", "Eve", "hello", "neutral", "neutral", {"neutral": 1.0, "joy": 0.0, "anger": 0.0}),
        ("a", SCRIPT, HEBREW, "anger", "joy", unsure),
        ("a", "Eve", f"{EMOJI} | `x` *y*\nz", "neutral", "joy", sure),
        ("b", "Ann", "", None, "joy", sure),
        ("b", "Bob", "yes", "joy", "joy", sure),
    ]
    return [
        TurnPrediction(
            conversation=conversation,
            turn=turn,
            speaker=speaker,
            text=text,
            gold=gold,
            emotion=emotion,
            probabilities=probabilities,
            dropped_turns=2 if turn == 2 else 0,
        )
        for turn, (conversation, speaker, text, gold, emotion, probabilities) in enumerate(turns)
    ]


def report() -> Report:
    return report_of_rows(
        rows(),
        title=f"Run {SCRIPT}",
        summary=HEBREW,
        labels=LABELS,
        neutral="neutral",
        samples=50,
        baselines={f"guess {SCRIPT}": evaluate(golds=["joy"], predictions=["joy"], labels=LABELS)},
        scores={"validation": evaluate(golds=["joy", "anger"], predictions=["joy", "bliss"], labels=LABELS)},
        curves=Curves(
            loss=tuple((float(step), 1 / (step + 1)) for step in range(30)),
            validation=((1.0, 0.4), (2.0, 0.5)),
            best_epoch=2.0,
        ),
        notices=[f"Beware of {SCRIPT}."],
        provenance={f"Run {SCRIPT}": {f"seed {SCRIPT}": 42, "file": SCRIPT, "peak": None, "bf16": True}},
    )


def hostile_turn() -> WrongTurn:
    return WrongTurn(
        conversation=SCRIPT,
        turn=0,
        utterance=Utterance(SCRIPT, "null \x00 and half a pair \ud83d", SCRIPT),
        emotion=f'"{SCRIPT}',
        answer=f"</q>{SCRIPT}",
    )
