"""The table of contents for the runs at hand, and a book without a warning or none at all."""

import io

import pytest
import yaml
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.report import book, report
from tests.stub_project import make_project, measured_run, write_notebook


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_REPOSITORY", "none")
    root = make_project(tmp_path / "project")
    for name in ("index", "tokens"):
        write_notebook(book.executed_page(root, "tiny", name), "1")
    return root


def build(project):
    stream = io.StringIO()
    try:
        assert (
            book.build(project, book.contents(project, ["tiny"]), Console(file=stream, width=200))
            == project / "_build/html/index.html"
        )
    except EmbryologyError as error:
        return f"{stream.getvalue()}error: {error}"
    return stream.getvalue()


def test_templates_come_from_the_table_of_contents(project):
    assert book.templates(project) == ["index", "tokens", "reference_runs"]


def test_a_page_without_its_notebook_is_an_error(project):
    (project / "notebooks" / "tokens.ipynb").unlink()
    with pytest.raises(EmbryologyError, match=r"names a page 'tokens', and there is no notebooks/tokens\.ipynb"):
        book.templates(project)


def test_the_named_run_keeps_the_table_as_it_is_but_for_reference_runs_that_are_not_there(project):
    toc = yaml.safe_load((project / "_toc.yml").read_text())
    toc["parts"] = [part for part in toc["parts"] if part["caption"] != "Reference runs"]
    assert book.contents(project, ["tiny"]) == toc
    assert book.contents(project, ["long"], ["long"])["parts"][1]["caption"] == "Reference"  # beside nothing but itself


def test_frozen_runs_follow_in_a_part_of_their_own(project):
    toc = book.contents(project, ["tiny", "long"], ["baby", "long"])
    assert [part["caption"] for part in toc["parts"]] == [
        "The report: tiny", "The report: long", "Reference runs", "Reference",
    ]  # fmt: skip
    assert toc["parts"][1]["chapters"][-1] == {"file": "book/executed/long/reference_runs"}
    assert toc["parts"][2]["chapters"] == [
        {"file": "book/executed/tiny/reference_runs"},
        {"file": "book/executed/baby/tokens", "title": "baby: tokens"},
    ]


def test_several_runs_are_a_part_each(project):
    assert book.contents(project, ["a", "b", "c"]) == {
        "format": "jb-book",
        "root": "book/executed/a/index",
        "parts": [
            {"caption": "The report: a", "chapters": [{"file": "book/executed/a/tokens"}]},
            {
                "caption": "The report: b",
                "chapters": [{"file": "book/executed/b/index"}, {"file": "book/executed/b/tokens"}],
            },
            {
                "caption": "The report: c",
                "chapters": [{"file": "book/executed/c/index"}, {"file": "book/executed/c/tokens"}],
            },
            {"caption": "Reference", "chapters": [{"file": "book/about"}]},
        ],
    }


def test_builds_once_and_keeps_the_old_book_where_the_new_one_has_warnings(project):
    assert build(project) == "book: built\n"
    page = project / "_build" / "html" / "book" / "executed" / "tiny" / "tokens.html"
    html = page.read_text()
    assert "Fullscreen mode" in html
    assert "Download this page" in html
    assert "mybinder" not in html
    assert "Source repository" not in html

    assert build(project) == "book: unchanged, skipped (same pages, settings, table of contents)\n"

    about = project / "book" / "about.md"
    about.write_text(about.read_text() + "\n[nowhere](nowhere.md)\n")
    complaint = build(project)
    assert "about.md" in complaint.splitlines()[0]
    assert complaint.splitlines()[-1].startswith("error: the book does not build:")
    assert "nowhere" in complaint.splitlines()[-1]
    assert "[nowhere]" not in (project / "_build" / "html" / "book" / "about.html").read_text()
    assert page.read_text() == html
    assert sorted(path.name for path in (project / "_build").iterdir()) == ["_toc.yml", "html", "jupyter-book.log"]


def test_from_measurements_to_pages_whose_buttons_lead_to_the_templates(project, tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EMBRYOLOGY_REPOSITORY", "https://github.com/somebody/embryology")
    measured_run("tiny")
    report(["tiny"], root=project)
    html = (project / "_build" / "html" / "book" / "executed" / "tiny" / "tokens.html").read_text()
    for url in (
        "https://mybinder.org/v2/gh/somebody/embryology/main?urlpath=lab/tree/notebooks/tokens.ipynb",
        "https://colab.research.google.com/github/somebody/embryology/blob/main/notebooks/tokens.ipynb",
        "https://github.com/somebody/embryology/blob/main/notebooks/tokens.ipynb?plain=1",
        "_sources/book/executed/tiny/tokens.ipynb",
    ):
        assert f'{url}"' in html
    assert "# which checkpoints" not in html  # the cell of parameters, and the injected one
    assert "# Parameters" not in html
