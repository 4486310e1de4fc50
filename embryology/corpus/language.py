"""In which languages a text is written, by py3langid (a naive Bayes classifier of byte n-grams, 97 languages)."""

from collections import Counter
from collections.abc import Iterable

TEXTS, CHARACTERS = 1000, 300
"""How many articles are looked at, and how far."""
LEAST = 0.01
"""Share of the articles below which a language is not named: short texts are often taken for others."""


def shares(texts: Iterable[str]) -> dict[str, float]:
    """By language (ISO 639-1), most frequent first, the share of texts that are taken for it."""
    import py3langid  # late: it loads its model

    counts = Counter(py3langid.classify(" ".join(text[:CHARACTERS].split()))[0] for text in texts)
    total = counts.total()
    return {language: round(n / total, 3) for language, n in counts.most_common() if n / total >= LEAST}
