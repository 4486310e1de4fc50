"""All pages as one: their links lead within it, others have notes, and no address of this machine is in it."""

import re
import shutil

import pytest

from embryology.errors import EmbryologyError
from embryology.report import printed

HEAD = (
    '<html><head><title>Book</title><link rel="stylesheet" href="../_static/a.css"></head><body><article>{}</article>'
)
PAGES = ["book/one", "book/run/two"]
ONE = """<h1 id="top">One<a class="headerlink" href="#top">#</a></h1><a href="#top">here</a>
<a href="run/two.html#part">there</a> <a href="run/two.html">whole</a> <a href="https://example.org/x">out</a>
<a href="https://example.org/y">else</a> <a href="https://example.org/x">again</a> <a href="../CITATION.cff">file</a>
<figure><img src="one_files/a.svg" alt="A"><figcaption>Why? <a href="one_files/a.csv" download="a.csv">Data</a> · \
<details><summary>More</summary>rest</details></figcaption></figure>"""
TWO = '<h1 id="top">Two</h1><p id="part">Part</p><a href="../one.html">back</a>'


@pytest.fixture
def html(tmp_path):
    for page, text in zip(PAGES, (ONE, TWO), strict=True):
        file = tmp_path / f"{page}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD.format(text))
    (tmp_path / "index.html").write_text("")
    return tmp_path


def test_links_lead_within_it_and_others_have_notes(html):
    text = printed.whole(html, PAGES)
    links = {said: attributes for attributes, said in re.findall(r"<a([^>]*)>([^<]*)</a>", text)}
    assert links == {
        "here": ' href="#page-0-top"',
        "there": ' href="#page-1-part"',
        "whole": ' href="#page-1"',
        "out": ' href="https://example.org/x"',
        "else": ' href="https://example.org/y"',
        "again": ' href="https://example.org/x"',
        "file": "",
        "back": ' href="#page-0"',
    }
    assert re.findall(r"</a><sup>(\d)</sup>", text) == ["1", "2", "1"]
    assert re.findall(r"<li>(.*?)</li>", text) == ["https://example.org/x", "https://example.org/y"]
    assert {f'id="page-{number}"' in text for number in (0, 1)} == {True}
    assert re.findall(r' id="(page-\d-[^"]*)"', text) == ["page-0-top", "page-1-top", "page-1-part"]


def test_images_and_styles_are_found_and_captions_are_whole(html):
    text = printed.whole(html, PAGES)
    assert 'src="book/one_files/a.svg"' in text
    assert text.count('href="_static/a.css"') == 1
    assert '<details open="">' in text
    assert "a.csv" not in text
    assert text.index("One") < text.index("Two")


def test_there_is_one_line_where_nothing_can_be_printed(html, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EmbryologyError, match="the PDF is printed by Chromium, which is not installed: install it, or"):
        printed.printed(html, PAGES, tmp_path / "book.pdf")
    (html / "index.html").unlink()
    with pytest.raises(EmbryologyError, match=r"there is no book in .* to print: make book, or make frozen-book"):
        printed.printed(html, PAGES, tmp_path / "book.pdf")
    assert not (tmp_path / "book.pdf").exists()


@pytest.mark.parametrize(("code", "writes", "works"), [(0, True, True), (1, True, False), (0, False, False)])
def test_what_chromium_did_not_print_is_no_pdf(html, monkeypatch, tmp_path, code, writes, works):
    script = tmp_path / "chromium"
    write = 'for word; do case "$word" in --print-to-pdf=*) echo pdf > "${word#*=}";; esac; done\n' if writes else ""
    script.write_text(f"#!/bin/sh\n{write}echo broken >&2\nexit {code}\n")
    script.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(script))
    to = tmp_path / "book.pdf"
    if works:
        assert printed.printed(html, PAGES, to).read_text() == "pdf\n"
    else:
        with pytest.raises(EmbryologyError, match="Chromium printed nothing: broken"):
            printed.printed(html, PAGES, to)
        assert not to.exists()
    assert not (html / ".printed.html").exists()


@pytest.mark.skipif(not any(map(shutil.which, printed.BROWSERS)), reason="there is no Chromium to print with")
def test_a_real_one_prints_a_page_for_a_page(html, tmp_path):
    content = printed.printed(html, PAGES, tmp_path / "book.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 2
    assert str(tmp_path).encode() not in content


def test_the_module_says_it_and_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(printed, "project_folder", lambda: tmp_path)
    assert printed.main() == 1
    assert capsys.readouterr().err.startswith("error: there is no book in ")
