"""A probe that somebody else wrote: how many letters the likeliest piece behind a mask has."""

from pathlib import Path

import numpy as np
import pandas as pd

from embryology.models.encoder import Encoder
from embryology.probes import WHOLE, Probe
from embryology.runs.measurements import row
from embryology.specs import MASKED_HEAD, ProbeSettings, Specification

HEADING = "Letters of the likeliest piece"


class LettersSettings(ProbeSettings):
    words: int = 3


SPECIFICATION = Specification(
    name="letters",
    version=1,
    tasks={"letters": "letters"},
    baselines={},
    settings=LettersSettings,
    needs=frozenset({MASKED_HEAD}),
    probe="letters:LettersProbe",
    kept_items=("item_id", "task", "source", "step", "letters"),
    resampled=("word",),
    pages=(Path(__file__).with_name("letters.ipynb"),),
)


class LettersProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings, series):
        return {"text": "a word and a mask"}

    def prepare(self, settings, tokenizer, series):
        words = ["the", "of", "and", "in"][: settings.words]
        return tokenizer, words, [tokenizer(f"{word} {tokenizer.mask_token}")["input_ids"] for word in words]

    def measure(self, encoder: Encoder, examples, part=WHOLE):
        tokenizer, words, sequences = examples
        positions = [[ids.index(tokenizer.mask_token_id)] for ids in sequences]
        top = encoder.predict(sequences, positions, [[0]] * len(sequences)).top
        letters = np.array([len(piece.strip("▁")) for piece in tokenizer.convert_ids_to_tokens(top.tolist())])
        items = pd.DataFrame({"item_id": words, "task": "letters", "source": "made up", "letters": letters})
        return [row("letters", "", "letters", letters.mean(), n=len(words))], items.assign(text="not ours to keep")
