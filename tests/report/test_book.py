"""The table of contents for the series at hand, and a book without a warning or none at all."""

import io
import os
import shutil
from dataclasses import replace

import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.report import book, docstrings, finish, neighbours, offline, source_links
from embryology.report.build import report
from embryology.report.pages import pages
from embryology.runs.paths import ROOT
from embryology.runs.series import Series
from embryology.specs import imports, registry
from embryology.storage.files import write_json
from tests.edited import edit
from tests.processes import disk_of
from tests.stub_project import make_project, measured_run, write_notebook
from tests.synthetic import make_run

COVERS = ("embryology/report/pages.py",)
BESIDE = [".lock", "_toc.yml", "jupyter-book.log"]
"""What stays beside a book."""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_REPOSITORY", "none")
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    root = make_project(tmp_path / "project")
    for name in ("index", "tokens"):
        write_notebook(root / "book" / "executed" / "tiny" / f"{name}.ipynb", "1")
    return root


def contents(project, names, frozen=(), without=()):
    """The pages of runs of these names, as a report chooses them, but for those ``without``."""
    series, beside = (tuple(Series.open(measured_run(name).root) for name in some) for some in (names, frozen))
    by_name = {page.name: page for page in pages(project)}
    front, tokens, comparison = (by_name[name] for name in ("index", "tokens", "reference_runs"))
    chosen = [(series[0], front)] + [(each, tokens) for each in (*series, *beside)]
    chosen += [(series[0], comparison)] if beside else []
    return book.Contents(series, beside, [pair for pair in chosen if pair[1].name not in without], [], {})


def build(project):
    """What building says, but that it has begun."""
    stream = io.StringIO()
    try:
        toc = book.contents(project, contents(project, ["tiny"]))
        built = book.build(project, toc, Console(file=stream, width=200))
        assert built == project / "_build/html/index.html"
    except EmbryologyError as error:
        stream.write(f"error: {error}")
    return stream.getvalue().removeprefix("book: building …\n")


def test_pages_stand_in_the_parts_that_they_name(project):
    assert book.contents(project, contents(project, ["tiny"])) == {
        "format": "jb-book",
        "root": "book/executed/tiny/index",
        "parts": [
            {"caption": "Your run", "chapters": [{"file": "book/executed/tiny/tokens", "title": "The tokens"}]},
            {"caption": "Reference", "chapters": [{"file": "book/about"}]},
        ],
    }


def test_a_page_of_a_part_that_is_not_there_is_refused(project):
    write_notebook(project / "notebooks" / "tokens.ipynb", part="Elsewhere")
    with pytest.raises(
        EmbryologyError, match=r"stands in the part 'Elsewhere', which is not in _toc\.yml; it has Your"
    ):
        book.contents(project, contents(project, ["tiny"]))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"kind": "poem"}, r"tokens\.ipynb does not say what kind of page it is"),
        ({"kin": "probe"}, r"tokens\.ipynb does not say what kind of page it is"),
        ({"kind": "front"}, "not exactly one notebook of the kind 'front'"),
    ],
)
def test_a_notebook_that_does_not_say_what_it_is_is_refused(project, metadata, message):
    write_notebook(project / "notebooks" / "tokens.ipynb", **metadata)
    with pytest.raises(EmbryologyError, match=message):
        pages(project)


def test_two_pages_of_one_name_are_refused(project, monkeypatch):
    more = project / "plug-in" / "tokens.ipynb"
    write_notebook(more)
    edges = registry.get("edges")
    monkeypatch.setitem(registry.specifications(), "edges", replace(edges, pages=(*edges.pages, more)))
    with pytest.raises(EmbryologyError, match="two pages are called tokens; rename one of the notebooks"):
        pages(project)
    monkeypatch.setitem(
        registry.specifications(), "edges", replace(edges, pages=(more.rename(more.with_stem("more")),))
    )
    assert [page.name for page in pages(project)] == ["index", "more", "tokens", "reference_runs"]


def test_written_pages_and_notebooks_stand_in_one_order(project):
    write_notebook(project / "notebooks" / "tokens.ipynb", part="Reference", order=95)
    (part,) = book.contents(project, contents(project, ["tiny"]))["parts"]
    assert [chapter["file"] for chapter in part["chapters"]] == ["book/about", "book/executed/tiny/tokens"]
    write_notebook(project / "notebooks" / "tokens.ipynb", part="Reference", order=85)
    (part,) = book.contents(project, contents(project, ["tiny"]))["parts"]
    assert [chapter["file"] for chapter in part["chapters"]] == ["book/executed/tiny/tokens", "book/about"]


def test_all_runs_but_the_first_stand_in_a_part_of_theirs_each_below_its_first_page(project):
    write_notebook(project / "notebooks" / "edges.ipynb", kind="probe", part="Your run", order=11)
    made = contents(project, ["tiny", "long"], ["baby"])
    (edges,) = (page for page in pages(project) if page.name == "edges")
    made.chosen.append((made.series[1], edges))
    toc = book.contents(project, made)
    captions = ["Your run", "Reference runs", "Every run", "Reference"]
    assert [part["caption"] for part in toc["parts"]] == captions
    assert toc["parts"][0]["chapters"] == [{"file": "book/executed/tiny/tokens", "title": "The tokens"}]
    assert toc["parts"][1]["chapters"] == [{"file": "book/executed/tiny/reference_runs", "title": "The reference_runs"}]
    assert toc["parts"][2]["chapters"] == [
        {
            "file": "book/executed/long/tokens",
            "title": "long",
            "sections": [{"file": "book/executed/long/edges", "title": "The edges"}],
        },
        {"file": "book/executed/baby/tokens", "title": "baby"},
    ]


def test_the_front_page_lists_the_pages_of_its_own_series_and_what_is_left_out_of_them(project):
    write_notebook(project / "notebooks" / "study.ipynb", kind="study", part="Reference", order=30, parameters=None)
    by_name = {page.name: page for page in pages(project)}
    assert list(by_name) == ["index", "tokens", "reference_runs", "study"]
    front, tokens, comparison, study = by_name.values()
    one, other = (Series.open(measured_run(name).root) for name in ("tiny", "long"))
    chosen = [(one, front), (one, comparison), (None, study), (other, tokens)]
    left_out = [(one, tokens, ["no measurements", "no losses"]), (other, study, ["of another run"])]
    made = book.Contents((one, other), (), chosen, left_out, {"tokens": [other], "reference_runs": [other, one]})
    assert made.list_of_pages(project).splitlines() == [
        "**Reference runs**",
        "",
        "- [The reference_runs](reference_runs.ipynb): what reference_runs shows",
        "",
        "**Every run**",
        "",
        "- [long](../long/tokens.ipynb): 1 page",
        "",
        "**Reference**",
        "",
        "- [The study](../study.ipynb): what study shows",
        "- [About](../../../book/about.md)",
        "",
        "**Left out of this report**",
        "",
        "- *The tokens*: no measurements; no losses.",
    ]
    reasons = ["probe x has not measured it (embryology probe RUN --probe x)"]
    unmeasured = book.Contents((one,), (), [], [(one, tokens, reasons)], {})
    assert unmeasured.list_of_pages(project).endswith(
        "not measured it (`embryology probe RUN --probe x`)."
    )  # two dashes
    assert [made.compared(comparison, each) for each in (one, other)] == [[other], [one]]
    assert made.compared(tokens, other) == []
    assert made.of(one) == [front, comparison]
    assert made.of(one, "Reference runs") == [comparison]
    assert made.compared(front, one) == [other]
    compared, every, reference = book.contents(project, made)["parts"]  # the first has no page in "Your run"
    assert every["chapters"] == [{"file": "book/executed/long/tokens", "title": "long"}]
    assert compared["chapters"] == [{"file": "book/executed/tiny/reference_runs", "title": "The reference_runs"}]
    assert reference["chapters"] == [{"file": "book/executed/study"}, {"file": "book/about"}]


def test_whatever_the_book_is_made_of_builds_it_anew_and_nothing_else_does(project, monkeypatch, tmp_path):
    def make(root, toc, sha256, html, console):
        html.mkdir(exist_ok=True)
        (html / "index.html").touch()
        write_json(html / book.BUILT_FROM, {"sha256": sha256})

    monkeypatch.setattr(book, "_build", make)
    toc = book.contents(project, contents(project, ["tiny"]))
    (project / "book" / "figures").mkdir()
    (project / "book" / "figures" / "a.svg").write_text("1")

    def is_built(toc=toc):
        stream = io.StringIO()
        book.build(project, toc, Console(file=stream, width=200))
        return stream.getvalue() == "book: built\n"

    assert is_built()
    executed = [f"book/executed/tiny/{name}.ipynb" for name in ("index", "tokens")]
    for name in (*executed, "book/about.md", "book/references.bib", "book/figures/a.svg", "_config.yml"):
        assert not is_built()
        content = (project / name).read_bytes()
        edit(project / name, content[:-1] + bytes([content[-1] ^ 1]))
        assert is_built()
    (project / "book" / "more.md").touch()
    assert is_built()
    for content in ("version: 1", "version: 2"):
        (project / "CITATION.cff").write_text(content)
        assert is_built()
    other = toc | {"parts": [part | {"caption": "Renamed"} for part in toc["parts"]]}
    assert is_built(other)
    assert is_built()
    monkeypatch.setenv("EMBRYOLOGY_REPOSITORY", "https://github.com/somebody/embryology")
    assert is_built()
    for extension in (source_links, docstrings, finish, neighbours, offline):
        (tmp_path / "extension.py").write_text("changed")
        monkeypatch.setattr(extension, "__file__", str(tmp_path / "extension.py"))
        assert is_built()
    write_notebook(project / "book" / "executed" / "tiny" / "gone.ipynb", "1")  # no longer in the table of contents
    (project / "notebooks" / "tokens.ipynb").unlink()
    for file in project.rglob("*"):
        os.utime(file, (1, 1))
    assert not is_built()


def test_a_book_is_built_anew_where_the_code_has_changed_that_a_page_documents(project, monkeypatch, tmp_path):
    toc = book.contents(project, contents(project, ["tiny"]))
    before = book._inputs_sha256(project, toc)
    monkeypatch.setattr(imports, "_top_level", lambda: {"embryology": tmp_path / "embryology"})
    (tmp_path / "embryology" / "runs").mkdir(parents=True)
    files = [tmp_path / "embryology" / "runs" / name for name in ("series.py", "losses.py")]
    for file in files:
        file.write_text("1")
    assert book._inputs_sha256(project, toc) == before
    page = "# API\n\n```{eval-rst}\n.. autoclass:: embryology.runs.series.Series\n   :members:\n```\n"
    (project / "book" / "api.md").write_text(page)
    shown = book._inputs_sha256(project, toc)
    for file, is_shown in zip(files, (True, False), strict=True):
        file.write_text("2")
        assert (book._inputs_sha256(project, toc) != shown) == is_shown
        file.write_text("1")


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
    assert sorted(path.name for path in (project / "_build").iterdir()) == sorted([*BESIDE, "html"])


def built_by_hand(project, page="1"):
    """What a built book is for those who copy it."""
    html = project / "_build" / "html"
    (html / "book").mkdir(parents=True, exist_ok=True)
    (html / "index.html").write_text(page)
    (html / "book" / "page.html").write_text(page)
    write_json(html / book.BUILT_FROM, {"sha256": page})
    return html


def put(html, to):
    stream = io.StringIO()
    assert book.put(html, book.place_for(to), Console(file=stream, width=200)) == to / "index.html"
    return stream.getvalue()


def test_a_book_is_put_where_nothing_or_an_earlier_one_is(project, tmp_path):
    html, to = built_by_hand(project), tmp_path / "deep" / "site"
    to.mkdir(parents=True)
    assert put(html, to) == f"book: put into {to}\n"
    assert (to / "book" / "page.html").read_text() == "1"
    assert put(html, to) == ""
    (to / "old.html").touch()
    assert put(built_by_hand(project, "2"), to) == f"book: put into {to}\n"
    assert [(to / name).exists() for name in ("index.html", "old.html")] == [True, False]
    assert (to / "book" / "page.html").read_text() == (html / "book" / "page.html").read_text() == "2"
    assert [path.name for path in to.parent.iterdir()] == ["site"]


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_book_is_not_put_where_something_else_is(tmp_path, what):
    to = tmp_path / "site"
    if what == "folder":
        to.mkdir()
    (to / "index.html" if what == "folder" else to).touch()
    with pytest.raises(EmbryologyError, match="site is there already and holds no book"):
        book.place_for(to)


def test_a_copy_that_fails_leaves_the_book_that_was_there(project, tmp_path, monkeypatch):
    html, to = built_by_hand(project), tmp_path / "site"
    put(html, to)
    monkeypatch.setattr(book.shutil, "copytree", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(EmbryologyError, match=r"cannot write .*site.*: No space left on device"):
        put(built_by_hand(project, "2"), to)
    assert (to / "book" / "page.html").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir() if "site" in path.name] == ["site"]


def test_from_measurements_to_pages_whose_buttons_lead_to_the_templates(project, monkeypatch):
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


def test_a_full_disk_is_one_line(project, tmp_path):
    with disk_of("2m", tmp_path / "disk") as disk:
        root = shutil.copytree(project, disk / "project")
        said = build(root)
        assert said.startswith(f"error: cannot write {root}/_build/html: No space left on device; free some space")
        assert len(said.splitlines()) == 1
        assert sorted(path.name for path in (root / "_build").iterdir()) == BESIDE


def test_a_report_that_dies_while_it_replaces_a_book_leaves_no_half_of_one(project, monkeypatch):
    folder = project / "_build"
    for name in ("html/index.html", "html/other.html", ".building/lost", ".html.1.part/lost"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("old")
    real = shutil.rmtree

    def dies(path, **how):
        if (path / "other.html").exists():
            (path / "other.html").unlink()
            raise KeyboardInterrupt
        real(path, **how)

    monkeypatch.setattr(shutil, "rmtree", dies)
    with pytest.raises(KeyboardInterrupt):
        build(project)
    assert not (folder / "html").exists()
    monkeypatch.undo()
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(project.parent / "runs"))
    monkeypatch.setenv("EMBRYOLOGY_REPOSITORY", "none")
    assert build(project) == "book: built\n"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*BESIDE, "html"])


def test_a_page_about_properties_of_items_needs_them_counted(tmp_path):
    by_name = {page.name: page for page in pages(ROOT)}
    run = make_run(tmp_path / "run", sentences=5, steps=(0, 20))
    assert by_name["overlap"].lacks(run) == by_name["frequency"].lacks(run) == []
    for file in run.folder.measurements.glob("*/*/properties/*.parquet"):
        file.unlink()
    assert by_name["overlap"].lacks(run) == ["overlap was not counted (embryology count RUN)"]
    assert by_name["frequency"].metadata.needs[-1] == "tokens:frequency"
    assert by_name["frequency"].lacks(run)[-1].startswith("the frequency of its items was not counted for probe tokens")
