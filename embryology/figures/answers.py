"""How a page opens: the question, its answer in a sentence, and for which runs it holds and how strongly."""

from collections.abc import Sequence

from IPython.display import Markdown

from embryology.figures import prose
from embryology.runs.series import Series

YES, NO, PARTLY, UNTOLD = "Yes", "No", "In part", "Cannot be told"


def said(question: str, answer: str, holds: str) -> Markdown:
    """The first paragraph of a page, which Jupyter, Colab and the book show alike.

    Args:
        question: with its mark.
        answer: a sentence or two, without the full stop of the last.
        holds: for which runs, and how strongly; the same.
    """
    return Markdown(f"**{question}** {_closed(answer)}\n\n*{_closed(holds)}*")


def _closed(text: str) -> str:
    text = prose.with_code(text.strip())
    text = f"{text[:1].upper()}{text[1:]}"
    return text if text.endswith((".", "?", "!")) else f"{text}."


def of(count: int, total: int) -> str:
    """The word before a count: yes where it is all, no where it is none, and that it cannot be told of nothing."""
    return UNTOLD if not total else YES if count == total else PARTLY if count else NO


def of_one(series: Series, unit: str = "") -> str:
    """Of an answer that rests on one training.

    Args:
        series: which.
        unit: what its intervals are over, in the plural; empty where it has none.
    """
    seed = f", seed {series.seed}" if series.seed is not None else ""
    over = f"intervals are over {unit} and say nothing of another seed" if unit else "another seed may differ"
    return f"Holds for {series.name}{seed}: one training; {over}"


def of_several(series: Sequence[Series]) -> str:
    """Of an answer that rests on several series: how many, of how many recipes."""
    recipes = len({each.recipe or each.name for each in series})
    return f"Rests on {count(len(series), 'run')} of {count(recipes, 'recipe')}"


def count(number: int, what: str) -> str:
    """A number with its noun: "1 run", "2 runs"."""
    return f"{number:,} {what if number == 1 or what.endswith('s') else f'{what}s'}"
