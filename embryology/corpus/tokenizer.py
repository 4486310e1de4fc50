"""A SentencePiece unigram tokenizer trained and built as ALBERT's.

Lower-cased, accents stripped, with ALBERT's special pieces at ALBERT's ids: ``<pad>`` 0, ``<unk>`` 1,
``[CLS]`` 2, ``[SEP]`` 3, ``[MASK]`` 4 (Lan et al. 2020, appendix; ``AlbertTokenizer``).
"""

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece
from transformers import AlbertTokenizer, AutoTokenizer, PreTrainedTokenizerFast

from embryology.errors import EmbryologyError

WORD_START = "▁"
# The sums of the training depend on how they are split over threads: a fixed number, so that every
# machine gets the same pieces.
TRAINING_THREADS = 2


def train(sentences: Iterable[str], pieces: int) -> AlbertTokenizer:
    """Train a tokenizer of ``pieces`` pieces, special ones included.

    Args:
        sentences: the training text, one sentence at a time.
        pieces: size of the vocabulary.

    Raises:
        EmbryologyError: the text is too small for so many pieces.
    """
    # The tokenizer's own normaliser prepares the text, so that training and use cannot disagree.
    normalise = AlbertTokenizer().backend_tokenizer.normalizer.normalize_str
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(" ".join(normalise(sentence).split()) for sentence in sentences),
            model_writer=model,
            model_type="unigram",
            vocab_size=pieces,
            normalization_rule_name="identity",
            pad_id=0,
            pad_piece="<pad>",
            unk_id=1,
            unk_piece="<unk>",
            bos_id=-1,
            eos_id=-1,
            control_symbols=["[CLS]", "[SEP]", "[MASK]"],
            input_sentence_size=1_000_000,
            shuffle_input_sentence=True,
            num_threads=TRAINING_THREADS,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = str(error).split("] ")[-1].strip() or "too little text"
        raise EmbryologyError(f"a tokenizer of {pieces} pieces cannot be trained on this text: {reason}") from error
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    vocabulary = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())]
    # Not AlbertTokenizer(vocab_file=...): transformers 5 then silently builds one of five pieces.
    return AlbertTokenizer(vocab=vocabulary)


def load(folder: Path) -> PreTrainedTokenizerFast:
    """Load a saved tokenizer, ours or any other fast one.

    Raises:
        EmbryologyError: the folder holds none, or one without character offsets.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise EmbryologyError(f"{folder} holds no tokenizer that transformers can load") from error
    if not tokenizer.is_fast:
        raise EmbryologyError(f"the tokenizer in {folder} is slow; probing needs character offsets: use a fast one")
    return tokenizer


def word_starts(tokenizer: PreTrainedTokenizerFast) -> list[bool]:
    """For every piece id, whether the piece begins a word. Special pieces begin words of their own."""
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return [piece.startswith(WORD_START) or i in tokenizer.all_special_ids for i, piece in enumerate(pieces)]
