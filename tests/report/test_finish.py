"""Pages of a built book: data and long scripts become files, what keeps readers out is mended, the rest stays."""

import base64

import pandas as pd
import pytest

from embryology.errors import EmbryologyError
from embryology.figures import style
from embryology.report import finish

SVG, CSV = b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"step,value\n0,1\n"


def uri(content, kind="image/svg+xml"):
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.fixture
def book(tmp_path):
    """A function that finishes a book of these pages; their texts afterwards."""

    def made(**pages):
        for name, text in pages.items():
            file = tmp_path / "book" / f"{name}.html"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        finish.finish(tmp_path)
        return [(tmp_path / "book" / f"{name}.html").read_text() for name in pages]

    return made


def test_a_figure_is_two_files_beside_its_page_under_the_names_that_its_links_give(book, tmp_path):
    drawn = style.styled(
        lambda: style.show(style.panels(1, 1, 3, 2)[0], "rise", "It rises.", pd.DataFrame({"step": [5]}), "How?", "Up.")
    )()
    (text,) = book(tokens=f"<p>before</p>{drawn.data}<p>after</p>")
    files = tmp_path / "book" / "tokens_files"
    assert sorted(file.name for file in files.iterdir()) == ["rise.csv", "rise.svg"]
    assert (files / "rise.csv").read_text() == "step\n5\n"
    assert (files / "rise.svg").read_bytes().endswith(b"</svg>\n")
    assert "data:" not in text
    assert (
        text.count('src="tokens_files/rise.svg"') == text.count('href="tokens_files/rise.svg" download="rise.svg"') == 1
    )
    assert 'href="tokens_files/rise.csv" download="rise.csv"' in text
    assert text.startswith("<p>before</p><figure")
    assert text.endswith("</figure><p>after</p>")


def test_two_figures_of_one_name_stay_apart_and_one_without_a_link_has_its_content_as_name(book, tmp_path):
    link = '<a href="{}" download="a.csv">Data</a>'
    other = b"step,value\n0,2\n"
    texts = link.format(uri(CSV, "text/csv")) + link.format(uri(other, "text/csv")) + f'<img src="{uri(SVG)}">'
    (text,) = book(page=texts)
    files = tmp_path / "book" / "page_files"
    assert {file.read_bytes() for file in files.iterdir()} == {CSV, other, SVG}
    assert all(f'"page_files/{file.name}"' in text for file in files.iterdir())
    assert (files / "a.csv").read_bytes() == CSV


def test_data_of_an_unknown_type_are_refused(book):
    with pytest.raises(EmbryologyError, match="no file is known to hold data of the type image/webp"):
        book(page=f'<img src="{uri(SVG, "image/webp")}">')


def test_the_script_of_tables_is_there_once_and_a_short_script_stays(book, tmp_path):
    tables = [style.searchable(pd.DataFrame({"fact": [name]}), "facts", "All.").data for name in ("Oslo", "Rome")]
    short = "<script>let a = 1;</script>"
    one, two = book(one=tables[0] + short, two=tables[1] + short)
    (script,) = (tmp_path / "_static" / "shared").iterdir()
    assert f'<script src="../_static/shared/{script.name}"></script>' in one
    assert script.name in two
    assert "injectModule(" in script.read_text()
    assert max(len(one), len(two)) < 20_000 < script.stat().st_size
    assert short in one
    assert ("Oslo" in one, "Rome" in one) == (True, False)


def test_what_is_finished_is_changed_no_more_and_the_themes_own_files_never(book, tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "own.html").write_text("<th></th>")
    text = f'<th></th><a href="{uri(CSV, "text/csv")}" download="a.csv">Data</a>'
    assert book(page=text) == book(page=book(page=text)[0])
    assert (tmp_path / "_static" / "own.html").read_text() == "<th></th>"


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("<tr><th></th><th>a</th></tr>", "<tr><td></td><th>a</th></tr>"),
        ('<th class="head"><p></p></th><th>0</th>', '<td class="head"></td><th>0</th>'),
        ('<summary aria-label="Toggle hidden content">\n<p>Show</p>', "<summary>\n<p>Show</p>"),
        ('<summary aria-label="Other">', '<summary aria-label="Other">'),
        ('<div class="citation" id="a" role="doc-biblioentry">', '<div class="citation" id="a" role="listitem">'),
        (
            '<button class="btn search-button-field x" title="Search" aria-label="Search" id="b">',
            '<button class="btn search-button-field x" title="Search" id="b">',
        ),
        (
            '<a href="run.html">A &amp; B</a><details open="open"><summary>'
            '<span class="toctree-toggle"></span></summary>',
            '<a href="run.html">A &amp; B</a><details open="open"><summary aria-label="Pages of A &amp; B">'
            '<span class="toctree-toggle"></span></summary>',
        ),
        (
            '<i class="theme-switch fa-sun" title="Light"></i>',
            '<i class="theme-switch fa-sun"></i>',
        ),
    ],
)
def test_what_keeps_readers_out_is_mended(text, instead):
    assert finish.mended(text) == instead
