"""The fold below a figure: its series, the place of its command, and a key of the columns that its CSV has."""

import re

import pytest

from embryology.figures import columns, origin, provenance, style
from tests.synthetic import make_run

COVERS = ("embryology/figures/columns.py",)


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    origin.told([])
    style.note("")


def rows(text):
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", text)]


def test_a_series_is_told_with_seed_checkpoints_commit_and_command(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path))
    series = make_run(tmp_path / "mine", only=["tokens"])
    provenance.note([series])
    head, told, *_ = rows(origin.fold(["step"]))
    assert head == list(origin.OF_SERIES)
    numbers = dict(zip(head, told, strict=True))
    session = series.manifest.sessions[0]
    assert numbers["run"] == series.name
    assert numbers["seed"] == str(series.manifest.outcome.seed)
    assert numbers["checkpoints"] == str(len(series.checkpoints))
    assert numbers["command"] == session.command
    assert numbers["commit"] == ((session.commit or "")[:12] or provenance.UNKNOWN)


def test_columns_stand_in_their_order_and_what_is_not_known_is_left_out():
    text = origin.fold(["value", "flavour", "step"])
    assert [row[0] for row in rows(text)] == ["column of the CSV", "value", "step"]
    assert "flavour" not in text
    assert origin.COMMAND in text


def test_what_is_told_is_text():
    origin.told([dict.fromkeys(origin.OF_SERIES, "<script>")])
    assert "<script>" not in origin.fold([])


def test_every_meaning_is_one_line_of_text_about_a_csv_which_has_no_nulls():
    assert not [text for text in columns.MEANINGS.values() if "null" in text]
    assert all(text and "\n" not in text and text == text.strip(" .") for text in columns.MEANINGS.values())
