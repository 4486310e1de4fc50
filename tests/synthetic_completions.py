"""What a model might say in two sentences, from known histories: words come at known steps."""

import numpy as np
import pandas as pd

from embryology.runs import measurements

SENTENCES = {
    "s01": ("A dog sleeps.", {"A": 20, "dog": 640, "sleeps": 2000, ".": 40}, "dog"),
    "s02": ("He lives in a <b>.", {"He": 160, "lives": 9999, "in": 80, "a": 40, ".": 40}, "in"),
}
"""By name the text, the step from which each word is given back, and the word that is masked, right at twice that."""
PAIRS = {"p01": ("It is.", "It are.", 100), "p02": ("He is.", "Him is.", 9999)}
"""The better sentence, the other, and the step from which it is preferred."""
LIKELY = ("the", "of", ",", "and", "<i>")


def completions(step, source):
    """Rows and items of one checkpoint."""
    items = []
    for name, (text, known, masked) in SENTENCES.items():
        common = {"sentence": name, "text": text, "pieces": 1, "source": source}
        for number, (word, since) in enumerate(known.items(), start=1):
            start = text.index(word)
            right = step >= since
            at = {"start": start, "end": start + len(word), "word": word, "rank": 0, "correct": right}
            said = {"answer": word.lower() if right else "the", "probability": 0.9 if right else 0.001}
            items.append(common | at | said | {"item_id": f"{name}:w{number}", "task": "reconstruction"})
            if word == masked:
                there = step >= 2 * since
                answers = [masked, *LIKELY[:4]] if there else list(LIKELY)
                gap = {"answer": answers[0], "probability": 0.5 if there else 4e-5, "correct": there}
                items.append(common | at | gap | {"item_id": name, "task": "gap"})
                for rank, answer in enumerate(answers, start=1):
                    own = {"rank": rank, "answer": answer, "probability": 0.5 / rank, "correct": answer == masked}
                    items.append(common | at | own | {"item_id": f"{name}:{rank}", "task": "answer"})
    for name, (good, bad, since) in PAIRS.items():
        right = step >= since
        pair = {"item_id": name, "sentence": name, "task": "preference", "rank": 0, "text": good, "other": bad}
        items.append(pair | {"difference": 1.25 if right else -2.5, "correct": right, "source": source})
    table = pd.DataFrame(items)
    rows = []
    for task, baseline in (("reconstruction", 2 / 9), ("gap", 0.0), ("preference", 0.5)):
        right = table.loc[table["task"] == task, "correct"]
        value, n = right.mean(), len(right)
        unit = "pair" if task == "preference" else "sentence"
        blind = "chance" if task == "preference" else "most-frequent-word"
        ends = max(value - 0.1, 0), min(value + 0.2, 1)
        rows.append(measurements.row(task, "", "accuracy", value, ends, n, unit=unit))
        rows.append(measurements.row(task, "", "accuracy", baseline, n=n, baseline=blind))
    rows.append(measurements.row("gap", "", "log_probability", -np.log(step + 2), n=2))
    return rows, table
