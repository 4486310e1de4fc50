"""Hold the project after the redesign against the one before, once: no number may differ.

    python results/compare.py BEFORE AFTER DRAWN_BEFORE DRAWN_AFTER

BEFORE and AFTER are two copies of the project, each with ``runs/tiny`` trained and measured; DRAWN_… hold every
notebook as executed by each, ``<run>/<notebook>.ipynb``. Compared exactly: weights of ``tiny``; every value of every
measurement and item, of ``tiny`` and of all frozen runs; the data behind every figure. The mapping: the column
``item`` of measurements is ``group``; ``tag`` of items is ``group``, or ``seed`` of fine-tuning; what stood behind
"excluded: " in ``metric`` is ``reason``; keys are new; the row ``applicable`` is gone. The commit after removes this.
"""

import base64
import io
import json
import re
import sys
from pathlib import Path

import pandas as pd

from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.storage.files import sha256_of_file

ORDER = ["probe", "task", "group", "metric", "step"]


def main(before: Path, after: Path, drawn_before: Path, drawn_after: Path) -> None:
    count = weights(before / "runs/tiny", after / "runs/tiny")
    print(f"weights of tiny: {count} checkpoints byte-identical")
    rows = items = 0
    for run in [
        "runs/tiny",
        *(f"results/{file.parent.name}" for file in sorted((before / "results").glob("*/frozen.yaml"))),
    ]:
        counts = tables(before / run, Series.open(after / run))
        print(f"{run}: {counts[0]:,} rows of measurements and {counts[1]:,} of items equal")
        rows, items = rows + counts[0], items + counts[1]
    print(f"in all: {rows:,} rows of measurements and {items:,} of items equal")
    print("figures: {} with {:,} rows of data equal".format(*figures(drawn_before, drawn_after)))


def weights(before: Path, after: Path) -> int:
    files = sorted(before.glob("checkpoints/*/model.safetensors"))
    for file in files:
        assert sha256_of_file(file) == sha256_of_file(after / file.relative_to(before)), file
    old, new = (
        pd.read_parquet(folder / "losses.parquet").drop(columns="tokens_per_second") for folder in (before, after)
    )
    pd.testing.assert_frame_equal(old, new, check_exact=True)
    return len(files)


def tables(before: Path, series: Series) -> tuple[int, int]:
    rows = items = 0
    for folder in sorted((before / "measurements").iterdir()):
        if folder.name in ("details", "parts"):
            continue
        old = pd.concat([pd.read_parquet(file) for file in sorted(folder.glob("*.parquet"))], ignore_index=True)
        excluded = old["metric"].str.startswith("excluded: ")
        old = old.rename(columns={"item": "group"}).assign(reason=old["metric"].str[10:].where(excluded))
        old["metric"] = old["metric"].mask(excluded, "excluded")
        new = measurements.read(series, folder.name)
        old = old.sort_values(ORDER, kind="stable", ignore_index=True)[new.columns].assign(series=series.name)
        same(old.drop(columns="key"), new.drop(columns="key"))
        rows += len(new)
        details = sorted((before / "measurements/details" / folder.name).glob("*.parquet"))
        if details:
            old = pd.concat([pd.read_parquet(file) for file in details], ignore_index=True)
            if folder.name == "finetune":
                old = old.assign(seed=old["tag"].str[5:].astype("int64")).drop(columns="tag")
            old = old.rename(columns={"tag": "group"})
            new = measurements.read_items(series, folder.name)
            assert set(old) == set(new), set(old) ^ set(new)
            same(old[new.columns], new)
            items += len(new)
    return rows, items


def same(old: pd.DataFrame, new: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(old, new, check_exact=True, check_dtype=False)


def figures(before: Path, after: Path) -> tuple[int, int]:
    count = rows = 0
    for file in sorted(before.glob("*/*.ipynb")):
        old, new = data_of(file), data_of(after / file.relative_to(before))
        assert old.keys() == new.keys(), (file, old.keys() ^ new.keys())
        for name, table in old.items():
            if "item" in table and "group" in new[name]:
                table = table.rename(columns={"item": "group"})
            speed = ["tokens_per_second"]  # of the training that was just run
            same(table.drop(columns=speed, errors="ignore"), new[name].drop(columns=speed, errors="ignore"))
            count, rows = count + 1, rows + len(table)
    return count, rows


def data_of(notebook: Path) -> dict[str, pd.DataFrame]:
    """The data behind each figure of an executed notebook, by the name of its file."""
    tables = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            html = "".join(output.get("data", {}).get("text/html", []))
            for content, name in re.findall(r'href="data:text/csv;base64,([^"]*)" download="([^"]*)"', html):
                tables[name] = pd.read_csv(io.BytesIO(base64.b64decode(content)))
    return tables


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
