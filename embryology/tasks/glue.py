"""The nine tasks of GLUE (Wang et al. 2019) in the layout of their official downloads.

A folder ``<task>`` holds ``train.tsv`` and ``dev.tsv`` (MNLI: ``dev_matched.tsv`` and ``dev_mismatched.tsv``), UTF-8,
each optionally gzipped; a file named ``train-part.tsv`` is taken for what it says. Columns are found by their names.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.specs.downstream import TASKS as LABELS
from embryology.specs.sources import Data, Source
from embryology.storage.files import sha256_of_files
from embryology.storage.lines import MalformedError, found, numbered, tolerated
from embryology.tasks import Example, Split, Task, hub

BINARY = ("0", "1")
ENTAILMENT = ("not_entailment", "entailment")


@dataclass(frozen=True)
class Layout:
    """Where a task's files hold what."""

    first: str
    second: str | None
    target: str
    classes: tuple[str, ...]
    metrics: tuple[str, ...]
    header: tuple[str, ...] | None = None
    """The names of the columns, where the files do not begin with them."""
    dev: tuple[str, ...] = ("dev",)
    hub: tuple[str, ...] = ("sentence1", "sentence2")
    """The columns of the texts in the Hub's copy."""


TASKS = {
    "CoLA": Layout(
        "sentence",
        None,
        "label",
        BINARY,
        ("matthews",),
        header=("source", "label", "mark", "sentence"),
        hub=("sentence",),
    ),
    "SST-2": Layout("sentence", None, "label", BINARY, ("accuracy",), hub=("sentence",)),
    "MRPC": Layout("#1 String", "#2 String", "Quality", BINARY, ("accuracy", "f1")),
    "STS-B": Layout("sentence1", "sentence2", "score", (), ("pearson", "spearman")),
    "QQP": Layout(
        "question1",
        "question2",
        "is_duplicate",
        BINARY,
        ("accuracy", "f1"),
        hub=("question1", "question2"),
    ),
    "MNLI": Layout(
        "sentence1",
        "sentence2",
        "gold_label",
        ("contradiction", "neutral", "entailment"),
        ("accuracy",),
        dev=("dev_matched", "dev_mismatched"),
        hub=("premise", "hypothesis"),
    ),
    "QNLI": Layout(
        "question",
        "sentence",
        "label",
        ENTAILMENT,
        ("accuracy",),
        hub=("question", "sentence"),
    ),
    "RTE": Layout("sentence1", "sentence2", "label", ENTAILMENT, ("accuracy",)),
    "WNLI": Layout("sentence1", "sentence2", "label", BINARY, ("accuracy",)),
}
"""In the order of the paper's figures."""
LEAST, MOST = 0.0, 5.0
"""Of STS-B's scores."""


def read(folder: Path, name: str, skip_bad: bool = False) -> Task:
    """One task from the folder that holds all of them.

    Raises:
        EmbryologyError: a file is malformed (file and line are named) or holds no example, or there is no development
            set. Without a train set the task has none.
    """
    layout = TASKS[name]
    train = _split(folder / name, "train", layout, skip_bad)
    sets = {file.removeprefix("dev_"): _split(folder / name, file, layout, skip_bad) for file in layout.dev}
    dev = {file: split for file, split in sets.items() if split is not None}
    if not dev:
        files = " or ".join(f"{file}.tsv" for file in layout.dev)
        raise EmbryologyError(f"{folder / name} holds no {files} (or .gz); get GLUE's task {name}")
    return _task(name, train, dev)


HUB = "nyu-mll/glue"


def from_hub(name: str) -> Task:
    """The same task from the Hub, through ``datasets``.

    Raises:
        EmbryologyError: ``datasets`` is not installed, or the Hub cannot be reached.
    """
    layout = TASKS[name]
    first, *second = layout.hub

    def split(rows: Iterable[Mapping]) -> Split:
        # Classes are numbered there in another order, which no metric minds: MRPC's and QQP's class 1 is the same.
        return Split(
            [Example(str(row["idx"]), row[first], row[second[0]] if second else None, row["label"]) for row in rows]
        )

    def read(sets: Mapping) -> Task:
        dev = {file.removeprefix("dev_"): split(sets[file.replace("dev", "validation")]) for file in layout.dev}
        return _task(name, split(sets["train"]), dev)

    return hub.had(HUB, name.lower().replace("-", ""), read)


def _task(name: str, train: Split | None, dev: dict[str, Split]) -> Task:
    layout = TASKS[name]
    return Task(name, LABELS[name], layout.classes, layout.metrics, train, dev)


def _split(folder: Path, name: str, layout: Layout, skip_bad: bool) -> Split | None:
    for suffix in ("", "-part"):
        path = found(folder / f"{name}{suffix}.tsv")
        if path is not None:
            split = Split([], part=bool(suffix))
            split.examples += _examples(path, layout, split.skipped, skip_bad)
            if not split.examples:
                raise EmbryologyError(f"{path} holds no examples; remove it, or restore it")
            return split
    return None


def _examples(path: Path, layout: Layout, skipped: Counter[str], skip_bad: bool) -> Iterator[Example]:
    """Fields are what stands between tabs: quotation marks are text, and often unpaired."""
    names = list(layout.header) if layout.header else None
    wanted = [column for column in (layout.first, layout.second, layout.target) if column]
    for number, line in numbered(path):
        if not line.strip():
            continue
        if names is None:
            names = line.removeprefix("\ufeff").split("\t")
            if missing := [column for column in wanted if column not in names]:
                raise EmbryologyError(f"{path}, line {number}: no column {', '.join(missing)}; it is GLUE's header")
            continue
        with tolerated(path, skipped, skip_bad):
            fields = line.removeprefix("\ufeff").split("\t")
            if len(fields) != len(names):
                raise MalformedError("ragged line", number, f"{len(fields)} fields instead of {len(names)}")
            row = dict(zip(names, fields, strict=True))
            label = _label(row[layout.target], layout, number)
            yield Example(str(number), row[layout.first], row[layout.second] if layout.second else None, label)


def _label(text: str, layout: Layout, number: int) -> float:
    if layout.classes:
        if text not in layout.classes:
            raise MalformedError("unknown label", number, f"{text!r} is none of {', '.join(layout.classes)}")
        return layout.classes.index(text)
    try:
        score = float(text)
    except ValueError:
        score = float("nan")
    if not LEAST <= score <= MOST:
        raise MalformedError("no score", number, f"{text!r} is no number from {LEAST:g} to {MOST:g}")
    return score


PLACE = "downstream/glue"
EXAMPLES = {
    "CoLA": {"train": 8_551, "dev": 1_043},
    "SST-2": {"train": 67_349, "dev": 872},
    "MRPC": {"train": 3_668, "dev": 408},
    "STS-B": {"train": 5_749, "dev": 1_500},
    "QQP": {"train": 363_846, "dev": 40_430},
    "MNLI": {"train": 392_702, "matched": 9_815, "mismatched": 9_832},
    "QNLI": {"train": 104_743, "dev": 5_463},
    "RTE": {"train": 2_490, "dev": 277},
    "WNLI": {"train": 635, "dev": 71},
}
"""Of the official files, from the tasks' papers; parts of files are not held against them."""


def whole() -> list[str]:
    """The tasks whose whole train and development sets are there, in the paper's order."""
    data = data_folder()
    if data is None:
        return []
    files_by_task = {name: ("train", *layout.dev) for name, layout in TASKS.items()}
    return [
        name
        for name, files in files_by_task.items()
        if all(found(data / PLACE / name / f"{file}.tsv") for file in files)
    ]


def _find(name: str, part: str) -> Data:
    data = data_folder()
    if data is None or not (data / PLACE / name).is_dir():
        raise EmbryologyError(
            f"the task {name!r} needs {PLACE}/{name} in the folder that EMBRYOLOGY_DATA names, with GLUE's train.tsv "
            "and dev.tsv (gluebenchmark.com)"
        )
    folder = data / PLACE
    files = sorted((folder / name).glob("*.tsv*"))

    def identity() -> dict[str, str]:
        if not files:
            read(folder, name)  # says what is wrong
        return sha256_of_files(folder / name, files)

    return Data(name, LABELS[name], tuple(files), identity, partial(read, folder, name))


def _find_on_hub(name: str, part: str) -> Data:
    on_hub = name.removeprefix(hub.PREFIX)
    return Data(name, LABELS[on_hub], (), lambda: {"hub": HUB}, lambda _: from_hub(on_hub))


def _is_on_hub(name: str) -> bool:
    return name.startswith(hub.PREFIX) and name.removeprefix(hub.PREFIX) in TASKS


SOURCES = (
    *(
        Source("task", name, _find, known={part: {"examples": count} for part, count in EXAMPLES[name].items()})
        for name in TASKS
    ),
    Source("task", "glue-on-the-hub", _find_on_hub, _is_on_hub, f"{hub.PREFIX} before one of GLUE's"),
)
