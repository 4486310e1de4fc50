"""Words <-> pieces: which positions of a model's input belong to which word.

The pieces of running text are found by character offsets, for every fast tokenizer. The paper's
released scripts tokenise each word alone instead, which puts a word-boundary mark on commas and
clitics that running text does not have; that way is kept as ``words``.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embryology.errors import EmbryologyError
from embryology.specs import AlignmentMethod

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Span = tuple[int, int]


@dataclass(frozen=True)
class Alignment:
    """One sentence as a model reads it."""

    ids: list[int]
    """Input ids, special tokens included."""
    words: list[tuple[int, ...]]
    """For every word the positions of its pieces in ``ids``, rising; empty where the word is unaligned."""


def align(
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    spans: Sequence[Sequence[Span]],
    method: AlignmentMethod = "running",
    max_length: int | None = None,
    shared: bool = False,
) -> list[Alignment]:
    """Tokenise sentences, all in one call, and find the pieces of their words.

    A word is unaligned, and is not to be scored, where it has no pieces, where not all of them lie within
    ``max_length``, or where it shares a piece with another word, unless ``shared`` pieces are allowed.

    Args:
        tokenizer: any fast tokenizer.
        texts: sentences of running text.
        spans: for every sentence the (start, end) characters of its words, in order.
        method: ``running`` tokenises the sentence; ``words`` every word alone, its pieces set between
            the classifier and separator tokens as in the paper's released scripts.
        max_length: most ids a sequence may have, special tokens included; longer ones are cut.
        shared: whether a piece may belong to several words; ``words`` never has such pieces.
    """
    if not texts:
        return []
    if method == "words":
        return _align_alone(tokenizer, texts, spans, max_length)
    encoded = tokenizer(
        list(texts), return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False, truncation=False
    )
    alignments = []
    for text, words, ids, offsets, special in zip(
        texts,
        spans,
        encoded["input_ids"],
        encoded["offset_mapping"],
        encoded["special_tokens_mask"],
        strict=True,
    ):
        overlapping = _overlaps(text, words, offsets, special)
        positions = [tuple(word) for word in overlapping] if shared else _unshared(overlapping)
        closing = special[::-1].index(0) if 0 in special else 1
        alignments.append(_cut(ids, positions, closing, max_length))
    return alignments


def longest_input(tokenizer: PreTrainedTokenizerFast, model_folder: Path) -> int:
    """The most ids that a model of this ``save_pretrained`` folder can read, by its tokenizer and configuration.

    Models of RoBERTa's kind count positions from the one after padding's, so that some of their table is never read.
    Relative positions, as T5's, have no limit.

    Raises:
        EmbryologyError: the configuration is none that transformers knows.
    """
    import torch  # late: what aligns words needs none
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(model_folder, local_files_only=True)
        with torch.device("meta"):  # its tables' shapes, without their content
            modules = dict(AutoModel.from_config(config).named_modules())
    except Exception as error:  # whatever transformers makes of a damaged one
        reason = str(error).partition("\n")[0]
        raise EmbryologyError(f"{model_folder} has no configuration that transformers can use: {reason}") from error
    first = [
        module.padding_idx + 1
        for name, module in modules.items()
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
    ]
    positions = getattr(config, "max_position_embeddings", None) or 0  # of GPT-2 it is n_positions; some say -1
    return min(tokenizer.model_max_length, positions - max(first, default=0) if positions > 0 else sys.maxsize)


def _overlaps(text: str, words: Sequence[Span], offsets: Sequence[Span], special: Sequence[int]) -> list[list[int]]:
    """For every word the positions of the pieces that overlap it."""
    positions: list[list[int]] = [[] for _ in words]
    # Where words overlap, as the parts of a contraction that stand for its whole surface form, the ends
    # still rise, so that the first word that can overlap a piece is found by bisection.
    ends = [end for _, end in words]
    for position, (start, end) in enumerate(offsets):
        if special[position]:
            continue
        # Byte-level tokenizers count the space before a word to its first piece.
        while start < end and text[start].isspace():
            start += 1
        # A piece without width, as of a normaliser that expands a character, stands where it starts.
        end = max(end, start + 1)
        word = bisect_right(ends, start)
        while word < len(words) and words[word][0] < end:
            positions[word].append(position)
            word += 1
    return positions


def _unshared(positions: list[list[int]]) -> list[tuple[int, ...]]:
    users = Counter(position for word in positions for position in word)
    return [tuple(word) if all(users[position] == 1 for position in word) else () for word in positions]


def _cut(ids: list[int], words: list[tuple[int, ...]], closing: int, max_length: int | None) -> Alignment:
    """Shorten ``ids`` to ``max_length``, keeping the ``closing`` special tokens at their end."""
    if max_length is None or len(ids) <= max_length:
        return Alignment(ids, words)
    kept = max_length - closing
    return Alignment(
        ids[:kept] + ids[len(ids) - closing :],
        [word if word and word[-1] < kept else () for word in words],
    )


def _align_alone(
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    spans: Sequence[Sequence[Span]],
    max_length: int | None,
) -> list[Alignment]:
    sentences = [[text[start:end] for start, end in words] for text, words in zip(texts, spans, strict=True)]
    forms = sorted({form for sentence in sentences for form in sentence})
    pieces = dict(zip(forms, tokenizer(forms, add_special_tokens=False)["input_ids"], strict=True)) if forms else {}
    alignments = []
    for sentence in sentences:
        ids, words = [tokenizer.cls_token_id], []
        for form in sentence:
            words.append(tuple(range(len(ids), len(ids) + len(pieces[form]))))
            ids += pieces[form]
        ids.append(tokenizer.sep_token_id)
        alignments.append(_cut(ids, words, 1, max_length))
    return alignments
