"""What the pages say of runs: every number and sentence that their text has from measurements.

    python benchmarks/headlines.py write FILE RUN…
    python benchmarks/headlines.py compare BEFORE AFTER [NAME=NAME…]

``write`` runs the cells of the notebooks up to the one that has the numbers of their sentences, in the folder that it
is called in, and so works in a checkout of another commit too. ``compare`` prints two such files as a table; a run that
has another name in the second file is given as BEFORE=AFTER.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

PAGES = ("tokens", "frequency", "edges", "layers", "downstream", "knowledge", "overlap")
ROWS = {
    "groups beyond blind answers, words given": ("tokens.learnt_count", "tokens.learnt"),
    "the same, words masked": ("tokens.mask_learnt_count", "tokens.mask_learnt"),
    "order of learning": ("tokens.order", "tokens.order"),
    "with the published order": ("tokens.albert_agreement", "tokens.albert_agreement"),
    "the same, by half of the final value": ("tokens.albert_agreement", "tokens.half_agreement"),
    "order of masked words with that of given ones": ("tokens.tasks_agreement", "tokens.tasks_agreement"),
    "order of frequency alone, with the run's": ("", "frequency.run_and_frequency"),
    "the same, with the published one": ("", "frequency.published_and_frequency"),
    "held-out word types": ("", "frequency.adds_by_type"),
    "held-out words": ("", "frequency.adds_by_word"),
    "beside types as frequent": ("", "frequency.apart_by_type"),
    "beside words as frequent": ("", "frequency.apart_by_word"),
    "verb forms": ("", "frequency.forms"),
    "what the tests say together": ("", "frequency.verdict"),
    "when masked words become likely": ("", "frequency.surprisal"),
    "half of the gain of vectors": ("edges.order", "edges.halves"),
    "selectivity": ("edges.selectivity", "edges.selectivity"),
    "description length": ("edges.compression", "edges.no_shorter"),
    "centres of gravity": ("layers.centres", "layers.centres"),
    "95% of the gain of tasks": ("downstream.reached", "downstream.reached"),
    "late trend of tasks": ("downstream.trend", "downstream.trend"),
    "best checkpoint of tasks": ("downstream.best_not_last", "downstream.best_checkpoint"),
    "facts right": ("knowledge.accuracy", "knowledge.accuracy"),
    "facts right that cannot be copied": ("knowledge.not_named", "knowledge.not_named"),
    "facts known that cannot be copied": ("", "knowledge.known_not_named"),
    "right among the relation's objects": ("knowledge.candidates", "knowledge.candidates"),
    "likelier with its own subject": ("knowledge.gain", "knowledge.gain"),
    "the same, not copied": ("knowledge.gain_not_named", "knowledge.gain_not_named"),
    "relations above all blind answers": ("knowledge.relations_beyond", "knowledge.relations_beyond"),
    "relations that change": ("knowledge.relations_fall", "knowledge.relations_change"),
    "the same answer in other words": ("knowledge.consistency", "knowledge.consistency"),
    "that rises with knowledge": ("knowledge.consistency_trend", "knowledge.consistency_trend"),
    "facts known at some checkpoint": ("knowledge.ever", "knowledge.ever"),
    "at the last": ("knowledge.right_at_end", "knowledge.right_at_end"),
    "facts that come and go": ("knowledge.forgetting", "knowledge.histories"),
    "half-life": ("knowledge.half_life", ""),
    "what the text tells": ("knowledge.frequency", "knowledge.frequency"),
    "test text in the training text": ("", "overlap.overlap"),
}
"""What a row is called, and where it stands in both files: page and name; empty where there was or is none."""


def write(file: str, runs: list[str]) -> None:
    """Keep what is told, by run and by page and name."""
    said = {
        Path(run).name: {f"{page}.{name}": text for page in PAGES for name, text in _told(page, run)} for run in runs
    }
    Path(file).write_text(json.dumps(said, indent=1, ensure_ascii=False))


def _told(page: str, run: str) -> list[tuple[str, str]]:
    import myst_nb

    from embryology.errors import EmbryologyError

    notebook = Path("notebooks") / f"{page}.ipynb"
    if not notebook.is_file():
        return []
    told: list[tuple[str, str]] = []
    myst_nb.glue = lambda name, value, display: told.append((name, str(value)))  # of earlier commits
    with suppress(ImportError):
        from embryology.figures import prose

        prose.of = lambda numbers: told.extend(numbers.items())
    cells = [
        "".join(cell["source"]) for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"
    ]
    last = max(number for number, cell in enumerate(cells) if "glue(" in cell or "prose.of(" in cell)
    names: dict[str, Any] = {}
    try:
        for cell in cells[: last + 1]:
            exec(cell, names)
            if "run" in names and "series" not in names:
                names["run"] = run
    except EmbryologyError as error:
        print(f"{run}, {page}: {error}", file=sys.stderr)
    return told


def compare(before: str, after: str, renamed: list[str]) -> None:
    """Print a table a run."""
    then, now = (json.loads(Path(file).read_text()) for file in (before, after))
    names = dict(pair.split("=") for pair in renamed)
    for run, said in then.items():
        new = now[names.get(run, run)]
        print(f"\n## `{names.get(run, run)}`\n\n| | before | now |\n|---|---|---|")
        for row, (old_name, new_name) in ROWS.items():
            if said.get(old_name) or new.get(new_name):
                print(f"| {row} | {said.get(old_name, 'not asked')} | {new.get(new_name, 'not told')} |")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", file, *runs]:
            write(file, runs)
        case ["compare", before, after, *renamed]:
            compare(before, after, renamed)
        case _:
            sys.exit(__doc__)
