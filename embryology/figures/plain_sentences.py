"""Sentences as a model says them, in HTML: words right or wrong, and the likeliest words in a gap.

Right and wrong differ by the line below a word, by its slant and by words for those who hear the page, not by colour
alone. The page of all checkpoints makes the same elements by its script.
"""

import html
from collections.abc import Iterable

import pandas as pd

STYLE = """<style>
.said { --said-right: #00694a; --said-wrong: #a63a00; --said-faint: #57606a; --said-bar: #dce6f0;
  line-height: 1.5; }
html[data-theme="dark"] .said { --said-right: #57cfa5; --said-wrong: #f0a15e; --said-faint: #a8b3bf;
  --said-bar: #2b3f55; }
html[data-theme="dark"] .bd-content div.cell_output .text_html:has(.said):not(:has(table.dataframe)) {
  color: inherit; background: none; padding: 0; }
.said-sentence { display: flex; flex-wrap: wrap; gap: 0.1rem 0.45rem; margin: 0.3rem 0 0.9rem;
  align-items: flex-start; }
.said-word { display: inline-flex; flex-direction: column; }
.said-word > b { font-weight: 600; padding: 0 0.1rem; overflow-wrap: anywhere; }
.said-word > small { color: var(--said-faint); font-size: 0.78rem; }
.said-right > b { color: var(--said-right); border-bottom: 2px solid var(--said-right); }
.said-wrong > b { color: var(--said-wrong); border-bottom: 2px dashed var(--said-wrong); font-style: italic; }
.said-gap { margin: 0 0 0.9rem; }
.said-gap > p { margin: 0.3rem 0 0.2rem; }
.said-gap u { text-decoration-thickness: 2px; text-underline-offset: 3px; }
.said-answers { display: flex; flex-wrap: wrap; gap: 0.25rem 0.4rem; list-style: none; padding: 0; margin: 0; }
.said-answers > li { padding: 0 0.45rem; border: 1px solid var(--said-faint); border-radius: 0.3rem; margin: 0;
  background: linear-gradient(to right, var(--said-bar) calc(var(--p) * 100%), transparent 0); }
.said-answers small { color: var(--said-faint); font-variant-numeric: tabular-nums; }
.said-answers > .said-it { border: 2px solid var(--said-right); font-weight: 600; }
.said-answers > .said-true { border-style: none; color: var(--said-faint); }
.said-heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
</style>"""
LEGEND = (
    "A word that is given back stands above a solid line. Of another, slanted above a broken line, the model says what "
    "stands there, and the small word below is the sentence's. A hyphen begins what would go on within a word."
)


def percent(share: float) -> str:
    """A probability in as many digits as tell it: 43%, 4.3%, 0.43%, below 0.01%."""
    if share < 1e-4:
        return "below 0.01%"
    return f"{100 * share:.0f}%" if share >= 0.0995 else f"{100 * share:.{1 if share >= 0.00995 else 2}f}%"


def given_back(words: pd.DataFrame) -> str:
    """A sentence word by word.

    Args:
        words: of one sentence, the task ``reconstruction`` of the completions probe at one checkpoint; what is no
            word of it stands as it is.
    """
    text, done, parts = str(words["text"].iloc[0]), 0, []
    for word in words.sort_values("start").itertuples():
        parts += _plain(text[done : int(word.start)])
        parts.append(_word(word.word, word.answer, word.correct))
        done = int(word.end)
    return f'<p class="said-sentence">{" ".join([*parts, *_plain(text[done:])])}</p>'


def gap(item: pd.Series, answers: pd.DataFrame) -> str:
    """A sentence with its gap, the likeliest words in it, and how likely the sentence's own word is.

    Args:
        item: of the task ``gap`` of the completions probe at one checkpoint.
        answers: the same sentence's of the task ``answer``.
    """
    chips = [
        _chip(row.answer, percent(row.probability), row.probability, row.correct)
        for row in answers.sort_values("rank").itertuples()
    ]
    if not answers["correct"].any():
        chips.append(f'<li class="said-true">{_of_its_own(item)}</li>')
    return f'<div class="said-gap"><p>{_with_gap(item)}</p><ol class="said-answers">{"".join(chips)}</ol></div>'


def in_one(parts: Iterable[str]) -> str:
    """Several sentences in one element, with the style that they need."""
    return f'{STYLE}<div class="said">{"".join(parts)}</div>'


def _plain(between: str) -> list[str]:
    return [html.escape(between.strip())] if between.strip() else []


def _word(word: str, answer: str, correct: bool) -> str:
    if correct:
        return f'<span class="said-word said-right"><b>{html.escape(word)}</b></span>'
    return (
        f'<span class="said-word said-wrong"><b>{html.escape(answer)}</b><span class="said-heard"> instead of </span>'
        f"<small>{html.escape(word)}</small></span>"
    )


def _chip(answer: str, label: str, share: float, correct: bool) -> str:
    mark, what = (' class="said-it"', " ✓<span class='said-heard'> right</span>") if correct else ("", "")
    return f'<li{mark} style="--p: {share:.3f}">{html.escape(answer)} <small>{label}</small>{what}</li>'


def _of_its_own(item: pd.Series) -> str:
    several = f", {item['pieces']:.0f} pieces" if item["pieces"] > 1 else ""
    return f"{html.escape(item['word'])}{several}: {percent(item['probability'])}"


def _with_gap(item: pd.Series) -> str:
    text, start, end = item["text"], int(item["start"]), int(item["end"])
    return f"{html.escape(text[:start])}<u>{html.escape(text[start:end])}</u>{html.escape(text[end:])}"
