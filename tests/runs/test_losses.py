"""The table of losses: numbers as they were, and nothing where there was none."""

import pandas as pd
import pyarrow.parquet as pq
import pytest

from embryology.errors import EmbryologyError
from embryology.runs import losses
from embryology.runs.paths import RunFolder
from embryology.storage.files import write_table

ROW = {"step": 2**33, "tokens": 2**40 + 1} | {name: 1 / 3 for name in losses.COLUMNS if name not in ("step", "tokens")}


def test_numbers_are_kept_to_the_last_digit_and_what_was_not_said_is_null(tmp_path):
    folder = RunFolder(tmp_path)
    losses.write(folder, [ROW, {"step": 2**33 + 10, "tokens": 2**41}])
    expected = [ROW, dict.fromkeys(losses.COLUMNS) | {"step": 2**33 + 10, "tokens": 2**41}]
    assert pq.read_table(folder.losses).to_pylist() == expected
    first, second = losses.read(folder).to_dict("records")
    assert first == ROW
    assert [name for name, value in second.items() if pd.notna(value)] == ["step", "tokens"]


def test_columns_of_an_older_run_are_null_and_those_of_a_newer_one_are_kept(tmp_path):
    folder = RunFolder(tmp_path)
    write_table(folder.losses, pd.DataFrame({"newer": [7.0], "step": [1], "tokens": [5]}))
    table = losses.read(folder)
    assert list(table) == [
        "newer",
        "step",
        "tokens",
        *(name for name in losses.COLUMNS if name not in table.columns[:3]),
    ]
    assert table.iloc[0].dropna().to_dict() == {"newer": 7, "step": 1, "tokens": 5}
    folder.losses.unlink()
    with pytest.raises(EmbryologyError, match=r"has no losses\.parquet; is it a run"):
        losses.read(folder)
