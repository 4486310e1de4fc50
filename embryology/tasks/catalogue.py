"""The tasks by name, where each is looked for, and the counts that are known of them."""

from functools import partial
from importlib import metadata

from rich.console import Console

from embryology.corpus.articles import BUNDLED_PACKAGE
from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.storage.files import sha256_of_files
from embryology.storage.lines import found
from embryology.tasks import Task, glue, hub, squad, topics

GLUE = "downstream/glue"
NAMES = (*glue.TASKS, squad.NAME, "topic")
KNOWN = {
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
SQUAD_DEV = {"questions": 11_873, "without an answer": 5_945}


def find(name: str, skip_bad: bool = False) -> Task:
    """A task of labels by its name, read: one of GLUE's, the same with ``hub:`` before it, or ``topic``.

    Raises:
        EmbryologyError: there is no such task, its data are not there, or they are malformed.
    """
    if name == "topic":
        return topics.read()
    from_hub = name.startswith(hub.PREFIX)
    name = name.removeprefix(hub.PREFIX)
    if name == squad.NAME:
        raise EmbryologyError(
            f"the task {name!r} asks for places in a text, not for labels: models are fine-tuned for it"
        )
    if name in glue.TASKS and from_hub:
        return glue.from_hub(name)
    if name not in glue.TASKS:
        raise EmbryologyError(f"there is no task {name!r}; choose {', '.join(NAMES)}")
    data = data_folder()
    if data is None or not (data / GLUE / name).is_dir():
        raise EmbryologyError(
            f"the task {name!r} needs {GLUE}/{name} in the folder that EMBRYOLOGY_DATA names, with GLUE's train.tsv "
            "and dev.tsv (gluebenchmark.com)"
        )
    return glue.read(data / GLUE, name, skip_bad)


def trainable() -> list[str]:
    """GLUE's tasks and SQuAD, those whose whole train and development sets are there, in the paper's order."""
    data = data_folder()
    if data is None:
        return []
    files_by_task = {name: ("train", *layout.dev) for name, layout in glue.TASKS.items()}
    whole = [
        name
        for name, files in files_by_task.items()
        if all(found(data / GLUE / name / f"{file}.tsv") for file in files)
    ]
    return [*whole, squad.NAME] if {"train", "dev"} <= squad.files().keys() else whole


def identity(name: str) -> dict:
    """What a task's examples depend on: hashes of its files, or versions; cheap."""
    if name == "topic":
        return {BUNDLED_PACKAGE: metadata.version(BUNDLED_PACKAGE)}
    if name.startswith(hub.PREFIX) and (on_hub := name.removeprefix(hub.PREFIX)) in (*glue.TASKS, squad.NAME):
        return {"hub": squad.HUB if on_hub == squad.NAME else glue.HUB}
    data = data_folder()
    if name == squad.NAME:
        paths = squad.files()
        if data is None or "dev" not in paths:
            squad.find()  # says what is wrong
        assert data is not None
        return sha256_of_files(data / squad.FOLDER, paths.values())
    folder = data / GLUE / name if data else None
    files = sorted(folder.glob("*.tsv*")) if folder else []
    if name not in glue.TASKS or not files:
        find(name)  # says what is wrong
    assert folder is not None
    return sha256_of_files(folder, files)


def check(console: Console, skip_bad: bool = False) -> None:
    """Print the counts of all tasks that are there.

    Raises:
        EmbryologyError: a file is malformed, or a known count does not hold.
    """
    say = partial(console.print, highlight=False, soft_wrap=True, markup=False)
    wrong = []
    for name in [name for name in NAMES if name != squad.NAME]:
        try:
            task = find(name, skip_bad)
        except EmbryologyError as error:
            if (data := data_folder()) is not None and (data / GLUE / name).is_dir():
                raise
            say(str(error))
            continue
        splits = ({"train": task.train} if task.train else {}) | task.dev
        parts = [
            f"{split_name} {len(split.examples):,}{' (a part)' if split.part else ''}"
            for split_name, split in splits.items()
        ]
        parts += [] if task.train else ["no train set, not run"]
        say(f"{name}: {', '.join(parts)}")
        for split_name, split in splits.items():
            known, count = KNOWN.get(name, {}).get(split_name), len(split.examples)
            if known and count != known and not split.part and not split.skipped:
                wrong.append(f"{name} {split_name} has {count:,} examples instead of {known:,}")
    for part, path in squad.files().items():
        questions = squad.read(path)
        unanswerable = sum(not question.answers for question in questions)
        ours = {"questions": len(questions), "without an answer": unanswerable}
        say(f"{squad.NAME} {part}: {', '.join(f'{count:,} {what}' for what, count in ours.items())}")
        if part != "dev":
            continue
        wrong += [
            f"SQuAD dev has {ours[what]:,} {what} instead of {n:,}" for what, n in SQUAD_DEV.items() if ours[what] != n
        ]
    if wrong:
        raise EmbryologyError(f"{len(wrong)} known counts do not hold: {'; '.join(wrong)}; get the official files")
