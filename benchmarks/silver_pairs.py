"""How many silver pairs' changed sentences clash on gold morphology: the rules on EWT's test sentences.

The rules of ``embryology.grammar.rules`` are applied with EWT's gold tags; whether what they make is ungrammatical is
told by columns that they do not see. The number of a verb clashes where its subject (``nsubj`` of it, or of the head
that it is the auxiliary or copula of) has another ``Number`` than the new form; of a coordinated subject that counts
as plural. A determiner's number clashes where the noun that it is the ``det``, ``nummod`` or ``amod`` of has another
``Number`` than the new form takes; a pronoun's where it is the subject of that verb. An article clashes behind the noun
that it is the ``det`` of, a preposition where it was the ``case`` or ``mark`` of a phrase that the article begins.

    EMBRYOLOGY_DATA=... python benchmarks/silver_pairs.py [SPLIT]
"""

import gzip
import sys
from collections import Counter

import conllu

from embryology.grammar.rules import changes
from embryology.grammar.silver import is_short
from embryology.intervals import wilson
from embryology.treebanks import conllu_reader

PLURAL, SINGULAR = "Plur", "Sing"


def number_of(token, tokens):
    """Of a noun or pronoun; of several in coordination plural."""
    if any(other["head"] == token["id"] and other["deprel"] == "conj" for other in tokens):
        return PLURAL
    feats = token["feats"] or {}
    return feats.get("Number") or (SINGULAR if feats.get("PronType") == "Dem" else None)


def subject_of(verb, tokens):
    heads = [verb["id"]] + ([verb["head"]] if verb["deprel"].partition(":")[0] in ("aux", "cop") else [])
    for head in reversed(heads):
        for token in tokens:
            if token["head"] == head and token["deprel"].partition(":")[0] in ("nsubj", "expl"):
                return token
    return None


def clashes(change, tokens):
    """Whether the gold columns say that what the rule makes is ungrammatical."""
    first = tokens[change.places[0]]
    wanted = SINGULAR if change.paradigm.endswith("plural") else PLURAL  # number of the new form
    if change.phenomenon == "verb_number":
        subject = subject_of(first, tokens)
        return subject is not None and number_of(subject, tokens) not in (None, wanted)
    if change.phenomenon == "pronoun_number":
        subject = subject_of(tokens[change.places[0] + 1], tokens)
        return subject is first
    head = tokens[first["head"] - 1] if first["head"] else None
    if change.phenomenon == "determiner_number":
        relation = first["deprel"].partition(":")[0]
        number = (head["feats"] or {}).get("Number") if head else None
        return relation in ("det", "nummod", "amod") and number not in (None, wanted)
    second = tokens[change.places[1]]
    if change.paradigm == "order-article-noun":
        return first["deprel"] == "det" and head is second
    return first["deprel"] in ("case", "mark") and second["deprel"] == "det" and second["head"] >= first["head"]


def main():
    file = conllu_reader.ewt_file(sys.argv[1] if len(sys.argv) > 1 else "test")
    with (gzip.open if file.suffix == ".gz" else open)(file, "rt", encoding="utf-8") as stream:
        gold = [
            [token for token in sentence if isinstance(token["id"], int)] for sentence in conllu.parse(stream.read())
        ]
    right, made = Counter(), Counter()
    for sentence, tokens in zip(conllu_reader.read(file), gold, strict=True):
        if is_short(sentence.text):
            for change in changes(sentence):
                for group in (change.phenomenon, "all"):
                    made[group] += 1
                    right[group] += clashes(change, tokens)
    print("| | pairs | clash on gold morphology | 95% |\n|---|---|---|---|")
    for group, n in made.items():
        low, high = wilson(right[group], n)
        print(f"| {group.replace('_', ' ')} | {n:,} | {right[group] / n:.1%} | {low:.1%} to {high:.1%} |")


if __name__ == "__main__":
    main()
