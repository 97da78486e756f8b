"""Speaker numbers of several corpora."""

from __future__ import annotations

import json

import pytest

from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.corpora.leak_guard import LeaveIn
from instructerc.corpora.mixing import mix_corpora
from instructerc.corpora.unified import FEELING_WHEEL
from instructerc.errors import ArtefactError
from instructerc.labels import DAILYDIALOG, EMORYNLP, IEMOCAP, MELD, LabelSet
from instructerc.prompts import PromptSpec
from instructerc.prompts.offsets import speaker_offsets


def corpus(labels: LabelSet, speakers: list[str], name: str = "") -> Corpus:
    turns = tuple(Utterance(speaker, f"I am {speaker}.", labels.labels[1]) for speaker in speakers)
    return Corpus(name or labels.name, labels.labels, train=(Conversation("1", turns),))


NINE = [f"S{number}" for number in range(9)]
MIXTURE = mix_corpora(
    [
        corpus(IEMOCAP, ["F", "M"], "iemocap-cosmic"),
        corpus(MELD, NINE),
        corpus(EMORYNLP, NINE),
        corpus(DAILYDIALOG, ["A", "B"]),
    ],
    mapping=FEELING_WHEEL,
    protocol=LeaveIn(),
)


def spec(wording: str) -> PromptSpec:
    return PromptSpec(
        labels=MIXTURE.corpus.labels,
        wording=wording,
        speaker_order=("M", "F"),
        speaker_offsets=speaker_offsets(MIXTURE.parts, wording=wording),
    )


def numbers(spec: PromptSpec) -> list[list[str | None]]:
    return [
        [example.target for example in spec.examples(conversation, task="speaker_identification")]
        for conversation in MIXTURE.corpus.train
    ]


def named(*ks: int) -> list[str]:
    return [f"Speaker_{k}" for k in ks]


def test_the_released_wording_has_the_released_numbers() -> None:
    assert numbers(spec("released")) == [
        named(1, 0),
        named(*range(2, 11)),
        named(*range(10, 19)),
        named(19, 20),
    ]


def test_every_other_wording_has_no_number_twice() -> None:
    offsets = speaker_offsets(MIXTURE.parts, wording="compact")
    assert offsets == {"iemocap-cosmic": 0, "meld": 2, "emorynlp": 11, "dailydialog": 20}
    last = [list(spec("compact").examples(conversation))[-1].prompt for conversation in MIXTURE.corpus.train]
    assert [prompt.splitlines()[-1] for prompt in last] == ["A feels:", "K feels:", "T feels:", "V feels:"]


def test_a_speaker_is_sought_among_those_of_its_corpus() -> None:
    candidates = [
        next(spec("released").examples(conversation, task="speaker_identification")).candidates
        for conversation in MIXTURE.corpus.train
    ]
    assert candidates[0] == tuple(named(0, 1))
    assert candidates[1] == tuple(named(*range(2, 11)))
    assert candidates[3] == tuple(named(*range(19, 28)))


def test_a_conversation_from_elsewhere_is_counted_from_zero() -> None:
    chat = Conversation("chat:001", (Utterance("Ann", "Hi."),))
    assert '\t Speaker_0:"Hi."' in spec("released").example(chat, 0).prompt


def test_offsets_are_saved_with_the_spec_and_change_its_hash() -> None:
    mixed = spec("released")
    assert PromptSpec.from_json(json.loads(json.dumps(mixed.to_json()))) == mixed
    single = PromptSpec(labels=mixed.labels, speaker_order=("M", "F"))
    assert "speaker_offsets" not in single.to_json()
    assert single.hash != mixed.hash
    assert hash(mixed) == hash(mixed)
    with pytest.raises(ArtefactError, match="no prompt spec of ours"):
        PromptSpec.from_json({**mixed.to_json(), "speaker_offsets": "meld"})


def test_a_name_that_iemocap_also_has_takes_no_number_of_another_corpus() -> None:
    mixture = mix_corpora(
        [corpus(MELD, ["F", "Ann"], "first"), corpus(MELD, ["Cy", "Di"], "second"), corpus(MELD, ["F", "M"], "third")],
        protocol=LeaveIn(),
    )
    offsets = speaker_offsets(mixture.parts, wording="compact")
    asked = PromptSpec(labels=MELD.labels, wording="paper", speaker_order=("M", "F"), speaker_offsets=offsets)
    found = [
        [example.target for example in asked.examples(conversation, task="speaker_identification")]
        for conversation in mixture.corpus.train
    ]
    assert found == [["Speaker_0", "Speaker_1"], ["Speaker_2", "Speaker_3"], ["Speaker_5", "Speaker_4"]]
