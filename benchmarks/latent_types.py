"""The latent types of words at every checkpoint of runs that were trained with them (the preset `variant-typed`).

    python benchmarks/latent_types.py variant-typed-seed0 variant-typed-seed1 variant-typed-seed2

Words, tags and entities are those of silver sentences of held-out articles; a word has the type of its first piece, in
the whole sentence, without noise. Prints what the page on variants says of them.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from safetensors.torch import load_file

from embryology.analysis import latent_types
from embryology.analysis.purity import purity
from embryology.corpus import several
from embryology.corpus import tokenizer as tokenizers
from embryology.errors import EmbryologyError
from embryology.figures import latent_types as said
from embryology.models.alignment import align, longest_input
from embryology.models.encoder import Encoder
from embryology.pretraining.latent_types import LatentTypes
from embryology.runs.checkpoints import WEIGHTS
from embryology.runs.series import Series
from embryology.storage.files import write_table
from embryology.treebanks import ENTITY, Sentence, edge_sets


def measured(series: Series, sentences: list[Sentence]) -> pd.DataFrame:
    """:func:`embryology.analysis.purity.purity` at every checkpoint.

    Raises:
        EmbryologyError: a checkpoint has no head of types, or the training text is not at hand.
    """
    corpus = several.of_run(series.folder)
    if corpus is None:
        raise EmbryologyError(f"{series.name}: its training text is not at hand; embryology count {series.name}")
    first, *_ = series.checkpoints
    tokenizer = tokenizers.load(first.location)
    counts = np.bincount(corpus.train.pieces, minlength=len(tokenizer))
    spans = [[(word.start, word.end) for word in sentence.words] for sentence in sentences]
    aligned = align(
        tokenizer, [sentence.text for sentence in sentences], spans, max_length=longest_input(tokenizer, first.location)
    )
    rows, before = [], 0
    for sentence, alignment in zip(sentences, aligned, strict=True):
        entities = {at: edge.label for edge in sentence.edges if edge.task == ENTITY for at in range(*edge.first)}
        for number, (word, positions) in enumerate(zip(sentence.words, alignment.words, strict=True)):
            if positions:
                piece = alignment.ids[positions[0]]
                rows.append((sentence.id, word.tag, entities.get(number, ""), counts[piece], before + positions[0]))
        before += len(alignment.ids)
    words = pd.DataFrame(rows, columns=["sentence", "tag", "entity", "frequency", "place"])
    tables = []
    for checkpoint in series.checkpoints:
        weights = checkpoint.location / "typing" / WEIGHTS
        if not weights.is_file():
            raise EmbryologyError(f"{checkpoint.location} has no latent types; train with objective: {{typing: {{}}}}")
        vectors = Encoder.load(checkpoint).hidden_states([each.ids for each in aligned])[-1][words["place"].tolist()]
        types = LatentTypes.logits(vectors, load_file(weights)["typer.weight"]).argmax(-1).numpy()
        tables.append(purity(words.assign(type=types)).assign(step=checkpoint.step))
    return pd.concat(tables, ignore_index=True)


def main(
    runs: Annotated[list[str], typer.Argument(help="Seeds of one preset.")],
    to: Annotated[Path | None, typer.Option(help="A Parquet file for the table, a row a seed, step and label.")] = None,
) -> None:
    """Print the purity of types over checkpoints."""
    sentences = edge_sets.find("silver", "test").read().sentences
    all_series = Series.open_all(*runs)
    tables = {series.seed or 0: measured(series, sentences) for series in all_series}
    if len(tables) < len(all_series):
        raise EmbryologyError("two of the runs have one seed")
    if to:
        write_table(to, pd.concat([table.assign(seed=seed) for seed, table in tables.items()], ignore_index=True))
    told = latent_types.over_seeds(tables)
    print(told.to_string(index=False, float_format="{:.3f}".format))
    print(said.sentence(told))


if __name__ == "__main__":
    typer.run(main)
