"""The tasks by name, where each is looked for, and the counts that are known of them."""

from importlib import metadata

from rich.console import Console

from embryology.corpus.articles import BUNDLED_PACKAGE
from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.storage.files import sha256_of_file
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
    wanted = {name: ("train", *layout.dev) for name, layout in glue.TASKS.items()}
    whole = [name for name, files in wanted.items() if all(found(data / GLUE / name / f"{one}.tsv") for one in files)]
    return [*whole, squad.NAME] if {"train", "dev"} <= squad.files().keys() else whole


def identity(name: str) -> dict:
    """What a task's examples depend on: hashes of its files, or versions; cheap."""
    if name == "topic":
        return {BUNDLED_PACKAGE: metadata.version(BUNDLED_PACKAGE)}
    if name.startswith(hub.PREFIX) and (own := name.removeprefix(hub.PREFIX)) in (*glue.TASKS, squad.NAME):
        return {"hub": squad.HUB if own == squad.NAME else glue.HUB}
    if name == squad.NAME:
        if "dev" not in squad.files():
            squad.find()  # says what is wrong
        return {file.name: sha256_of_file(file) for file in squad.files().values()}
    data = data_folder()
    folder = data / GLUE / name if data else None
    files = sorted(folder.glob("*.tsv*")) if folder else []
    if name not in glue.TASKS or not files:
        find(name)  # says what is wrong
    return {file.name: sha256_of_file(file) for file in files}


def check(console: Console, skip_bad: bool = False) -> None:
    """Print the counts of all tasks that are there.

    Raises:
        EmbryologyError: a file is malformed, or a known count does not hold.
    """
    wrong = []
    for name in [name for name in NAMES if name != squad.NAME]:
        try:
            task = find(name, skip_bad)
        except EmbryologyError as error:
            if data_folder() is not None and (data_folder() / GLUE / name).is_dir():
                raise
            console.print(str(error), highlight=False, soft_wrap=True, markup=False)
            continue
        splits = ({"train": task.train} if task.train else {}) | task.dev
        said = [f"{split} {len(own.examples):,}{' (a part)' if own.part else ''}" for split, own in splits.items()]
        said += [] if task.train else ["no train set, not run"]
        console.print(f"{name}: {', '.join(said)}", highlight=False, soft_wrap=True, markup=False)
        wrong += [
            f"{name} {split} has {len(own.examples):,} examples instead of {known:,}"
            for split, own in splits.items()
            if (known := KNOWN.get(name, {}).get(split)) and not own.part and not own.skipped
            and len(own.examples) != known
        ]  # fmt: skip
    for split, path in squad.files().items():
        questions = squad.read(path)
        ours = {"questions": len(questions), "without an answer": sum(not asked.answers for asked in questions)}
        said = ", ".join(f"{count:,} {what}" for what, count in ours.items())
        console.print(f"{squad.NAME} {split}: {said}", highlight=False, soft_wrap=True, markup=False)
        if split != "dev":
            continue
        wrong += [
            f"SQuAD dev has {ours[what]:,} {what} instead of {n:,}" for what, n in SQUAD_DEV.items() if ours[what] != n
        ]
    if wrong:
        raise EmbryologyError(f"{len(wrong)} known counts do not hold: {'; '.join(wrong)}; get the official files")
