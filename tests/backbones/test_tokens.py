"""From examples to token ids: text stays text, and what goes when a prompt is too long."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructerc.assets.embedded import embedded_model_directory
from instructerc.backbones.embedded import load_embedded_tokenizer
from instructerc.backbones.loading import prepare_tokenizer
from instructerc.backbones.tokens import PromptEncoder
from instructerc.conversation import Conversation, Utterance
from instructerc.errors import PromptError, PromptTooLongError
from instructerc.prompts import WORDINGS, Example, PromptSpec, Segment, Window
from instructerc.prompts.demonstration import Demonstration, DemonstrationSpec
from instructerc.prompts.wording import CompactWording, Turn
from instructerc.testing import tiny_conversation, tiny_corpus
from tests.tiny_models import load, tiny_llama

PLENTY = 1_000_000
LABELS = ("joy", "anger", "frustrated")
CONTROL = (
    *("<s>", "</s>", "<unk>", "<pad>", "[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "<|endoftext|>", "<|im_start|>"),
    *("<|im_end|>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[control_8]", "<think>", "</think>"),
    *("<<SYS>>", "<|eot_id|>", "<｜User｜>", "<0x0A>", "▁", "##s", "<mask>"),
)


def llama2(shared: Path, _: Path) -> Any:
    from transformers import LlamaTokenizer

    return LlamaTokenizer(tokenizer_file=str(shared / "tokenizers/llama2/tokenizer.json"))


def gpt2(shared: Path, _: Path) -> Any:
    from transformers import GPT2Tokenizer

    folder = shared / "tokenizers/gpt2"
    return GPT2Tokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))


def _mistral(shared: Path, name: str, folder: Path) -> Any:
    from transformers import LlamaTokenizer

    shutil.copy(shared / "tokenizers/mistral" / name, folder / "tokenizer.model")
    # As the configurations of Mistral's repositories say.
    return LlamaTokenizer.from_pretrained(folder, add_bos_token=True)


def mistral_v1(shared: Path, folder: Path) -> Any:
    return _mistral(shared, "tokenizer.model.v1", folder)


def mistral_v3(shared: Path, folder: Path) -> Any:
    """Its 768 control pieces, [INST] among them, are added tokens."""
    return _mistral(shared, "mistral_instruct_tokenizer_240323.model.v3", folder)


def embedded(*_: Path) -> Any:
    return load_embedded_tokenizer(embedded_model_directory())


def tiny(_: Path, folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_llama(folder))


def thinking(shared: Path, folder: Path) -> Any:
    """Like Qwen's: control tokens that are not flagged as special, beside added words and spaces that are text."""
    from transformers import AddedToken

    tokenizer = tiny(shared, folder)
    tokenizer.add_tokens(
        [AddedToken(text, special=False, normalized=False) for text in ("<think>", "</think>", "<｜User｜>", "[INST]")]
    )
    tokenizer.add_tokens([AddedToken("    ", special=False), AddedToken("COVID-19", special=False)])
    return tokenizer


def unigram(*_: Path) -> Any:
    """SentencePiece's other model: it finds control pieces in its own vocabulary. Opens with [CLS], ends with </s>."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    control = ["<unk>", "<s>", "</s>", "[CLS]", "[SEP]"]
    letters = ["▁", *map(chr, range(33, 127))]
    scores = [(piece, 0.0) for piece in control] + [(letter, -5.0) for letter in letters]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A </s>", special_tokens=[("[CLS]", 3), ("</s>", 2)]
    )
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "sep_token": "[SEP]", "cls_token": "[CLS]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def one_for_both(_: Path, folder: Path) -> Any:
    """Like OPT's: what opens a text is the end token."""
    from tokenizers import processors

    tokenizer = tiny(_, folder)
    tokenizer.bos_token = "</s>"
    end = tokenizer.eos_token_id
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="</s> $A", special_tokens=[("</s>", end)]
    )
    return tokenizer


def closing(_: Path, folder: Path) -> Any:
    """Like ChatGLM's: a token that belongs between prompt and answer."""
    from tokenizers import processors

    tokenizer = tiny(_, folder)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <s>", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
    return tokenizer


REAL = (llama2, mistral_v1, mistral_v3, gpt2)
MADE = (embedded, tiny, thinking, unigram, one_for_both, closing)
FAMILIES: Mapping[str, Callable[[Path, Path], Any]] = {family.__name__: family for family in (*REAL, *MADE)}
OPENING = {"gpt2": 0, "closing": 0}


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    return {}


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest, built: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    name: str = request.param
    if name not in built:
        shared = request.getfixturevalue("shared") if FAMILIES[name] in REAL else Path()
        built[name] = FAMILIES[name](shared, tmp_path_factory.mktemp(name))
        prepare_tokenizer(built[name])
    return name


@pytest.fixture(scope="module")
def tokenizer(family: str, built: dict[str, Any]) -> Any:
    return built[family]


def encoder_of(tokenizer: Any, limit: int = PLENTY) -> PromptEncoder:
    return PromptEncoder(tokenizer, limit)


def control_of(tokenizer: Any) -> set[int]:
    """Every id that steers: special ones, and added ones that look like it."""
    added = {number for number, token in tokenizer.added_tokens_decoder.items() if token.content[0] in "<["}
    unknown = {tokenizer.unk_token_id} - {tokenizer.bos_token_id, tokenizer.eos_token_id}
    return (set(tokenizer.all_special_ids) | added) - unknown


pieces = st.one_of(
    st.sampled_from(CONTROL), st.text(max_size=6), st.sampled_from((" ", "\n", "\x00", "🙂", "a", "שלום"))
)
texts = st.lists(pieces, max_size=6).map("".join)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_text_never_becomes_a_control_token(tokenizer: Any, family: str, data: st.DataObject) -> None:
    control = control_of(tokenizer)
    own = st.sampled_from(sorted(token.content for token in tokenizer.added_tokens_decoder.values()))
    said = data.draw(st.lists(st.one_of(texts, own), max_size=4).map("".join))
    conversation = Conversation("c", (Utterance("</s>", said), Utterance("[SEP]", said)))
    wording = data.draw(st.sampled_from(sorted(set(WORDINGS) - {"released"})))
    spec = PromptSpec(labels=LABELS, wording=wording, speakers="name")
    prompt = encoder_of(tokenizer).encode(spec.example(conversation, 1)).prompt
    body = prompt[OPENING.get(family, 1) : -1 if family == "closing" else None]
    assert control.isdisjoint(body)


@pytest.mark.parametrize("text", [text for text in CONTROL if text.isascii()])
def test_a_control_token_inside_a_text_is_no_unknown_token_either(tokenizer: Any, family: str, text: str) -> None:
    prompt = encoder_of(tokenizer).encode_prompt(f"x{text} {text}y{text}")
    assert control_of(tokenizer).isdisjoint(prompt[1:-1])
    if (family, text) != ("unigram", "<unk>"):  # there the piece cannot be told from a character that is unknown
        assert tokenizer.unk_token_id not in prompt[1:-1]


@settings(max_examples=30, deadline=None)
@given(text=texts)
def test_what_was_said_can_be_read_off_the_tokens(tokenizer: Any, family: str, text: str) -> None:
    if family in ("embedded", "unigram"):
        return  # these lose case, spaces or characters, whatever the text
    ids = encoder_of(tokenizer).encode_prompt(text)
    ids = ids[OPENING.get(family, 1) : -1 if family == "closing" else None]
    read = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    if family in ("gpt2", "tiny", "thinking", "one_for_both", "closing"):
        assert read == text
    else:  # SentencePiece writes a space as ▁, and puts one in front
        assert read.replace("▁", " ").strip(" ") == text.replace("▁", " ").strip(" ")


def test_control_pieces_are_spelled_out(built: dict[str, Any], tmp_path: Path) -> None:
    made = {family: FAMILIES[family](Path(), tmp_path / family) for family in ("thinking", "unigram", "embedded")}
    for tokenizer in made.values():
        prepare_tokenizer(tokenizer)
    said = {family: encoder_of(made[family]).encode_prompt("a</s><think> [SEP]") for family in made}
    tokens = {family: made[family].convert_ids_to_tokens(ids) for family, ids in said.items()}
    assert tokens["thinking"] == ["<s>", "a", *"</s><think>", "Ġ", *"[SEP]"]
    assert tokens["unigram"] == ["[CLS]", "▁", "a", *"</s><think>", "▁", *"[SEP]"]
    assert tokens["embedded"] == ["[CLS]", *"a<", "/", "s", *"><", "think", ">", "[", "sep", "]"]


def test_added_words_and_spaces_are_text(tmp_path: Path) -> None:
    tokenizer = thinking(Path(), tmp_path)
    prepare_tokenizer(tokenizer)
    ids = encoder_of(tokenizer).encode_prompt("COVID-19    <｜User｜>")
    assert tokenizer.convert_ids_to_tokens(ids[1:3]) == ["COVID-19", "    "]
    assert tokenizer.decode(ids[3:]) == "<｜User｜>"


@pytest.mark.parametrize(
    "text", ["\ud800", "a\udc00b", "\x00", "\x00\x00", "🙂‍↔️", "\u202eabc\u202c", "", "\u0301", "\U0010ffff"]
)
def test_odd_characters_are_encoded(tokenizer: Any, text: str) -> None:
    example = PromptSpec(labels=LABELS).example(Conversation("c", (Utterance("A", text),)), 0)
    assert encoder_of(tokenizer).encode(example).dropped_turns == 0


def test_a_prompt_ends_where_the_answer_begins(tokenizer: Any, family: str) -> None:
    prompt = encoder_of(tokenizer).encode_prompt("joy")
    end = tokenizer.eos_token_id
    assert prompt[-1] != end
    if family == "closing":
        assert prompt[-1] == tokenizer.bos_token_id
    if not OPENING.get(family, 1):
        assert prompt[0] not in tokenizer.all_special_ids
    elif family in ("embedded", "unigram"):
        assert prompt[0] == tokenizer.cls_token_id
    else:
        assert prompt[0] == tokenizer.bos_token_id
    empty = encoder_of(tokenizer).encode_prompt("")
    assert empty == [prompt[0]] * OPENING.get(family, 1) + ([prompt[-1]] if family == "closing" else [])


def test_a_label_is_tokenised_alone_and_the_end_token_follows(tokenizer: Any) -> None:
    example = PromptSpec(labels=LABELS).example(Conversation("c", (Utterance("A", "Hi", "anger"),)), 0)
    encoded = encoder_of(tokenizer).encode(example)
    assert encoded.target == 1
    for label, answer in zip(LABELS, encoded.answers, strict=True):
        assert list(answer) == [*tokenizer(label, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        assert tokenizer.decode(answer[:-1], clean_up_tokenization_spaces=False).strip() == label


@pytest.mark.parametrize(
    ("family", "tokens"),
    [
        ("llama2", ["▁joy", "ful"]),
        ("mistral_v1", ["▁joy", "ful"]),
        ("mistral_v3", ["▁joy", "ful"]),
        ("gpt2", ["joy", "ful"]),
        ("embedded", ["joy", "##ful"]),
    ],
    indirect=["family"],
)
def test_no_stray_space_stands_before_a_label(tokenizer: Any, family: str, tokens: list[str]) -> None:
    example = Example("c", 0, "recognition", (Segment("opaque", "x"),), ("joyful",), None)
    encoded = encoder_of(tokenizer).encode(example)
    assert tokenizer.convert_ids_to_tokens(list(encoded.answers[0][:-1])) == tokens
    assert encoded.target is None


LABEL_TEXTS = ("joyful", "anger", "Neutral", "très triste", "very happy")


def _texts_of_wordings() -> list[str]:
    spec = PromptSpec(labels=LABEL_TEXTS)
    chats = (tiny_conversation(), *tiny_corpus().train)
    return [
        replace(spec, wording=name).example(chat, turn).prompt for name in WORDINGS for chat in chats for turn in (0, 3)
    ]


def sentencepiece_model(folder: Path) -> tuple[Any, Any]:
    """Trained by Google's library, read as LLaMA's is; and the same model in that library."""
    import sentencepiece
    from transformers import LlamaTokenizer

    model = folder / "tokenizer.model"
    with model.open("wb") as stream:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([*_texts_of_wordings(), *LABEL_TEXTS]),
            model_writer=stream,
            model_type="bpe",
            vocab_size=600,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            minloglevel=2,
        )
    tokenizer = LlamaTokenizer.from_pretrained(folder, add_bos_token=True)  # as LLaMA's configuration says
    return tokenizer, sentencepiece.SentencePieceProcessor(model_file=str(model))


def trained_bpe(_: Path) -> tuple[Any, Any]:
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    made = ByteLevelBPETokenizer()
    made.train_from_iterator(_texts_of_wordings(), vocab_size=600, special_tokens=["<s>", "</s>"], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made._tokenizer, bos_token="<s>", eos_token="</s>")
    return tokenizer, None


def trained_wordpiece(_: Path) -> tuple[Any, Any]:
    from tokenizers import BertWordPieceTokenizer
    from transformers import PreTrainedTokenizerFast

    made = BertWordPieceTokenizer(lowercase=True)
    made.train_from_iterator([*_texts_of_wordings(), *LABEL_TEXTS], vocab_size=600, show_progress=False)
    special = {"unk_token": "[UNK]", "bos_token": "[CLS]", "eos_token": "[SEP]", "pad_token": "[PAD]"}
    return PreTrainedTokenizerFast(tokenizer_object=made._tokenizer, **special), None


TRAINED = {"sentencepiece": sentencepiece_model, "byte-level": trained_bpe, "wordpiece": trained_wordpiece}
BETWEEN = {"sentencepiece": " ", "byte-level": "", "wordpiece": " "}
"""What stands between a prompt's last character and a label, as each family writes two texts side by side."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Any]]:
    made = {name: train(tmp_path_factory.mktemp(name)) for name, train in TRAINED.items()}
    for tokenizer, _ in made.values():
        prepare_tokenizer(tokenizer)
    return made


@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize("kind", TRAINED)
def test_prompt_and_label_read_as_the_family_writes_two_texts(
    trained: dict[str, tuple[Any, Any]], kind: str, wording: str
) -> None:
    tokenizer, _ = trained[kind]
    example = PromptSpec(labels=LABEL_TEXTS, wording=wording).example(tiny_conversation(), 3)
    encoded = encoder_of(tokenizer).encode(example)
    opening = len(encoder_of(tokenizer).encode_prompt(""))

    def read(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    for label, answer in zip(LABEL_TEXTS, encoded.answers, strict=True):
        found = read([*encoded.prompt[opening:], *answer[:-1]])
        whole = tokenizer(f"{example.prompt}{BETWEEN[kind]}{label}", add_special_tokens=False)["input_ids"]
        assert found == read(whole)
        if kind != "wordpiece":  # which lowers letters and writes spaces around punctuation
            assert found == f"{example.prompt}{BETWEEN[kind]}{label}"


def test_a_sentencepiece_label_is_what_its_own_library_makes_of_it(trained: dict[str, tuple[Any, Any]]) -> None:
    """The released code tokenises a label alone, without special tokens: so does the library that trained the model."""
    tokenizer, library = trained["sentencepiece"]
    example = Example("c", 0, "recognition", (Segment("opaque", "x feels:"),), LABEL_TEXTS)
    encoded = encoder_of(tokenizer).encode(example)
    assert [list(answer) for answer in encoded.answers] == [
        [*library.encode(label), library.eos_id()] for label in LABEL_TEXTS
    ]
    assert all(library.id_to_piece(answer[0]).startswith("▁") for answer in encoded.answers)
    assert list(encoded.prompt) == [library.bos_id(), *library.encode("x feels:")]


@pytest.mark.parametrize("wording", WORDINGS)
def test_no_wording_ends_in_a_space_which_a_family_would_double(wording: str) -> None:
    spec = PromptSpec(labels=LABEL_TEXTS, wording=wording)
    for task in WORDINGS[wording].tasks:
        for turn in range(4):
            prompt = spec.example(tiny_conversation(), turn, task=task).prompt
            assert not prompt[-1].isspace()


def by_brute_force(encoder: PromptEncoder, example: Example, room: int) -> tuple[int, list[int]] | None:
    """The smallest number of turns whose leaving makes the prompt fit."""
    for dropped in range(example.droppable + 1):
        prompt = encoder.encode_prompt(example.without_oldest(dropped).prompt)
        if len(prompt) <= room:
            return dropped, prompt
    return None


runs = st.sampled_from(("=" * 9, "   ", "....", "aaaaaaa", "\n\n", "no no no", "Whatever!", "🙂"))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_as_few_of_the_oldest_turns_go_as_have_to(tokenizer: Any, data: st.DataObject) -> None:
    said = data.draw(st.lists(st.lists(st.one_of(runs, texts), max_size=3).map("".join), min_size=1, max_size=8))
    conversation = Conversation("c", tuple(Utterance("AB"[turn % 2], text) for turn, text in enumerate(said)))
    window = Window(size=None, context=data.draw(st.sampled_from(("past", "both"))))
    spec = PromptSpec(labels=LABELS, wording=data.draw(st.sampled_from(sorted(WORDINGS))), window=window)
    example = spec.example(conversation, data.draw(st.integers(0, len(said) - 1)))
    whole = encoder_of(tokenizer)
    answer = max(map(len, whole.encode(example).answers))
    limit = data.draw(st.integers(1, len(whole.encode_prompt(example.prompt)) + answer + 2))
    expected = by_brute_force(whole, example, limit - answer)
    if expected is None:
        with pytest.raises(PromptTooLongError):
            encoder_of(tokenizer, limit).encode(example)
        return
    encoded = encoder_of(tokenizer, limit).encode(example)
    assert (encoded.dropped_turns, list(encoded.prompt)) == expected
    assert encoded.cut_tokens == 0
    assert len(encoded.prompt) + answer <= limit


def in_blocks_by_brute_force(
    encoder: PromptEncoder, example: Example, room: int, stride: int
) -> tuple[int, list[int]] | None:
    """The rule as the class states it, on prompts that are rendered whole."""
    found = by_brute_force(encoder, example, room)
    if found is None or found[0] == 0:
        return found
    fewest, _ = found
    fitting = [segment.turn for segment in example.history][fewest:]
    blocks = [stride // 2**halved for halved in range(stride.bit_length())]
    for block in blocks if fitting else ():
        gone = [turn for turn in fitting if turn is not None and turn < -(-(fitting[0] or 0) // block) * block]
        prompt = encoder.encode_prompt(example.without_oldest(fewest + len(gone)).prompt)
        if len(gone) <= len(fitting) / 2 and len(prompt) <= room:
            return fewest + len(gone), prompt
    return found


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_blocks_of_turns_go_where_a_prompt_is_too_long(tokenizer: Any, data: st.DataObject) -> None:
    said = data.draw(st.lists(st.one_of(runs, texts), min_size=1, max_size=16))
    conversation = Conversation("c", tuple(Utterance("AB"[turn % 2], text) for turn, text in enumerate(said)))
    stride = data.draw(st.integers(1, 9))
    window = Window(
        size=data.draw(st.none() | st.integers(0, 12)),
        stride=stride,
        context=data.draw(st.sampled_from(("past", "both"))),
    )
    spec = PromptSpec(labels=LABELS, wording=data.draw(st.sampled_from(sorted(WORDINGS))), window=window)
    example = spec.example(conversation, data.draw(st.integers(0, len(said) - 1)))
    whole = encoder_of(tokenizer)
    answer = max(map(len, whole.encode(example).answers))
    bare = len(whole.encode_prompt(example.without_oldest(example.droppable).prompt))
    limit = data.draw(st.integers(bare, len(whole.encode_prompt(example.prompt)) + 1)) + answer
    encoded = PromptEncoder(tokenizer, limit, stride=stride).encode(example)
    expected = in_blocks_by_brute_force(whole, example, limit - answer, stride)
    assert (encoded.dropped_turns, list(encoded.prompt)) == expected
    assert len(encoded.prompt) + answer <= limit


def numbered_turns(count: int) -> Conversation:
    """Turns of one length, so that as many fit wherever a prompt starts."""
    return Conversation("c", tuple(Utterance("AB"[turn % 2], f"turn {turn + 100}") for turn in range(count)))


def first_turns(tokenizer: Any, turns: int, room: int, stride: int) -> list[int]:
    """The turn that each target's prompt starts with."""
    spec = PromptSpec(labels=LABELS, wording="compact", window=Window(size=None, stride=stride))
    examples = list(spec.examples(numbered_turns(turns)))
    longest = PromptEncoder(tokenizer, PLENTY).encode(examples[room])
    limit = len(longest.prompt) + max(map(len, longest.answers))
    return [PromptEncoder(tokenizer, limit, stride=stride).encode(example).dropped_turns for example in examples]


@settings(max_examples=10, deadline=None)
@given(room=st.integers(1, 20), stride=st.integers(1, 9))
def test_neighbouring_targets_start_at_the_same_turn(room: int, stride: int) -> None:
    tokenizer = load_embedded_tokenizer(embedded_model_directory())
    prepare_tokenizer(tokenizer)
    starts = first_turns(tokenizer, 50, room, stride)
    assert starts == sorted(starts)
    for target, start in enumerate(starts):
        fewest = max(target - room, 0)
        assert fewest <= start <= fewest + room // 2
        if room >= 2 * (stride - 1):  # a whole block never costs more than half of what fits
            assert start == -(-fewest // stride) * stride


def test_a_block_halves_rather_than_take_more_than_half_of_the_history(tokenizer: Any) -> None:
    assert first_turns(tokenizer, 20, 7, 1) == [0] * 8 + list(range(1, 13))
    assert first_turns(tokenizer, 20, 7, 4) == [0] * 8 + [4] * 4 + [8] * 4 + [12] * 4
    assert first_turns(tokenizer, 20, 7, 8) == [0] * 8 + [4] * 4 + [8] * 4 + [12] * 4
    assert first_turns(tokenizer, 12, 1, 8) == [0, 0, *range(1, 11)]


def test_target_and_statement_stay_whole_to_the_last(tokenizer: Any) -> None:
    conversation = Conversation("c", tuple(Utterance("A", f"turn {turn}") for turn in range(9)))
    example = PromptSpec(labels=LABELS, wording="compact").example(conversation, 8)
    whole = encoder_of(tokenizer)
    shortest = whole.encode_prompt("Emotions: joy, anger, frustrated.\nA: turn 8\nA feels:")
    answer = max(map(len, whole.encode(example).answers))
    encoded = encoder_of(tokenizer, len(shortest) + answer).encode(example)
    assert (list(encoded.prompt), encoded.dropped_turns) == (shortest, 8)
    with pytest.raises(PromptTooLongError) as caught:
        encoder_of(tokenizer, len(shortest) + answer - 1).encode(example)
    assert str(caught.value) == (
        "conversation 'c', turn 8: instruction, target turn and label statement are "
        f"{len(shortest)} tokens, {len(shortest) - 1} fit: split the turn, or choose a backbone with a longer context"
    )


@pytest.mark.parametrize("placement", ["after", "before"])
@pytest.mark.parametrize("wording", ["released", "paper", "compact", "compact-repeated"])
def test_demonstrations_go_when_a_prompt_is_too_long_without_any_history(
    tokenizer: Any, wording: str, placement: Any
) -> None:
    conversation = Conversation("c", tuple(Utterance("A", f"turn {turn}") for turn in range(3)))
    shown = DemonstrationSpec(count=2, placement=placement)
    spec = PromptSpec(labels=LABELS, wording=wording, demonstrations=shown)
    near, far = Demonstration("near", "joy"), Demonstration("far " * 60, "anger")
    both = spec.example(conversation, 2, demonstrations=(near, far))
    one = spec.example(conversation, 2, demonstrations=(near,))
    whole = encoder_of(tokenizer)
    answer = max(map(len, whole.encode(one).answers))
    limit = len(whole.encode(one).prompt) + answer
    encoded = encoder_of(tokenizer, limit).encode(both)
    assert encoded.prompt == whole.encode(one).prompt, "the far one goes, and the history stays"
    assert (encoded.dropped_demonstrations, encoded.dropped_turns) == (1, 0)
    bare = whole.encode_prompt(replace(spec, demonstrations=None).example(conversation, 2).without_oldest(2).prompt)
    none = encoder_of(tokenizer, len(bare) + answer).encode(both)
    assert (none.dropped_demonstrations, none.dropped_turns, list(none.prompt)) == (2, 2, bare)


def test_a_limit_below_the_answers_is_no_negative_number(tokenizer: Any) -> None:
    example = PromptSpec(labels=LABELS).example(Conversation("c", (Utterance("A", "Hi"),)), 0)
    with pytest.raises(PromptTooLongError, match="tokens, 0 fit"):
        encoder_of(tokenizer, 1).encode(example)


def test_an_opaque_prompt_is_cut_at_its_front(tokenizer: Any, family: str) -> None:
    text = "an old turn " * 20 + "what does A feel?"
    example = Example("file", 3, "recognition", (Segment("opaque", text),), LABELS, "joy")
    whole = encoder_of(tokenizer).encode(example)
    assert (whole.cut_tokens, whole.target) == (0, 0)
    answer = max(map(len, whole.answers))
    cut = encoder_of(tokenizer, answer + 20).encode(example)
    opening = OPENING.get(family, 1)
    assert len(cut.prompt) == 20
    assert cut.prompt == whole.prompt[:opening] + whole.prompt[-(20 - opening) :]
    assert (cut.cut_tokens, cut.dropped_turns) == (len(whole.prompt) - 20, 0)
    with pytest.raises(PromptTooLongError):
        encoder_of(tokenizer, answer + opening).encode(example)


@pytest.mark.parametrize("stride", [1, 12])
def test_of_2000_turns_those_are_rendered_and_tokenised_that_may_fit(
    tokenizer: Any, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, rendered = [], []
    line = CompactWording._line

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def __call__(self, text: str, **options: Any) -> Any:
            calls.append(len(text))
            return tokenizer(text, **options)

    def counted(wording: CompactWording, turn: Turn) -> str:
        rendered.append(turn.index)
        return line(wording, turn)

    conversation = Conversation(
        "c", tuple(Utterance(f"P{turn % 7}", f"Turn {turn}: nothing new. {'=' * (turn % 30)}") for turn in range(2000))
    )
    spec = PromptSpec(labels=LABELS, wording="compact", window=Window(size=None))
    encoder = PromptEncoder(Counting(), 300, stride=stride)
    monkeypatch.setattr(CompactWording, "_line", counted)
    for turn in (1999, 1998, 1500, 700):
        calls.clear()
        rendered.clear()
        dropped = encoder.encode(spec.example(conversation, turn)).dropped_turns
        assert turn - 60 < dropped < turn
        assert len(calls) < 100
        assert max(calls) < 5000
        assert len(rendered) < 500


def test_labels_that_the_tokenizer_cannot_tell_apart_are_an_error() -> None:
    tokenizer = load_embedded_tokenizer(embedded_model_directory())
    prepare_tokenizer(tokenizer)
    chat = Conversation("c", (Utterance("A", "Well."),))
    example = next(PromptSpec(labels=("😀", "sad", "😢"), wording="compact").examples(chat))
    with pytest.raises(PromptError, match="labels '😀', '😢' are the same tokens to this backbone"):
        PromptEncoder(tokenizer, 512).encode(example)


def test_an_id_is_one_object_however_often_it_stands(tmp_path: Path) -> None:
    """A corpus of 100,000 turns is some 30 million tokens, each of which would be an object of its own."""
    backbone = load(tiny_llama(tmp_path))
    examples = [PromptSpec(labels=LABELS, wording="compact").example(chat, 1) for chat in [tiny_conversation()] * 2]
    first, second = PromptEncoder(backbone.tokenizer, 256).encode_all(examples)
    assert max(first.prompt) > 256, "small numbers are shared anyway"
    assert all(one is other for one, other in zip(first.prompt, second.prompt, strict=True))
