"""Tiny corpora that several tests of mixing share."""

from __future__ import annotations

from instructerc.conversation import Conversation, Corpus, Utterance

SCENE = "Oh -- you can't park your car here!"
HEARD = "oh, you CANT park your car here"


def talk(name: str, *turns: tuple[str, str | None]) -> Conversation:
    """A conversation of two speakers, A and B in turn."""
    said = (Utterance("AB"[number % 2], text, emotion) for number, (text, emotion) in enumerate(turns))
    return Conversation(name, tuple(said))


FIRST = Corpus(
    "first",
    ("joy", "anger"),
    train=(
        talk("1", ("Hi.", "joy"), (SCENE, "anger"), ("Why not?", None)),
        talk("2", ("We did it!", "joy"), ("Did we?", "anger"), ("Yes.", "joy"), ("No.", "joy")),
    ),
    validation=(talk("3", ("Hm.", "joy")),),
    test=(talk("4", ("Hi.", "anger")),),
)
SECOND = Corpus(
    "second",
    ("glad", "mad"),
    train=(talk("1", ("Look!", "glad"), ("What?", "mad")),),
    validation=(talk("3", (HEARD, "mad"), ("Sorry.", None)),),
    test=(talk("4", ("Hi.", "glad")),),
)
