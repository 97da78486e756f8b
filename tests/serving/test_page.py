"""The page in a real browser: what a person does with it, and what they see when something is wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from instructerc.corpora import load_conversations
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.serving.app import create_app
from instructerc.serving.limits import Limits
from instructerc.serving.tokens import read_tokens
from instructerc.testing import TINY_LABELS
from tests.serving.conftest import running

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
TALK = "Ann: We won! 😀\nBob: Did we?\n***: <b>No.</b>\nAnn: Oh\n"

CONTRASTS = """() => {
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour, under) => {
    for (const style of [`rgb(${under.join(" ")})`, colour]) { brush.fillStyle = style; brush.fillRect(0, 0, 1, 1); }
    return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const ground = (element) => element
    ? rgb(getComputedStyle(element).backgroundColor, ground(element.parentElement)) : [255, 255, 255];
  const linear = (value) => value <= 10.31 ? value / 255 / 12.92 : ((value / 255 + .055) / 1.055) ** 2.4;
  const light = ([red, green, blue]) => .2126 * linear(red) + .7152 * linear(green) + .0722 * linear(blue);
  const kinds = ["h1", ".soft", ".speaker", ".text", ".felt .emotion", ".felt small", "summary", ".share",
    "button.main", "label"];
  return kinds.map((kind) => {
    const element = document.querySelector(kind), under = ground(element);
    const lights = [light(rgb(getComputedStyle(element).color, under)), light(under)].sort((one, other) => other - one);
    return [kind, (lights[0] + .05) / (lights[1] + .05)];
  });
}"""
"""Contrast of text and ground, by kind of text: WCAG 2.2, success criterion 1.4.3, asks for 4.5."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield found
        found.close()


@pytest.fixture(scope="module")
def address(recognizer: EmotionRecognizer) -> Iterator[str]:
    other = replace(recognizer.asking(labels=["calm", "tense"]), temperature=50.0)  # sure of nothing
    with running(create_app({"first": recognizer, "second": other}, limits=Limits(body=20_000, turns=60))) as url:
        yield url


class Visitor:
    """A person with a browser: what they do, what the page did behind their back, and what went wrong in it."""

    def __init__(self, browser: Any, address: str, **settings: Any) -> None:
        self.context = browser.new_context(accept_downloads=True, **settings)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.address = address
        self.page.goto(address)

    def paste(self, text: str) -> None:
        self.page.get_by_label("Paste a conversation").fill(text)
        self.page.get_by_role("button", name="Recognise").click()

    def turns(self) -> list[str]:
        self.page.locator("li.turn").first.wait_for()
        texts: list[str] = self.page.locator("li.turn .text").all_inner_texts()
        return texts

    def alert(self) -> str:
        self.page.locator("#alert").wait_for()
        text: str = self.page.locator("#alert").inner_text()
        return text

    def saved(self, button: str) -> bytes:
        with self.page.expect_download() as waiting:
            self.page.get_by_role("button", name=button).first.click()
        return Path(waiting.value.path()).read_bytes()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Visitor]]:
    with ExitStack() as stack:
        visitors: list[Visitor] = []

        def make(url: str = address, **settings: Any) -> Visitor:
            visitors.append(Visitor(browser, url, **settings))
            stack.callback(visitors[-1].context.close)
            return visitors[-1]

        yield make
        for visitor in visitors:
            assert visitor.faults == []
            assert {url.split("/")[2] for url in visitor.asked if not url.startswith(("data:", "blob:"))} == {
                visitor.address.split("/")[2]
            }


def test_a_pasted_conversation_is_coloured_named_and_counted(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.paste(TALK)
    assert visitor.turns() == ["We won! 😀", "Did we?", "<b>No.</b>", "Oh"]
    page = visitor.page
    for item in page.locator("li.turn").all():
        assert item.locator(".felt .emotion").inner_text().split("\n")[-1] in TINY_LABELS
        assert item.locator(".felt .swatch").inner_text()  # a symbol: never colour alone
        assert item.locator(".felt small").inner_text().endswith("%")
    assert page.locator(".lanes circle").count() == 4
    assert page.locator(".lanes text.name").all_inner_texts() or page.locator(".lanes text.name").count() == 3
    assert page.locator("#file-status").inner_text().startswith("4 turns: ")
    page.get_by_text("look, correct").first.click()
    shares = page.locator("li.turn").first.locator(".share")
    shares.first.wait_for()  # a browser says that details were opened only after it has opened them
    assert shares.count() == len(TINY_LABELS)


def test_a_dropped_file_is_read_whatever_its_format(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    table = "conversation,turn,speaker,text\na,0,Ann,hi\na,1,Bob,ho\nb,0,Ann,well\n"
    transfer = visitor.page.evaluate_handle(
        """(text) => { const transfer = new DataTransfer();
        transfer.items.add(new File([text], "calls.csv", { type: "text/csv" })); return transfer; }""",
        table,
    )
    visitor.page.dispatch_event("#ask", "drop", {"dataTransfer": transfer})
    assert visitor.turns() == ["hi", "ho", "well"]
    assert visitor.page.locator("#results h2").all_inner_texts() == ["a", "b"]
    lines = visitor.saved("Save all 2 as JSON Lines").decode().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a", "b"]


def test_lines_at_fault_are_named_and_the_rest_is_shown(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    visitor = visit()
    file = tmp_path / "calls.jsonl"
    whole = {"id": "a", "utterances": [{"speaker": "Ann", "text": "hi"}]}
    file.write_text(json.dumps(whole) + '\n{"id": "torn\n', encoding="utf-8")
    visitor.page.locator("#chosen").set_input_files(file)
    assert visitor.turns() == ["hi"]
    assert "Left out: line 2: not JSON" in visitor.alert()


def test_a_correction_is_seen_saved_and_can_be_learned_from(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    visitor = visit()
    visitor.paste(TALK)
    visitor.turns()
    page = visitor.page
    first = page.locator("li.turn").first
    before = first.locator(".felt .emotion").inner_text().split("\n")[-1]
    other, third = (label for label in TINY_LABELS if label != before)
    first.get_by_text("look, correct").click()
    first.get_by_title(f"Say that it is {other}").click()
    assert first.locator(".changed").inner_text() == f"corrected, was {before}"
    first.get_by_title(f"Say that it is {before}").click()  # and back
    assert first.locator(".changed").count() == 0
    first.get_by_title(f"Say that it is {third}").click()
    assert first.locator(".felt .emotion").inner_text().split("\n")[-1] == third
    assert page.locator(".lanes title").first.text_content() == f"1. Ann: {third}"

    corrected = tmp_path / "corrected.jsonl"
    corrected.write_bytes(visitor.saved("Save as JSON Lines"))
    (chat,) = load_conversations(corrected)
    assert chat.utterances[0].emotion == third
    assert [turn.speaker for turn in chat.utterances] == ["Ann", "Bob", "***", "Ann"]
    rows = list(csv.DictReader(io.StringIO(visitor.saved("Save as CSV").decode("utf-8-sig"))))
    assert (rows[0]["emotion"], rows[0]["recognised"], rows[0]["text"]) == (third, before, "We won! 😀")
    assert visitor.saved("Save as PNG").startswith(b"\x89PNG\r\n\x1a\n")


def test_a_chat_goes_on_turn_by_turn_and_can_begin_anew(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    page.get_by_role("tab", name="Live").click()
    for place, (speaker, text) in enumerate([("Ann", "Hello?"), ("Bob", "Go away."), ("Ann", "Oh.")]):
        page.get_by_label("Speaker", exact=True).fill(speaker)
        page.get_by_label("Text", exact=True).fill(text)
        page.keyboard.press("Enter")
        page.locator("#chat li.turn").nth(place).wait_for()
    assert visitor.turns() == ["Hello?", "Go away.", "Oh."]
    page.get_by_role("button", name="Begin a new conversation").click()
    assert page.locator("#chat li.turn").count() == 0


def test_a_live_conversation_that_the_server_forgot_goes_on(
    visit: Callable[..., Visitor], recognizer: EmotionRecognizer
) -> None:
    with running(create_app(recognizer, limits=Limits(idle=0.2))) as url:
        visitor = visit(url)
        visitor.page.get_by_role("tab", name="Live").click()
        for place, text in enumerate(["Hello?", "Anybody there?"]):
            visitor.page.get_by_label("Text", exact=True).fill(text)
            visitor.page.keyboard.press("Enter")
            visitor.page.locator("#chat li.turn").nth(place).wait_for()
            visitor.page.wait_for_timeout(500)
        assert visitor.turns() == ["Hello?", "Anybody there?"]
        assert visitor.page.locator("#alert").is_hidden()


def test_model_labels_and_threshold_are_chosen(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    page.get_by_text("Model and emotions").click()
    page.get_by_label("Model", exact=True).select_option("second")
    assert "calm, tense" in page.locator("#model").inner_text()
    page.locator("#least").fill("90")
    visitor.paste(TALK)
    visitor.turns()
    assert page.locator("li.turn .felt .emotion").first.inner_text().split("\n") == ["?", "uncertain"]
    page.get_by_text("look, correct").first.click()
    page.get_by_title("Say that it is tense").click()
    assert page.locator("li.turn .changed").first.inner_text() == "corrected, was uncertain"
    page.locator("#least").fill("0")
    page.get_by_label("Emotions").select_option("custom")
    page.locator("#labels").fill("fine: nothing to see\n\nawful\n")
    assert page.locator("#warning").is_visible()
    page.get_by_role("button", name="Recognise").click()
    page.locator("li.turn .changed").wait_for(state="detached")
    page.get_by_text("look, correct").first.click()
    page.locator(".share").first.wait_for()
    assert {text.split("\n")[1] for text in page.locator(".share").all_inner_texts()} == {"fine", "awful"}
    page.locator("#labels").fill("fine")
    page.get_by_role("button", name="Recognise").click()
    assert "write two or more words" in visitor.alert()


def test_all_of_it_works_with_the_keyboard_alone(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    focused = "document.activeElement.id || document.activeElement.textContent"

    def tab_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate(focused) == name:
                return
        raise AssertionError(f"{name} cannot be reached")

    tab_to("transcript")
    page.keyboard.insert_text(TALK)
    tab_to("recognise")
    page.keyboard.press("Enter")
    visitor.turns()
    tab_to("look, correct")
    page.keyboard.press("Enter")
    page.locator(".share").first.wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator("li.turn").first.locator(".changed").count() == 1
    assert page.evaluate("document.activeElement.className") == "share"  # the place is kept
    page.get_by_role("tab", name="A conversation").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#live").is_visible()
    assert page.evaluate(focused) == "tab-live"


def test_on_a_phone_nothing_hangs_over_the_edge(visit: Callable[..., Visitor]) -> None:
    visitor = visit(viewport={"width": 360, "height": 700}, has_touch=True, is_mobile=True)
    visitor.paste(TALK + f"{'a very long name ' * 5}: {'word' * 15}\n" + "Bob: hm\n" * 40)
    visitor.turns()
    page = visitor.page
    page.get_by_text("look, correct").first.tap()
    page.locator(".share").first.wait_for()
    page.get_by_text("Model and emotions").tap()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for selector in ("#recognise", ".share", "summary"):
        box = page.locator(selector).first.bounding_box()
        assert box is not None
        assert box["height"] >= 44, selector  # what a thumb hits


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(visit: Callable[..., Visitor], scheme: str) -> None:
    visitor = visit(color_scheme=scheme)
    visitor.paste(TALK)
    visitor.turns()
    visitor.page.get_by_text("look, correct").first.click()
    visitor.page.locator(".share").first.wait_for()
    contrasts = visitor.page.evaluate(CONTRASTS)
    assert all(contrast >= 4.5 for _, contrast in contrasts), contrasts


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("   \n", "There is nothing to recognise yet"),
        ("x" * 21_000, "more than 20,000 bytes"),
        ("Ann: hm\n" * 61, "more than 60 turns"),
        ("Ann: " + "x" * 5_001, "at most 5000 characters"),
        ("Ann: " + "word " * 900, "turn 0"),
    ],
)
def test_what_cannot_be_read_says_why_and_stays_where_it_is(
    visit: Callable[..., Visitor], text: str, told: str
) -> None:
    visitor = visit()
    visitor.paste(text)
    assert told in visitor.alert()
    assert visitor.page.get_by_label("Paste a conversation").input_value() == text


def test_when_the_server_is_gone_nothing_is_lost(visit: Callable[..., Visitor], recognizer: EmotionRecognizer) -> None:
    app = create_app(recognizer)
    with running(app) as url:
        visitor = visit(url)
        visitor.paste(TALK)
        visitor.turns()
    visitor.page.get_by_role("button", name="Recognise").click()
    assert "The server does not answer" in visitor.alert()
    assert len(visitor.turns()) == 4
    assert visitor.page.get_by_label("Paste a conversation").input_value() == TALK
    assert visitor.saved("Save as JSON Lines")


def test_a_server_that_wants_a_token_is_given_one(
    visit: Callable[..., Visitor], recognizer: EmotionRecognizer, tmp_path: Path
) -> None:
    (tmp_path / "tokens").write_text("0123456789abcdef\n", encoding="utf-8")
    with running(create_app(recognizer, tokens=read_tokens(tmp_path / "tokens"))) as url:
        visitor = visit(url)
        page = visitor.page
        page.locator("#door").wait_for()
        page.get_by_label("asks for a token").fill("wrong")
        page.get_by_role("button", name="Go in").click()
        assert "send one of the server's tokens" in visitor.alert()
        page.get_by_label("asks for a token").fill("0123456789abcdef")
        page.get_by_role("button", name="Go in").click()
        page.locator("#door").wait_for(state="hidden")
        visitor.paste(TALK)
        assert len(visitor.turns()) == 4
        page.reload()  # the token is kept for this tab
        page.get_by_text("Model default").wait_for()


@pytest.mark.skipif("INSTRUCTERC_SCREENSHOTS" not in os.environ, reason="names the folder for pictures of the docs")
def test_pictures_for_the_docs(visit: Callable[..., Visitor]) -> None:
    shipped = EmotionRecognizer.from_pretrained("embedded", device="cpu")
    folder = Path(os.environ["INSTRUCTERC_SCREENSHOTS"])
    with running(create_app({"embedded": shipped})) as url:
        for name, settings in {
            "light": {"color_scheme": "light", "viewport": {"width": 1000, "height": 900}},
            "dark": {"color_scheme": "dark", "viewport": {"width": 1000, "height": 900}},
            "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "is_mobile": True},
        }.items():
            visitor = visit(url, **settings)
            visitor.page.get_by_role("button", name="Show me an example").click()
            visitor.page.get_by_role("button", name="Recognise").click()
            visitor.turns()
            visitor.page.locator("li.turn details summary").nth(5).click()
            visitor.page.evaluate("document.activeElement.blur()")
            if name == "phone":
                visitor.page.locator("#results .card").evaluate("(card) => card.scrollIntoView()")
            visitor.page.screenshot(path=folder / f"page-{name}.png", full_page=name != "phone")
