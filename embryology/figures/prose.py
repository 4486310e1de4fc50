"""Sentences with numbers: Markdown that Jupyter, Colab and the book show alike."""

import re
from collections.abc import Mapping

import pandas as pd
from IPython.display import HTML, Markdown

from embryology.errors import EmbryologyError
from embryology.figures import style

NAME = re.compile(r"\{([^{}]*)\}(`[^`]*`)?|[{}]")
"""A name in braces, and what makes it a role of the book, such as ``{doc}`…```; else a brace by itself."""
MARKUP = re.compile(r"[\\`*_$~<&]|\](?=[(\[:])")
"""What Markdown does not show as it stands; a bracket alone, as of an interval, it does."""
COMMAND = re.compile(r"\((embryology [^()`]+)\)")
"""A command in a plain sentence."""


class Sentences:
    """What a page says its sentences with, see :func:`of`."""

    def __init__(self, numbers: Mapping[str, str]) -> None:
        self._numbers = dict(numbers)

    def __call__(self, text: str) -> Markdown:
        """Paragraphs of Markdown with names in braces. Roles of the book stay as they are.

        Raises:
            EmbryologyError: a name that is no number, or any other brace.
        """
        return Markdown(NAME.sub(self._filled, text).strip())

    def csv(self) -> HTML:
        """A link to the numbers of all sentences: their names, and how they are printed."""
        data = pd.DataFrame(self._numbers.items(), columns=["name", "printed"])
        return HTML(f"<p>{style.csv_link(data, 'sentences', 'Numbers in the sentences of this page (CSV)')}</p>")

    def _filled(self, found: re.Match[str]) -> str:
        name, of_role = found.groups()
        if not of_role and name in self._numbers:
            parts = COMMAND.split(self._numbers[name])
            return "".join(_code(part) if number % 2 else _escaped(part) for number, part in enumerate(parts))
        if of_role and name not in self._numbers:
            return found[0]
        known = ", ".join(sorted(self._numbers))
        raise EmbryologyError(f"a sentence asks for {found[0]}, and the page's numbers are {known}")


def with_code(text: str) -> str:
    """Markdown with its commands as code, of which the book would print the two hyphens of an option as one dash."""
    return COMMAND.sub(lambda found: _code(found[1]), text)


def _code(command: str) -> str:
    return f"(`{command}`)"


def _escaped(text: str) -> str:
    return MARKUP.sub(r"\\\g<0>", text)


def of(numbers: Mapping[str, str]) -> Sentences:
    """What a page says its sentences with: ``say("At step {last} the scores are {ends}.")``.

    Args:
        numbers: what was measured, formatted as plain text, by the name that sentences have for it.
    """
    return Sentences(numbers)
