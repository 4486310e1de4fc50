"""What stands around a figure: a short title and caption that are read, and a fold with the rest for who wants it."""

import html
import re

CHARACTERS, WORDS = 90, 60
"""A title and a caption have at most so many."""
SENTENCES = re.compile(r"(?<=[.?!])\s+(?=[A-Z“])")
LEGEND = re.compile(r"Band|Bar|Baseline|Blind answers|Dashed|Dotted|Grey|Hollow|Mark|Point|Shaded|Thick|Thin")
"""How sentences begin that say what marks, intervals and baselines are."""
CLAUSES = (("; ", ". "), (": ", ", ", " ("), (" ",))
"""Where a title may be cut: best where a clause ends, else an item of it, else a word."""


def title(answer: str) -> str:
    """An answer of at most :data:`CHARACTERS` characters: cut at the last place that is best, outside parentheses.

    Where it is not cut after a whole clause, that is marked.
    """
    if len(answer) <= CHARACTERS:
        return answer
    start = answer[: CHARACTERS - 1]
    for marks in CLAUSES:
        ends = [at for mark in marks for at in _places(start, mark) if at >= CHARACTERS // 3]
        if ends:
            return start[: max(ends)] + ("" if marks is CLAUSES[0] else "…")
    return start + "…"


def _places(text: str, mark: str) -> list[int]:
    """Where a mark begins, outside parentheses."""
    found = (match.start() for match in re.finditer(re.escape(mark), text))
    return [at for at in found if text.count("(", 0, at) == text.count(")", 0, at)]


def caption(text: str) -> tuple[str, str]:
    """At most :data:`WORDS` words of a caption, in whole sentences, and the sentences that are left, in their order.

    The first sentence comes first, then those that say what marks, intervals and baselines are, then others. A first
    one that is too long is cut after a word, and what is left is then all.
    """
    sentences = SENTENCES.split(text.strip())
    if len(sentences[0].split()) > WORDS:
        return " ".join(text.split()[:WORDS]) + "…", text
    room, shown = WORDS, set()
    order = [0, *sorted(range(1, len(sentences)), key=lambda place: not LEGEND.match(sentences[place]))]
    for place in order:
        if (words := len(sentences[place].split())) <= room:
            room -= words
            shown.add(place)
    first, rest = (
        " ".join(sentence for place, sentence in enumerate(sentences) if (place in shown) is kept)
        for kept in (True, False)
    )
    return first, rest


def fold(*parts: str, noted: bool = False) -> str:
    """Paragraphs below one line that opens them, as HTML; nothing of none.

    Args:
        parts: plain text; what is empty is left out.
        noted: whether the last one is a note, which the line then says.
    """
    told = "".join(f"<p>{html.escape(part, quote=True)}</p>" for part in parts if part)
    summary = "More on this figure, with a note on its data" if noted else "More on this figure"
    return f'<details class="embryology-more"><summary>{summary}</summary>{told}</details>' if told else ""
