"""Every reader on damaged files: the project's own error, in one line, or an answer, of our own tables the right one.

A few hundred files in ``make test``; ``make test-long`` makes it more than 10,000. Treebanks have a test of their own.
"""

import gzip
import json
import random
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embryology import presets
from embryology.corpus import articles, tokenizer
from embryology.errors import EmbryologyError
from embryology.facts import lama, pararel
from embryology.models.alignment import longest_input
from embryology.models.encoder import Encoder
from embryology.runs import losses, measurements
from embryology.runs.series import Series
from embryology.tasks import glue, squad
from tests.foreign import save_bert
from tests.synthetic import make_run

TOKENS = [b"null", b"-1", b"1e999", b"0", b"{", b"}", b"[", b"]", b'"', b":", b",", b"\n", b"\t", b" ", b"\0",
          b"\xff", b"\xef\xbb\xbf", b"\xc3", b"true", b"99999999999999999999", b"''", b"- ", b"#", b"&a", b"*a",
          b"NaN"]  # fmt: skip
FACT = {"sub_label": "Ulm", "obj_label": "Germany", "sub_uri": "Q3012", "obj_uri": "Q183", "sub": "/m/1"}
RELATION = {"relation": "P17", "template": "[X] is in [Y] .", "label": "country", "type": "N-1"}
SQUAD = {"data": [{"paragraphs": [{"context": "It rains in Ulm.", "qas": [
    {"id": "a", "question": "Where?", "is_impossible": False, "answers": [{"text": "Ulm", "answer_start": 12}]},
    {"id": "b", "question": "Who?", "is_impossible": True, "answers": []},
]}]}]}  # fmt: skip


@dataclass(frozen=True)
class Format:
    make: Callable[[Path], None]
    """Writes sound files into a folder."""
    read: Callable[[Path], object]
    damaged: str = "**/*"
    """Which of them are damaged."""
    exact: bool = False
    """Whether what is read has to be what was written: our own tables have checksums."""
    share: float = 1.0
    """Of the number of examples: some readers load a model."""


def _lines(folder, name, records):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record) + "\n" for record in records).encode()
    file.write_bytes(gzip.compress(text) if file.suffix == ".gz" else text)


def _facts(folder):
    _lines(folder, "relations.jsonl", [RELATION])
    _lines(folder, "TREx/P17.jsonl", [FACT, FACT | {"sub_uri": "Q1", "sub_label": "Bonn"}])
    for name in lama.GOOGLE_RE:
        _lines(folder, f"Google_RE/{name}_test.jsonl.gz", [FACT])
    _lines(folder, "Squad/test.jsonl", [{"id": "1", "obj_label": "Ulm", "masked_sentences": ["In [MASK] it rains."]}])
    _lines(folder, "trex_lms_vocab/P17.jsonl", [FACT])
    _lines(folder, "graphs_json/P17.jsonl", [{"pattern": "[X] is in [Y] ."}])


def _read_facts(folder):
    return lama.trex(folder), lama.google_re(folder), lama.squad(folder), pararel.read(folder)


def _tasks(folder):
    rows = "0\tIt rains.\tThe grass is wet.\tentailment\n1\tA.\tB.\tnot_entailment\n"
    for split in ("train", "dev"):
        (folder / "RTE").mkdir(exist_ok=True)
        (folder / "RTE" / f"{split}.tsv").write_text(f"index\tsentence1\tsentence2\tlabel\n{rows}")


def _run(folder):
    make_run(folder / "run", steps=(0, 20), sentences=3)


def _read_tables(folder):
    series = Series.open(folder / "run")
    return [
        measurements.read(series), *(measurements.read_items(series, probe) for probe in ("tokens", "edges")),
        losses.read(series.folder),
    ]  # fmt: skip


def _read_checkpoint(folder):
    (checkpoint,) = Series.open(folder / "bert").checkpoints
    pieces = tokenizer.load(checkpoint.location)
    longest_input(pieces, checkpoint.location)
    encoder = Encoder.load(checkpoint, device="cpu")
    return encoder.model_type


FORMATS = {
    "text": Format(
        lambda folder: (folder / "x.txt").write_bytes("One line.\r\nTwö.\n\nThree.\n".encode()),
        lambda folder: [*articles.articles("text", str(folder / "x.txt")), *articles.articles("text", str(folder))],
    ),
    "compressed text": Format(
        lambda folder: (folder / "x.txt.gz").write_bytes(gzip.compress(b"One.\n\nTwo.\n")),
        lambda folder: list(articles.articles("text", str(folder))),
    ),
    "wikipedia": Format(
        lambda folder: pq.write_table(
            pa.table({"id": ["1", "2"], "title": ["A", "B"], "text": ["One.", "Two."]}), folder / "x.parquet"
        ),
        lambda folder: list(articles.articles("wikipedia", str(folder))),
    ),
    "preset": Format(
        lambda folder: shutil.copy("embryology/presets/tiny.yaml", folder / "x.yaml"),
        lambda folder: presets.load(str(folder / "x.yaml")),
    ),
    "facts": Format(_facts, _read_facts),
    "tasks": Format(_tasks, lambda folder: glue.read(folder, "RTE")),
    "questions": Format(
        lambda folder: (folder / "dev.json").write_text(json.dumps(SQUAD)),
        lambda folder: squad.read(folder / "dev.json"),
    ),
    "tables": Format(_run, _read_tables, "**/*.parquet", exact=True),
    "records": Format(_run, lambda folder: [Series.open(folder / "run").manifest, _read_tables(folder)], "**/*.[jy]*"),
    "checkpoints": Format(lambda folder: save_bert(folder / "bert", steps=(3,)), _read_checkpoint, "**/*.*", share=0.3),
}


def damage(content, draw):
    """One to three changes: bytes flipped, dropped, doubled, put in or cut off."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        at = draw.randrange(len(content) + 1)
        end = min(len(content), at + draw.choice((1, 1, 2, 5, 40, 400)))
        kind = draw.randrange(6)
        if kind == 0 and at < len(content):
            content = content[:at] + bytes([content[at] ^ (1 << draw.randrange(8))]) + content[at + 1 :]
        elif kind == 1:
            content = content[:at] + content[end:]
        elif kind == 2:
            content = content[:end] + content[at:end] + content[end:]
        elif kind == 3:
            content = content[:at] + draw.choice(TOKENS) + content[at:]
        elif kind == 4:
            content = content[:at] + draw.choice(TOKENS) + content[end:]
        else:
            content = content[:at]
    return content


def damaged_readings(kind, count, folder):
    """Read ``count`` damaged copies; returns how many were refused."""
    form, refused = FORMATS[kind], 0
    sound = folder / "sound"
    sound.mkdir()
    form.make(sound)
    expected = form.read(sound)
    files = sorted(file for file in sound.glob(form.damaged) if file.is_file())
    for number in range(count):
        draw = random.Random(number)
        file = draw.choice(files)
        original = file.read_bytes()
        changed = damage(original, draw)
        file.write_bytes(changed)
        lines = 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of libraries, on what they read
                given = form.read(sound)
            if form.exact:
                for one, other in zip(given, expected, strict=True):
                    pd.testing.assert_frame_equal(one, other)
        except EmbryologyError as error:
            refused += 1
            lines = str(error).count("\n") + 1
        except BaseException as error:
            error.add_note(f"{kind}, number {number}: {file.relative_to(sound)}, now {changed[:300]!r}")
            raise
        finally:
            file.write_bytes(original)
        assert lines == 1
    return refused


@pytest.mark.parametrize("kind", FORMATS)
def test_some_damaged_files(kind, tmp_path):
    assert damaged_readings(kind, max(3, int(40 * FORMATS[kind].share)), tmp_path) > 0


@pytest.mark.long
@pytest.mark.parametrize("kind", FORMATS)
def test_thousands_of_damaged_files(kind, tmp_path):
    count = int(1500 * FORMATS[kind].share)
    refused = damaged_readings(kind, count, tmp_path)
    print(f"{kind}: {refused} of {count} refused")
