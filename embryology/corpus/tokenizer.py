"""A SentencePiece unigram tokenizer trained and built as ALBERT's.

Lower-cased, accents stripped, with ALBERT's special pieces at ALBERT's ids: ``<pad>`` 0, ``<unk>`` 1,
``[CLS]`` 2, ``[SEP]`` 3, ``[MASK]`` 4 (Lan et al. 2020, appendix; ``AlbertTokenizer``).
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import cast

import sentencepiece
from transformers import AlbertTokenizer, AutoTokenizer, PreTrainedTokenizerFast

from embryology.corpus import words
from embryology.errors import EmbryologyError

WORD_START = "▁"
TRAINER = Path(__file__).with_name("unigram.py")


def train(
    sentences: Iterable[str], vocab_size: int, lower_case: bool = True, strip_accents: bool = True
) -> AlbertTokenizer:
    """Train a tokenizer of ``vocab_size`` pieces, special ones included.

    Args:
        sentences: the training text, one sentence at a time; of more than 450,000, a fixed sample is used.
        vocab_size: size of the vocabulary.
        lower_case, strip_accents: what happens to the text before it is divided into pieces.

    Raises:
        EmbryologyError: the text is too small for so many pieces, or memory too small for the text.
    """
    # The tokenizer's own normaliser prepares the text, so that training and use cannot disagree.
    made = partial(AlbertTokenizer, do_lower_case=lower_case, keep_accents=not strip_accents)
    normalise = made().backend_tokenizer.normalizer.normalize_str
    lines = (" ".join(normalise(sentence).split()) for sentence in sentences)
    processor = sentencepiece.SentencePieceProcessor(model_proto=_trained(filter(None, lines), vocab_size))
    vocabulary = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())]
    # Not AlbertTokenizer(vocab_file=...): transformers 5 then silently builds one of five pieces.
    return made(vocab=vocabulary)


def _trained(lines: Iterable[str], vocab_size: int) -> bytes:
    """The model that ``unigram.py`` makes of ``lines``, none empty. Its process never outlives this call."""
    command = [sys.executable, "-P", str(TRAINER), str(vocab_size)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        assert child.stdin is not None  # as the others it is a pipe
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            with suppress(BrokenPipeError):  # it has ended: why is on its standard error
                for line in lines:
                    child.stdin.write(line.encode("utf-8") + b"\n")
                child.stdin.write(b"\n")
                child.stdin.flush()  # and left open, which tells it that we are here
            model, errors = child.stdout.read(), child.stderr.read().decode()
            child.wait()
        finally:
            child.kill()
            with suppress(BrokenPipeError):
                child.stdin.close()
    if child.returncode < 0:
        raise EmbryologyError(
            f"training a tokenizer of {vocab_size} pieces was ended by signal {-child.returncode}, most likely because "
            "memory ran out; give it a smaller corpus or more memory"
        )
    if child.returncode:
        reason = errors.strip().splitlines()[-1]
        if enough := re.search(r"value <= (\d+)", reason):
            reason = f"it is enough for {enough[1]}; set tokenizer.vocab_size to that or less, or give more text"
        raise EmbryologyError(f"a tokenizer of {vocab_size} pieces cannot be trained on this text: {reason}")
    return model


def load(folder: Path) -> PreTrainedTokenizerFast:
    """Load a saved tokenizer, ours or any other fast one.

    Raises:
        EmbryologyError: the folder holds none, or one without character offsets.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # of damaged files tokenizers raises this very class
        raise EmbryologyError(f"{folder} holds no tokenizer that transformers can load") from error
    if not tokenizer.is_fast:
        raise EmbryologyError(f"the tokenizer in {folder} is slow; probing needs character offsets: use a fast one")
    return cast(PreTrainedTokenizerFast, tokenizer)


def word_starts(tokenizer: PreTrainedTokenizerFast) -> list[bool]:
    """For every piece id, whether the piece begins a word. Special pieces begin words of their own, and so does every
    piece of a script without spaces: else a sentence would be one word, too long to be masked as a whole."""
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    special = set(tokenizer.all_special_ids)
    return [
        piece.startswith(WORD_START) or bool(words.SPACELESS.match(piece)) or i in special
        for i, piece in enumerate(pieces)
    ]
