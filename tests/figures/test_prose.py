"""Sentences with numbers: what readers see, told by a Markdown parser that shares no code with them."""

import base64
import csv
import io
import re

import pytest
from docutils import nodes
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from myst_parser.config.main import MdParserConfig
from myst_parser.mdit_to_docutils.base import DocutilsRenderer
from myst_parser.parsers.mdit import create_md_parser

from embryology.errors import EmbryologyError
from embryology.figures import prose

SENTENCE = "At step {last} the *scores* are {ends}, as the book says ({doc}`/book/method`, {cite:p}`a-2020,b-2021`)."


def seen(markdown):
    """The text that a reader of Jupyter sees, one line a paragraph."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    inline = [token for token in tokens if token.type == "inline"]
    assert len(inline) == sum(token.type.endswith("_open") for token in tokens)  # paragraphs alone
    return [
        "".join(child.content or (" " if child.type == "softbreak" else "") for child in token.children)
        for token in inline
    ]


def test_numbers_stand_in_their_sentences_and_roles_stay():
    say = prose.of({"last": "2,000", "ends": "0.900 (0.850 to 0.910)", "more": "It is."})
    assert say(SENTENCE)._repr_markdown_() == (
        "At step 2,000 the *scores* are 0.900 (0.850 to 0.910), as the book says ({doc}`/book/method`, "
        "{cite:p}`a-2020,b-2021`)."
    )
    assert say("\n{more}\n\n{more}{more}\n").data == "It is.\n\nIt is.It is."


def test_the_numbers_of_a_page_are_saved_as_they_are_printed():
    say = prose.of({"last": "2,000", "ends": "0.900 [0.850, 0.910]", "other": 'the "most" frequent <unk>'})
    link = re.search(r'<a href="data:text/csv;base64,([^"]+)" download="sentences.csv">', say.csv().data)
    rows = [*csv.reader(io.StringIO(base64.b64decode(link[1]).decode()))]
    assert rows == [
        ["name", "printed"],
        ["last", "2,000"],
        ["ends", "0.900 [0.850, 0.910]"],
        ["other", 'the "most" frequent <unk>'],
    ]


@pytest.mark.parametrize(
    "said", ["At {lost}.", "At {}.", "At {last.", "At last}.", "At { last }.", "{last:.2f}", "{last}`x`", "{doc}`x"]
)
def test_what_is_no_number_is_refused_with_those_that_are(said):
    with pytest.raises(EmbryologyError, match=r"^a sentence asks for .+, and the page's numbers are ends, last$"):
        prose.of({"last": "1", "ends": "2"})(said)


@given(st.text("ab1 .,()[]*_`<>&$~\\:!|#-+^'\"{}", min_size=1).filter(lambda text: text == text.strip()))
def test_a_number_is_shown_as_it_stands_and_is_no_markup(text):
    text = re.sub(" +", " ", text)
    markdown = prose.of({"x": text})("At {x}.").data
    assert seen(markdown) == [f"At {text}."]


@pytest.mark.parametrize("text", ["[0.1, 0.2](x)", "a_b_c and *d*", "<unk> & $1$", "`x`", "0.31 [0.30, 0.32]", "x\\y"])
def test_the_books_own_parser_shows_the_same(text):
    """It reads more: math between dollars, roles."""
    parser = create_md_parser(MdParserConfig(enable_extensions={"dollarmath", "substitution"}), DocutilsRenderer)
    assert parser.render(prose.of({"x": text})("At {x}.").data).astext() == f"At {text}."


def test_a_command_is_code_whose_options_keep_their_hyphens_in_the_book():
    parser = create_md_parser(MdParserConfig(enable_extensions={"smartquotes", "replacements"}), DocutilsRenderer)
    told = "not_told (embryology probe RUN --probe a_b); it is (as *ever*)"
    for markdown in (prose.of({"x": told})("At {x}.").data, prose.with_code(f"At {told}.")):
        assert [code.astext() for code in parser.render(markdown).findall(nodes.literal)] == [
            "embryology probe RUN --probe a_b"
        ]
    assert parser.render(prose.of({"x": told})("At {x}.").data).astext() == f"At {told}."
