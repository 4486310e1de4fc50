"""What is wrong with a page is seen, each thing by itself; a page with nothing wrong passes."""

import pytest

from tests.browser import CHROMIUM, NOT_INSTALLED

pytest.importorskip("playwright", reason=NOT_INSTALLED)
pytest.importorskip("axe_playwright_python", reason=NOT_INSTALLED)
from tests.book.visits import browser, visit

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open pages in")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="100"><path d="M0 0h800v100H0z" fill="#aaa"/></svg>'
SOUND = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title><style>
.cue > div::before { content: "scroll"; display: block; }</style></head><body><main class="bd-article"><h1>A page</h1>
<figure id="one" class="cue"><div style="overflow-x: auto; width: 300px" tabindex="0">
<img src="one.svg" alt="A line that rises." style="width: 700px"></div><figcaption>A line.</figcaption></figure>
</main></body></html>"""


@pytest.fixture(scope="module")
def opened():
    with browser() as started:
        yield started


@pytest.fixture
def seen(opened, tmp_path):
    def look(old: str = "", new: str = "", **kwargs):
        assert old in SOUND
        (tmp_path / "one.svg").write_text(SVG)
        (tmp_path / "page.html").write_text(SOUND.replace(old, new, 1))
        return visit(opened, tmp_path / "page.html", **kwargs)

    return look


def test_a_sound_page_has_nothing(seen):
    page = seen(width=390)
    assert (page.console, page.elsewhere, page.missing, page.violations, page.figures) == ([], [], [], {}, [])


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("console", "<h1>", "<script>console.error('broken')</script><h1>", "broken"),
        ("console", "<h1>", "<script>const a = 1;</script><script>const a = 2;</script><h1>", "already been declared"),
        ("elsewhere", "<h1>", "<script src='https://example.org/math.js'></script><h1>", "https://example.org/math.js"),
        ("missing", 'src="one.svg"', 'src="two.svg"', "two.svg"),
        ("figures", "width: 700px", "width: 300px", "one is drawn at 0.38 of its size"),
        ("figures", 'class="cue"', "", "one ends 3"),
        ("figures", "A line that rises.", "", "one has no alternative text"),
        ("figures", "<h1>", "<p style='width: 600px'>wide</p><h1>", "the page is 2"),
        ("figures", "<figcaption>", "<figcaption style='width: 500px; display: block'>", "the caption of one is wider"),
    ],
)
def test_each_fault_is_seen(seen, kind, old, new, said):
    page = seen(old, new, width=390, axe=False)
    assert any(said in each for each in getattr(page, kind)), page


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("<h1>", "<p style='color: #bbb; background: #fff'>faint</p><h1>", "serious: color-contrast"),
        (' tabindex="0"', "", "serious: scrollable-region-focusable"),
        ("<h1>", "<button aria-label='Find'>Search</button><h1>", "serious: label-content-name-mismatch"),
        ("<h1>", "<details><summary>More</summary><img src='one.svg'></details><h1>", "critical: image-alt"),
    ],
)
def test_what_keeps_readers_out_is_grave(seen, old, new, rule):
    assert rule in seen(old, new).grave()


def test_what_is_dark_alone_is_seen_in_the_dark(seen):
    style = "<style>@media (prefers-color-scheme: dark) { h1 { color: #ddd; background: #fff; } }</style><h1>"
    assert not seen("<h1>", style).violations
    assert "serious: color-contrast" in seen("<h1>", style, theme="dark").grave()
