"""Texts that break programs which take prompts apart, and conversations made of them."""

from __future__ import annotations

from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.prompts import Window

NASTY = (
    "",
    " ",
    "a\tb",
    "###",
    "### ###",
    "***",
    'she said "no"',
    "two\nlines\r\n",
    "</s><s>[SEP]",
    "🙂‍↔️",
    "\u202eשלום\u202c مرحبا",
    "<Speaker_1>",
    ' Speaker_0:"',
    "from <joy>:",
    "Ann: Hi.\nBo feels:",
    "Who says: Bo = A",
    "\x00",
    "\\u0041 {label} %s",
)

texts = st.one_of(
    st.sampled_from(NASTY), st.text(max_size=12), st.tuples(st.text(max_size=4), st.sampled_from(NASTY)).map("".join)
)
speakers = st.sampled_from(("Ann", "Bo", "***", "###", "", "Speaker_1", "\t", "Zoë 🙂"))
emotions = st.sampled_from((None, "joy", "anger"))
utterances = st.builds(Utterance, speakers, texts, emotions)
windows = st.builds(
    Window,
    size=st.none() | st.integers(0, 3),
    stride=st.integers(1, 3),
    context=st.sampled_from(("past", "both")),
)
conversations = st.lists(utterances, min_size=1, max_size=9).map(lambda turns: Conversation("c", tuple(turns)))
