"""Rules that make a grammatical sentence ungrammatical, by Penn tags: number of verb, determiner and pronoun; order.

A paradigm is a rule in one direction. Both directions of a rule get as many pairs, so that the more frequent form is
the right one in half of them: to know which form is frequent helps nowhere.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from embryology.grammar import Span
from embryology.specs import grammar as spec
from embryology.treebanks import Sentence, Word

FORMS = {"is": "are", "was": "were", "has": "have", "does": "do"}
"""Verb forms of the singular by those of the plural that they give way to, and the other way round."""
FORMS |= {plural: singular for singular, plural in FORMS.items()}
SINGULAR_DETERMINERS = {"this": "these", "that": "those", "a": "several", "an": "several", "another": "several"}
SINGULAR_DETERMINERS |= dict.fromkeys(("each", "every", "one"), "several")
PLURAL_DETERMINERS = {"these": "this", "those": "that"}
PLURAL_DETERMINERS |= dict.fromkeys(("several", "many", "various", "two", "three", "four", "five", "six"), "one")
BOTH_NUMBERS = {"species", "series", "means"}
"""Nouns that are one form in singular and plural."""
ARTICLES = {"the", "a", "an"}
PRONOUNS = {"he": "they", "she": "they", "it": "they", "they": "it"}
OTHER_PERSONS = {"i", "you", "we"}
PRESENT = {"VBZ": "singular", "VBP": "plural"}
NOUNS = {"NN": "singular", "NNS": "plural"}
WORD = re.compile(r"[a-z]+")


class Change(NamedTuple):
    """What a rule makes of a sentence: the characters of ``span`` become ``text``."""

    phenomenon: str
    paradigm: str
    span: Span
    text: str
    places: tuple[int, ...]
    """Of the words that are changed, from 0."""


def changes(sentence: Sentence) -> Iterator[Change]:
    """All that the rules make of a sentence, in its order.

    Verbs of sentences in the first or the second person are left alone, as "you are" is plural of one person.
    """
    words = sentence.words
    others = any(word.form.lower() in OTHER_PERSONS for word in words)
    for place, word in enumerate(words):
        if not (others or sentence.text[word.end : word.end + 1].isalnum()):
            yield from _verb(words, place)
            yield from _pronoun(words, place)
        yield from _determiner(words, place)
        yield from _order(sentence, place)


def _verb(words: Sequence[Word], place: int) -> Iterator[Change]:
    word = words[place]
    number = _number(word)
    if number is None or not WORD.fullmatch(word.form):
        return
    other = FORMS.get(word.form) or (_stem(word.form) if number == "singular" else _with_s(word.form))
    if other is not None:
        yield _replaced(spec.VERB, f"verb-{number}", words, place, other)


def _pronoun(words: Sequence[Word], place: int) -> Iterator[Change]:
    """Where the verb stands directly behind, and shows its number."""
    word = words[place]
    other = PRONOUNS.get(word.form.lower())
    if other and word.tag == "PRP" and place + 1 < len(words):
        number = "plural" if word.form.lower() == "they" else "singular"
        if _number(words[place + 1]) == number:
            yield _replaced(spec.PRONOUN, f"pronoun-{number}", words, place, other)


def _determiner(words: Sequence[Word], place: int) -> Iterator[Change]:
    """Of a noun with nothing but adjectives in front."""
    noun = place + 1
    while noun < len(words) and words[noun].tag in ("JJ", "JJS"):
        noun += 1
    if noun >= len(words) or (noun + 1 < len(words) and words[noun + 1].tag[:2] in ("NN", "CD", "PO", "HY", "CC")):
        return  # a compound, a possessive, several nouns
    if words[noun].form.lower() in BOTH_NUMBERS:
        return
    number, form = NOUNS.get(words[noun].tag), words[place].form.lower()
    table = {"singular": SINGULAR_DETERMINERS, "plural": PLURAL_DETERMINERS}.get(number or "", {})
    if form in table and words[place].tag in ("DT", "CD", "JJ"):
        yield _replaced(spec.DETERMINER, f"determiner-{number}", words, place, table[form])


def _order(sentence: Sentence, place: int) -> Iterator[Change]:
    """An article behind its noun, or a preposition behind the article that follows it; not at the beginning."""
    words = sentence.words
    if place == 0 or place + 1 >= len(words):
        return
    one, other = words[place], words[place + 1]
    if sentence.text[one.end : other.start] != " " or not (one.form.islower() and other.form.isalpha()):
        return
    if one.form in ARTICLES and one.tag == "DT" and other.tag in NOUNS:
        name = "order-article-noun"
    elif one.tag == "IN" and other.tag == "DT" and other.form in ARTICLES:
        name = "order-preposition-article"
    else:
        return
    yield Change(spec.ORDER, name, (one.start, other.end), f"{other.form} {one.form}", (place, place + 1))


def _number(verb: Word) -> str | None:
    """Of a finite verb that shows it: in the present, and of "was" and "were"."""
    if verb.tag == "VBD":
        return {"was": "singular", "were": "plural"}.get(verb.form)
    return PRESENT.get(verb.tag)


def _stem(form: str) -> str | None:
    """The plural form of a verb's third person; None where its spelling does not tell, as of "uses" and "focuses"."""
    if form.endswith("ies") and len(form) > 4:
        return f"{form[:-3]}y"
    if re.search(r"(?:sh|ch|ss|x|zz|o)es$", form):
        return form[:-2]
    return None if form.endswith(("ses", "zes")) else form.removesuffix("s")


def _with_s(form: str) -> str:
    if re.search(r"[^aeiou]y$", form):
        return f"{form[:-1]}ies"
    return form + ("es" if re.search(r"(?:sh|ch|ss|x|zz|o)$", form) else "s")


def _replaced(phenomenon: str, paradigm: str, words: Sequence[Word], place: int, text: str) -> Change:
    word = words[place]
    text = text.capitalize() if word.form[0].isupper() else text
    return Change(phenomenon, paradigm, (word.start, word.end), text, (place,))
