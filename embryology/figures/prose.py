"""Sentences with numbers: Markdown that Jupyter, Colab and the book show alike."""

import re
from collections.abc import Callable, Mapping

from IPython.display import Markdown

from embryology.errors import EmbryologyError

NAME = re.compile(r"\{([^{}]*)\}(`[^`]*`)?|[{}]")
"""A name in braces, and what makes it a role of the book, such as ``{doc}`…```; else a brace by itself."""
MARKUP = re.compile(r"[\\`*_$~<&]|\](?=[(\[:])")
"""What Markdown does not show as it stands; a bracket alone, as of an interval, it does."""


def of(numbers: Mapping[str, str]) -> Callable[[str], Markdown]:
    """What a page says its sentences with: ``say("At step {last} the scores are {ends}.")``.

    Args:
        numbers: what was measured, formatted as plain text, by the name that sentences have for it.

    Returns:
        A function of Markdown, one paragraph or several, with names in braces. Roles of the book stay as they are; it
        raises an EmbryologyError for a name that is no number, and for any other brace.
    """
    texts = {name: MARKUP.sub(r"\\\g<0>", number) for name, number in numbers.items()}

    def filled(found: re.Match[str]) -> str:
        name, of_role = found.groups()
        if not of_role and name in texts:
            return texts[name]
        if of_role and name not in texts:
            return found[0]
        raise EmbryologyError(f"a sentence asks for {found[0]}, and the page's numbers are {', '.join(sorted(texts))}")

    return lambda text: Markdown(NAME.sub(filled, text).strip())
