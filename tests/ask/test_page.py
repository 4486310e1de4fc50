"""The page in a real Chromium, opened from a file: what it says of good and of bad input, and that it asks nobody."""

import base64
import gzip
import re
import shutil

import pytest

from tests import browser
from tests.ask.reading import ALERT, STATUS, VERDICT, typed

pytestmark = pytest.mark.skipif(browser.CHROMIUM is None, reason="there is no Chromium to open the page in")
PRESSED = "[...document.querySelectorAll('.ask-word button[aria-pressed=true]')].map((each) => each.ariaLabel)"


def pressed(page, key):
    codes = {"Enter": 13, "Home": 36, "ArrowRight": 39, "Tab": 9}
    text = {"text": "\r"} if key == "Enter" else {}
    for kind in ("keyDown", "keyUp"):
        page.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **text)


def test_the_files_are_small_and_name_no_other_host(pages):
    own = [file for file in pages.iterdir() if file.is_file()]
    assert {file.name for file in own} == {"index.html", "ask.js", "ask.css"}
    assert sum(file.stat().st_size for file in own) < 300_000
    for file in own:
        addresses = set(re.findall(r"https?://[^\s\"'`<>]+", file.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, which nobody asks


def test_it_asks_every_checkpoint_and_nobody_else(page):
    assert page.evaluate("document.querySelectorAll('.ask-top li').length") == 5
    assert page.evaluate("document.querySelectorAll('circle').length") == 3
    page.until(f"/likelier, by/.test({VERDICT})")
    assert page.console == []
    assert all(address.startswith(("file:", "blob:")) for address in page.requests)


def test_keys_mask_a_word_and_move_the_slider(page):
    assert page.evaluate(PRESSED) == ["of, masked"]
    page.evaluate("document.querySelectorAll('.ask-word button')[1].focus()")
    pressed(page, "Enter")
    page.until(f"{PRESSED}.join() === 'capital, masked,of, masked'")
    assert page.evaluate("document.activeElement.ariaLabel") == "capital, masked"
    page.evaluate("document.querySelector('input[type=range]').focus()")
    pressed(page, "Home")
    page.until("/step 0 of 200/.test(document.querySelector('output').textContent)")
    pressed(page, "ArrowRight")
    page.until("document.activeElement.getAttribute('aria-valuetext') === 'step 10 of 200'")
    page.until(f"/likeliest/.test({STATUS})")
    assert page.console == []


def test_a_word_that_is_followed_has_a_line_of_its_own(page):
    shown = "document.querySelectorAll('.ask-top .ask-p')[%d]?.textContent"
    for number in range(5):  # pieces within words too
        page.until(shown % number)
        page.evaluate(f"document.querySelectorAll('.ask-top button')[{number}].click()")
        page.until(
            "document.querySelectorAll('rect').length === 3 && "
            f"document.querySelectorAll('.ask-table tbody tr')[2].lastChild.textContent === {shown % number}"
        )
    typed(page, "unbelievably long words", "label input[type=text]")
    page.until("/pieces, and the mask stands for 1/.test(document.body.textContent)")
    assert page.evaluate("document.querySelectorAll('rect').length") == 0


def test_a_mask_that_is_typed_is_no_word_to_give_back_and_has_no_line_until_a_word_is_chosen(page):
    typed(page, "The capital [MASK] France is Paris.")
    page.until("/ of 6 right/.test(document.body.textContent)")
    page.until(f"/likeliest/.test({STATUS})")
    assert "true word" not in page.evaluate(STATUS)
    assert page.evaluate("[...document.querySelectorAll('.ask-word')].map((each) => each.className)[2]") == "ask-word"
    charts = "[...document.querySelectorAll('svg')].map((each) => each.hasAttribute('hidden'))"
    assert page.evaluate(charts)[0]
    assert page.evaluate("document.querySelector('details').hidden")
    page.evaluate("document.querySelector('.ask-top button').click()")
    page.until(f"!{charts}[0] && !document.querySelector('details').hidden")


def test_a_mask_stays_at_its_word_while_the_text_before_it_changes(page):
    typed(page, "The old capital of France is Paris.")
    page.until("document.querySelectorAll('.ask-word').length === 8")
    assert page.evaluate(PRESSED) == ["of, masked"]
    typed(page, "The old capital of [MASK] is Paris.")
    page.until(f"{PRESSED}.length === 2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Type a sentence."),
        ("  \t\u3000 ", "Type a sentence."),
        ("\u0301", "leaves nothing of this text"),
        ("word " * 500, "pieces, and the model reads at most 126. Take words away."),
        ("A new thing.", "Choose a word above to mask it."),
    ],
)
def test_what_cannot_be_asked_is_said(page, text, said):
    typed(page, text)
    page.until(f"{STATUS}.includes({said!r})")
    assert not page.evaluate("document.querySelector('svg').checkVisibility()")
    assert page.evaluate("document.querySelectorAll('.ask-word').length") <= 4
    typed(page, "It is [MASK].")
    page.until(f"/likeliest/.test({STATUS})")
    assert page.console == []


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (("It is.", ""), "Type two sentences."),
        (("It is.", "It  IS."), "makes both the same"),
        (("It is.", "word " * 500), "the model reads at most 126"),
    ],
)
def test_two_sentences_that_cannot_be_compared_are_refused(page, pair, said):
    for number, text in enumerate(pair):
        typed(page, text, "input[spellcheck]", number)
    page.until(f"{VERDICT}.includes({said!r})")


def test_two_sentences_are_compared_at_every_checkpoint(page):
    page.until(f"/likelier, by/.test({VERDICT})")
    page.evaluate("[...document.querySelectorAll('button')].find((each) => /every/.test(each.textContent)).click()")
    page.until("/at 3 of 3/.test(document.querySelectorAll('svg')[1].ariaLabel)")


def test_generator_and_discriminator_are_named(page):
    page.evaluate(
        "(() => { const run = document.querySelector('select'); run.value = 'electra';"
        "run.dispatchEvent(new Event('change')); })()"
    )
    page.until("/The generator's likeliest words/.test(document.body.textContent)")
    page.until("/replaced\\? /.test(document.querySelector('.ask-words').textContent)")
    assert "discriminator finds" in page.evaluate("document.querySelector('.ask-legend').textContent")


@pytest.mark.parametrize("is_there", [True, False], ids=["cut off", "missing"])
@pytest.mark.parametrize("name", ["run.js", "step-10.js"])
def test_a_file_that_is_damaged_or_missing_is_named(tab, pages, tmp_path, name, is_there):
    copy = tmp_path / "page"
    shutil.copytree(pages, copy)
    file = copy / "albert" / name
    content = file.read_text()
    file.write_text(content[: len(content) // 2]) if is_there else file.unlink()
    tab.open(copy / "index.html")
    tab.until(f"{ALERT}.includes('albert/{name} is missing or damaged')")
    if name != "run.js":
        assert "likeliest" in tab.evaluate(STATUS)  # of the last checkpoint, which needs no other


def test_bytes_that_are_wrong_are_noticed(tab, pages, tmp_path):
    copy = tmp_path / "page"
    shutil.copytree(pages, copy)
    file = copy / "albert" / "step-10.js"
    content = file.read_text()
    place = len(content) // 2
    file.write_text(content[:place] + ("A" if content[place] != "A" else "B") + content[place + 1 :])
    tab.open(copy / "index.html")
    tab.until(f"{ALERT}.includes('albert/step-10.js is missing or damaged')")


def test_weights_of_another_size_are_noticed(tab, pages, tmp_path):
    copy = tmp_path / "page"
    shutil.copytree(pages, copy)
    file = copy / "albert" / "step-10.js"
    before, content, after = re.split(r'"([A-Za-z0-9+/=]{100,})"', file.read_text())
    short = gzip.compress(gzip.decompress(base64.b64decode(content))[:-2])
    file.write_text(f'{before}"{base64.b64encode(short).decode()}"{after}')
    tab.open(copy / "index.html")
    tab.until(f"{ALERT}.includes('albert/step-10.js is missing or damaged')")


@pytest.mark.parametrize("name", ["Worker", "DecompressionStream"])
def test_a_browser_that_lacks_something_is_told_so(tab, pages, name):
    number = tab.send("Page.addScriptToEvaluateOnNewDocument", source=f"delete window.{name}")["identifier"]
    tab.open(pages / "index.html")
    tab.until(f"{ALERT}.includes('This browser has no')")
    tab.send("Page.removeScriptToEvaluateOnNewDocument", identifier=number)


def test_without_scripts_the_page_says_what_is_missing(tab, pages):
    tab.send("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(pages / "index.html")
    assert "JavaScript is off" in tab.evaluate("document.querySelector('noscript').innerText")
    tab.send("Emulation.setScriptExecutionDisabled", value=False)


def test_on_a_phone_nothing_is_wider_than_the_page(tab, pages):
    tab.open(pages / "index.html", width=390, height=800)
    tab.until(f"/likeliest/.test({STATUS})")
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
