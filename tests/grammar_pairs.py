"""Minimal pairs for tests: a folder as BLiMP lays it out."""

import json

SENTENCES = {
    "agreement_1": [
        ("The city is in the north.", "The city are in the north.", "The city", "is", "are"),
        ("These people were from the sea.", "These people was from the sea.", "These people", "were", "was"),
        ("The old film has a name.", "The old film have a name.", "The old film", "has", "have"),
        ("He was born in the capital.", "He were born in the capital.", "He", "was", "were"),
    ],
    "order_1": [
        ("It is one of the largest cities.", "It is one the of largest cities.", None, None, None),
        ("She was a member of the council.", "She was member a of the council.", None, None, None),
        ("The river flows through a valley.", "The river flows through valley a.", None, None, None),
    ],
}
TERMS = {"agreement_1": "agreement", "order_1": "s-selection"}


def write(folder, sentences=None):
    """A file a paradigm below ``data/`` of a folder; returns the folder."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for paradigm, pairs in (sentences or SENTENCES).items():
        lines = [json.dumps(line(paradigm, number, *pair)) for number, pair in enumerate(pairs)]
        (folder / "data" / f"{paradigm}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def line(paradigm, number, good, bad, prefix=None, word_good=None, word_bad=None):
    """What BLiMP has of a pair."""
    record = {"sentence_good": good, "sentence_bad": bad, "field": "morphology", "UID": paradigm}
    record |= {"linguistics_term": TERMS.get(paradigm, "made_up"), "pairID": str(number)}
    if prefix is not None:
        record |= {"one_prefix_prefix": prefix, "one_prefix_word_good": word_good, "one_prefix_word_bad": word_bad}
    return record
