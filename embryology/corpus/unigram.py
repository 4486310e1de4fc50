"""SentencePiece in a process of its own: sentences in, a model out. Run by ``tokenizer.train``, not imported.

    python unigram.py VOCAB_SIZE < sentences, one a line, ended by an empty line > model

Apart from the caller because it can then be stopped at once, and because its memory goes back to the
system: 20 bytes a character for a suffix array, 3.1 GB for a million of Wikipedia's sentences. However large
the corpus, SENTENCES bounds it.
"""

import io
import os
import random
import sys
import threading
from collections.abc import Iterable, Iterator

import sentencepiece

# The sums of the training depend on how they are split over threads: a fixed number, so that every
# machine gets the same pieces.
TRAINING_THREADS = 2
SENTENCES = 450_000
"""Of a larger corpus, so many are drawn at random."""


def end_with_the_caller() -> None:
    """The caller writes nothing after the empty line: there is something to read only when it is gone."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def lines_of_the_caller() -> Iterator[str]:
    for line in sys.stdin.buffer:
        if line == b"\n":
            threading.Thread(target=end_with_the_caller, daemon=True).start()
            return
        yield line.rstrip(b"\n").decode("utf-8")
    os._exit(1)  # the caller is gone


def sample(lines: Iterable[str], size: int) -> list[str]:
    """All ``lines`` in their order, or a uniform sample of ``size`` of them, the same one every time.

    Not by SentencePiece's ``input_sentence_size``, which draws another sample in every process (seen in 0.2.3,
    whatever its random seed).
    """
    draw = random.Random(0).random
    kept: list[str] = []
    for number, line in enumerate(lines):
        if number < size:
            kept.append(line)
        elif (place := int(draw() * (number + 1))) < size:
            kept[place] = line
    return kept


def main() -> None:
    kept = sample(lines_of_the_caller(), SENTENCES)[::-1]
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(kept.pop() for _ in range(len(kept))),  # SentencePiece copies, so each is let go
            model_writer=model,
            model_type="unigram",
            vocab_size=int(sys.argv[1]),
            normalization_rule_name="identity",
            pad_id=0,
            pad_piece="<pad>",
            unk_id=1,
            unk_piece="<unk>",
            bos_id=-1,
            eos_id=-1,
            control_symbols=["[CLS]", "[SEP]", "[MASK]"],
            num_threads=TRAINING_THREADS,
            minloglevel=2,
        )
    except RuntimeError as error:
        sys.exit(str(error).split("] ")[-1].strip() or "too little text")
    sys.stdout.buffer.write(model.getvalue())


if __name__ == "__main__":
    main()
