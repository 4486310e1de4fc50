"""What stands around a figure: a short title and caption that are read, and a fold with the rest for who wants it."""

import html
import re

CHARACTERS, WORDS = 90, 60
"""A title and a caption have at most so many."""
SENTENCES = re.compile(r"(?<=[.?!])\s+(?=[A-Z“])")


def title(answer: str) -> str:
    """An answer of at most :data:`CHARACTERS` characters: cut where a part of it ends, and marked as cut."""
    if len(answer) <= CHARACTERS:
        return answer
    start = answer[: CHARACTERS - 1]
    # The last end of a clause that leaves something to read, else of an item, else of a word.
    ends = (max(start.rfind(mark) for mark in marks) for marks in (("; ", ". "), (": ", ", ", " ("), (" ",)))
    return start[: next((end for end in ends if end >= CHARACTERS // 3), CHARACTERS - 1)] + "…"


def caption(text: str) -> tuple[str, str]:
    """The first sentences of a caption that have at most :data:`WORDS` words together, and the rest of it.

    A first sentence that is longer is cut after a word, and the rest is then the whole.
    """
    sentences = SENTENCES.split(text.strip())
    shown: list[str] = []
    while sentences and len(" ".join([*shown, sentences[0]]).split()) <= WORDS:
        shown.append(sentences.pop(0))
    if not shown:
        return " ".join(text.split()[: WORDS - 1]) + "…", text
    return " ".join(shown), " ".join(sentences)


def fold(*parts: str, noted: bool = False) -> str:
    """Paragraphs below one line that opens them, as HTML; nothing of none.

    Args:
        parts: plain text; what is empty is left out.
        noted: whether the last one is a note, which the line then says.
    """
    told = "".join(f"<p>{html.escape(part, quote=True)}</p>" for part in parts if part)
    summary = "More on this figure, with a note on its data" if noted else "More on this figure"
    return f'<details class="embryology-more"><summary>{summary}</summary>{told}</details>' if told else ""
