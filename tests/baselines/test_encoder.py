"""A fine-tuned encoder: its input, its head, its epochs."""

from __future__ import annotations

import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instructerc.baselines import EncoderClassifier, baseline
from instructerc.baselines.encoder_model import (
    EncoderModel,
    TurnEncoding,
    TurnTokens,
    batches_of_like_length,
    load_encoder,
    load_encoder_config,
)
from instructerc.conversation import Conversation
from instructerc.errors import BackboneError, DataError, NonFiniteLossError, UnknownNameError, UsageError
from instructerc.testing import tiny_llama
from tests.baselines.encoders import news, talk, tiny_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder, to be read only."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


def _encoding(folder: Path, *, history: int = 3, longest: int = 32) -> TurnEncoding:
    _, tokenizer = load_encoder_config(str(folder), None)
    return TurnEncoding.of(tokenizer, history=history, longest=longest, name="tiny")


def _tokens(encoding: TurnEncoding, turn: TurnTokens) -> tuple[str, str]:
    ids = list(turn.ids)
    words = encoding.tokenizer.convert_ids_to_tokens
    return " ".join(words(ids[: turn.target])), " ".join(words(ids[turn.target :]))


CHAT = talk("c", ("we won", None), ("great !", None), ("see you at noon", None))


def test_turns_are_read_after_their_history_with_separators(folder: Path) -> None:
    encoding = _encoding(folder, history=2)
    assert [_tokens(encoding, turn) for turn in encoding.turns(CHAT)] == [
        ("[CLS]", "we won [SEP]"),
        ("[CLS] we won [SEP]", "great ! [SEP]"),
        ("[CLS] we won [SEP] great ! [SEP]", "see you at noon [SEP]"),
    ]
    assert encoding.turns(Conversation("empty", ())) == []


def test_without_history_a_turn_stands_alone(folder: Path) -> None:
    encoding = _encoding(folder, history=0)
    assert [_tokens(encoding, turn)[0] for turn in encoding.turns(CHAT)] == ["[CLS]"] * 3


def test_too_long_an_input_loses_its_oldest_turns_and_then_the_end_of_the_turn(folder: Path) -> None:
    assert _tokens(_encoding(folder, longest=9), _encoding(folder, longest=9).turns(CHAT)[2]) == (
        "[CLS] great ! [SEP]",
        "see you at noon [SEP]",
    )
    short = _encoding(folder, longest=4)
    assert _tokens(short, short.turns(CHAT)[2]) == ("[CLS]", "see you [SEP]")
    with pytest.raises(BackboneError, match="2 tokens leave no room for a turn"):
        _encoding(folder, longest=2)


def test_what_users_write_is_no_control_token(folder: Path) -> None:
    encoding = _encoding(folder)
    (turn,) = encoding.turns(talk("c", ("[SEP] won", None)))
    assert list(turn.ids).count(encoding.separator) == 1


def test_the_input_is_that_of_the_tokenizer_itself(folder: Path) -> None:
    encoding = _encoding(folder, history=1)
    pair = encoding.tokenizer("we won", "great !")["input_ids"]
    assert list(encoding.turns(CHAT)[1].ids) == pair


def test_a_turn_without_words_is_judged_by_what_closes_it(folder: Path, tmp_path: Path) -> None:
    encoding = _encoding(folder)
    assert _tokens(encoding, encoding.turns(talk("c", ("", None)))[0]) == ("[CLS]", "[SEP]")
    # A tokenizer that closes nothing: there has to be a token all the same.
    llama = _encoding(tiny_llama(tmp_path / "llama"))
    (turn,) = llama.turns(talk("c", ("", None)))
    assert (len(turn), turn.target) == (1, 0)


def test_padding_changes_nothing(folder: Path) -> None:
    encoding = _encoding(folder)
    model = load_encoder(str(folder), None, labels=3, device="cpu", autocast=False)
    model.train(False)
    turns = encoding.turns(CHAT)
    with torch.inference_mode():
        together, alone = model.logits(turns), torch.cat([model.logits([turn]) for turn in turns])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_the_head_reads_the_mean_over_the_target(folder: Path) -> None:
    from transformers import AutoModel

    model = load_encoder(str(folder), None, labels=3, device="cpu", autocast=False)
    model.train(False)
    turn = _encoding(folder).turns(CHAT)[1]
    theirs = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        hidden = theirs(input_ids=torch.tensor([turn.ids])).last_hidden_state[0, turn.target :].mean(0)
        torch.testing.assert_close(model.logits([turn])[0], model.head(hidden), atol=1e-5, rtol=0)


@given(st.lists(st.integers(1, 300), max_size=200), st.integers(1, 7))
def test_batches_meet_every_turn_once(lengths: list[int], batch_size: int) -> None:
    batches = list(batches_of_like_length(lengths, batch_size, random.Random(0)))
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    assert batches == list(batches_of_like_length(lengths, batch_size, random.Random(0)))


def _classifier(folder: Path, **settings: Any) -> EncoderClassifier:
    given: dict[str, Any] = {"epochs": 30, "learning_rate": 5e-3, "batch_size": 4, "device": "cpu", **settings}
    return EncoderClassifier(name=str(folder), **given)


@pytest.mark.slow
def test_it_learns_what_only_the_history_tells(folder: Path) -> None:
    gold = tuple(tuple(turn.emotion for turn in chat.utterances) for chat in news("test"))
    fitted = _classifier(folder).fit(news("train"), news("validation"))
    assert fitted.predict(news("test")) == gold
    alone = _classifier(folder, history=0).fit(news("train"), news("validation")).predict(news("test"))
    assert len({labels[1] for labels in alone}) == 1
    assert fitted.predict([Conversation("empty", ())]) == ((),)


class _Told:
    def __init__(self) -> None:
        self.figures: list[tuple[float, bool]] = []
        self.steps: list[tuple[int, float | None]] = []
        self.planned = 0

    def started(self, *, steps: int, done: int) -> None:
        self.planned = steps

    def step(self, done: int, loss: float | None) -> None:
        self.steps.append((done, loss))

    def validated(self, epoch: int, figures: Mapping[str, float], *, best: bool) -> None:
        self.figures.append((figures["weighted_f1"], best))

    def phase(self, text: str) -> None: ...
    def note(self, text: str) -> None: ...
    def encoded(self, done: int, total: int) -> None: ...


def test_the_best_epoch_on_validation_is_kept(folder: Path) -> None:
    # On contrary labels every epoch of learning makes it worse.
    turned = {"joy": "anger", "anger": "joy"}
    contrary = tuple(
        talk(chat.id, *((turn.text, turned[turn.emotion or ""]) for turn in chat.utterances)) for chat in news("v")
    )
    told = _Told()
    fitted: Any = _classifier(folder, epochs=12).fit(news("train"), contrary, watcher=told)
    figures = [figure for figure, _ in told.figures]
    assert fitted.validation == tuple(figures)
    assert fitted.best_epoch == figures.index(max(figures)) + 1 < 12
    assert figures[-1] < max(figures)
    assert [place for place, (_, best) in enumerate(told.figures, 1) if best][-1] == fitted.best_epoch
    assert told.planned == len(told.steps) == told.steps[-1][0] == 24
    assert [done for done, loss in told.steps if loss is not None] == [10, 20, 24]
    # The model is that epoch's, not the last one's.
    answers = [label for labels in fitted.predict(contrary) for label in labels]
    golds = [turn.emotion for chat in contrary for turn in chat.utterances]
    from sklearn.metrics import f1_score

    assert f1_score(golds, answers, average="weighted") == pytest.approx(max(figures))


def test_without_validation_the_last_epoch_is_kept(folder: Path) -> None:
    fitted: Any = _classifier(folder, epochs=2).fit(news("train"), [talk("v", ("not labelled", None))])
    assert (fitted.best_epoch, fitted.validation) == (2, ())


def test_a_label_that_only_validation_holds_counts_as_wrong(folder: Path) -> None:
    fitted: Any = _classifier(folder, epochs=1).fit(news("train"), [talk("v", ("hello", "fear"))])
    assert fitted.validation == (0.0,)


def test_a_seed_decides_everything_and_leaves_the_random_state(folder: Path) -> None:
    state = torch.random.get_rng_state()
    fitted: list[Any] = [_classifier(folder, epochs=2, seed=seed).fit(news("train")) for seed in (1, 1, 2)]
    heads = [one.model.head.weight for one in fitted]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    assert torch.equal(state, torch.random.get_rng_state())


def test_one_label_is_the_answer_and_none_is_an_error() -> None:
    same = [talk("a", ("x", "joy"), ("y", "joy"))]
    assert baseline("encoder").fit(same).predict(news("t"))[0] == ("joy", "joy")
    with pytest.raises(DataError, match="none of 1 training conversations has a labelled turn"):
        baseline("encoder").fit([talk("a", ("hi", None))])


def test_a_loss_that_explodes_ends_the_training(folder: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="lower the learning rate"):
        _classifier(folder, learning_rate=1e38, epochs=20).fit(news("train"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"history": -1}, "history is -1: give 0 or more"),
        ({"epochs": 0, "batch_size": 0}, "epochs is 0: give 1 or more; batch_size is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
    ],
)
def test_numbers_that_cannot_be_used_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        EncoderClassifier(**settings)


def test_a_language_model_serves_as_well(tmp_path: Path) -> None:
    folder = tiny_llama(tmp_path / "llama")
    classifier = _classifier(folder, epochs=1)
    classifier.require()
    assert len(classifier.fit(news("train")).predict(news("test"))) == 4


def test_of_an_encoder_decoder_the_encoder_is_taken(folder: Path, tmp_path: Path) -> None:
    import shutil

    from transformers import T5Config, T5Model

    place = tmp_path / "t5"
    shutil.copytree(folder, place)
    config = T5Config(vocab_size=40, d_model=16, d_kv=4, d_ff=32, num_layers=1, num_heads=4)
    T5Model(config).save_pretrained(place)
    model = load_encoder(str(place), None, labels=2, device="cpu", autocast=False)
    assert model.logits(_encoding(place).turns(CHAT)).shape == (3, 2)


def test_a_checkpoint_that_lacks_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    place = tmp_path / "torn"
    shutil.copytree(folder, place)
    weights = load_file(place / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "layer.1" not in name and not name.startswith("pooler")}
    save_file(kept, place / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError, match=r"its weights lack .*layer\.1.* and \d+ more: copy the checkpoint again"):
        _classifier(place).fit(news("train"))


class _Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('code of a checkpoint ran')",))


def test_a_pickle_that_could_run_code_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    place = tmp_path / "pickle"
    shutil.copytree(folder, place)
    (place / "model.safetensors").unlink()
    torch.save({"embeddings": _Harm()}, place / "pytorch_model.bin", pickle_module=pickle)
    with pytest.raises(BackboneError, match="could run code: refused"):
        _classifier(place).fit(news("train"))


def test_names_that_lead_nowhere_are_found_out_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'all-MiniLM-L6-v2'"):
        EncoderClassifier(name="all-MiniLM-L6").require()
    with pytest.raises(BackboneError, match=r"has no config\.json"):
        EncoderClassifier(name=str(tmp_path)).require()
    with pytest.raises(
        BackboneError, match=r"nobody/nothing: the hub did not deliver nobody/nothing .*unset HF_HUB_OFFLINE"
    ):
        EncoderClassifier(name="nobody/nothing").require()
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BackboneError, match="cannot be loaded as an encoder"):
        EncoderClassifier(name=str(tmp_path)).require()


def test_bfloat16_computes_the_same_about(folder: Path) -> None:
    turns = _encoding(folder).turns(CHAT)
    model = load_encoder(str(folder), None, labels=3, device="cpu", autocast=False)
    model.train(False)
    half = EncoderModel(encoder=model.encoder, head=model.head, pad=model.pad, autocast=True)
    with torch.inference_mode():
        torch.testing.assert_close(half.logits(turns), model.logits(turns), atol=0.05, rtol=0.05)
