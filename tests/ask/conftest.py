"""The page with small random models, open in a Chromium."""

import pytest

from embryology.ask import writing
from embryology.runs.packed import series as packed_series
from tests import browser
from tests.ask import models
from tests.ask.reading import STATUS


@pytest.fixture(scope="package")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    packed = {
        family: packed_series.of_series(models.series(folder / family, family, models.unigram_tokenizer()))
        for family in ("albert", "electra")
    }
    writing.write(packed, folder / "page")
    return folder / "page"


@pytest.fixture(scope="package")
def tab():
    with browser.chromium() as page:
        yield page


@pytest.fixture
def page(tab, pages):
    tab.console.clear()
    tab.requests.clear()
    tab.open(pages / "index.html")
    tab.until(f"/likeliest/.test({STATUS}) && /3 of 3 checkpoints/.test(document.body.textContent)")
    return tab
