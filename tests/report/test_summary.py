import io
import shutil

import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.report import summary
from tests.synthetic import make_run


def said(run):
    console = Console(width=120, file=io.StringIO())
    for table in summary.tables(run):
        console.print(table)
    return console.file.getvalue()


def test_a_run_is_told_with_its_losses_and_its_order(tmp_path):
    text = said(make_run(tmp_path / "run", sentences=20).root)
    assert "unigram cross-entropy 6.700 nats" in text
    assert text.index("DT determiner") < text.index("JJ adjective") < text.index("mask-prediction")
    assert "not reached" in text


def test_a_run_that_was_not_measured_says_what_to_do(tmp_path):
    folder = make_run(tmp_path / "run", sentences=20)
    shutil.rmtree(folder.measurements)
    text = said(folder.root)
    assert "held-out text" in text
    assert "make them: embryology probe" in " ".join(text.split())


def test_no_run(tmp_path):
    with pytest.raises(EmbryologyError, match=r"has no losses\.parquet"):
        summary.tables(tmp_path / "nothing")
