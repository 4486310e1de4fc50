"""Is it easier to fill a gap in a long sentence than in a short one? One piece of every sentence is masked."""

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import PositiveInt

from embryology.corpus import articles, sentences
from embryology.intervals import wilson
from embryology.models.alignment import longest_input
from embryology.probes import WHOLE, Probe
from embryology.runs.measurements import row
from embryology.specs import MASKED_HEAD, NotApplicable, ProbeSettings, Specification

LENGTHS = ["up to 10 words", "11 to 20 words", "more than 20 words"]


class SentenceLengthSettings(ProbeSettings):
    sentences: PositiveInt = 600
    """At most so many, drawn evenly."""


SPECIFICATION = Specification(
    name="sentence-length",
    version=1,
    settings=SentenceLengthSettings,
    needs=frozenset({MASKED_HEAD}),
    probe="sentence_length:SentenceLengthProbe",
    tasks={"gap": "a masked piece"},
    baselines={},
    language="en",
    resampled=("sentence",),
    kept_items=("item_id", "task", "source", "group", "correct", "step"),
    pages=(Path(__file__).with_suffix(".ipynb"),),
)


class SentenceLengthProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings, series):
        """What the numbers depend on beside the model: the bytes of the text."""
        return {"text": articles.fingerprint("bundled")}

    def prepare(self, settings, tokenizer, series):
        """A row a sentence that no model of this project trained on: its ids, the place of the gap, its length."""
        longest = longest_input(tokenizer, series.checkpoints[0].location)
        held_out = [article for article in articles.bundled() if articles.is_held_out(article.title)]
        texts = {
            f"{article.id}:{number}": text
            for article in held_out
            for number, text in enumerate(sentences.split(article.text))
        }
        random = np.random.default_rng(settings.seed)
        rows = []
        for item_id in random.permutation(list(texts)):
            read = tokenizer(texts[item_id], return_special_tokens_mask=True)
            places = np.flatnonzero(np.array(read["special_tokens_mask"]) == 0)
            if len(places) and len(read["input_ids"]) <= longest:
                rows.append((item_id, read["input_ids"], random.choice(places), len(texts[item_id].split())))
            if len(rows) == settings.sentences:
                break
        if not rows:
            raise NotApplicable("it cannot read a sentence as a whole")
        table = pd.DataFrame(rows, columns=["item_id", "ids", "place", "words"])
        table["group"] = pd.cut(table["words"], [0, 10, 20, np.inf], labels=LENGTHS).astype(str)
        return tokenizer.mask_token_id, table

    def measure(self, encoder, examples, part=WHOLE):
        """The share of gaps whose likeliest piece is the one that stood there, by length of the sentence."""
        mask, table = examples
        right = [[ids[place]] for ids, place in zip(table["ids"], table["place"], strict=True)]
        masked = [
            [*ids[:place], mask, *ids[place + 1 :]] for ids, place in zip(table["ids"], table["place"], strict=True)
        ]
        top = encoder.predict(masked, [[place] for place in table["place"]], right).top
        items = table[["item_id", "group"]].assign(task="gap", source="held-out vital articles")
        items["correct"] = top == np.ravel(right)
        rows = []
        for group, correct in [("", items["correct"]), *items.groupby("group")["correct"]]:
            interval = wilson(correct.sum(), len(correct))
            rows.append(row("gap", group, "accuracy", correct.mean(), interval, len(correct)))
        return rows, items
