"""The sample that a tokenizer is trained on, and the process that trains it."""

import functools
import io
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from types import SimpleNamespace

import pytest
from scipy import stats

from embryology.corpus import tokenizer, unigram
from embryology.errors import EmbryologyError

COMMAND = [sys.executable, "-P", str(tokenizer.TRAINER), "100"]


def test_a_sample_is_the_same_every_time_and_in_order_where_all_fit():
    assert unigram.sample(iter("abc"), 3) == ["a", "b", "c"]
    assert unigram.sample(iter("abcdefghij"), 4) == ["a", "b", "h", "d"]  # of which published tokenizers are made
    kept = unigram.sample(map(str, range(10_000)), 1000)
    assert kept == unigram.sample(map(str, range(10_000)), 1000)
    assert len(set(kept)) == len(kept) == 1000


def test_every_set_of_lines_is_as_likely(monkeypatch):
    """Over seeds; of one, an error by one line could not be seen."""
    seeds = iter(range(6000))
    monkeypatch.setattr(unigram, "random", SimpleNamespace(Random=lambda _: random.Random(next(seeds))))
    counts = Counter(frozenset(unigram.sample(iter("abcd"), 2)) for _ in range(6000))
    assert len(counts) == 6
    assert stats.chisquare(list(counts.values())).pvalue > 0.01


def test_what_is_trained_on_is_the_sample(monkeypatch):
    """In the order in which it came, and so many pieces as were asked for."""
    asked = {}

    def train(sentence_iterator, **options):
        asked.update(options, sentences=list(sentence_iterator))
        options["model_writer"].write(b"model")

    monkeypatch.setattr(unigram.sentencepiece, "SentencePieceTrainer", SimpleNamespace(train=train))
    monkeypatch.setattr(unigram, "SENTENCES", 3)
    monkeypatch.setattr(unigram, "lines_of_the_caller", lambda: iter("abcde"))
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=written))
    monkeypatch.setattr(sys, "argv", ["unigram.py", "700"])
    unigram.main()
    assert asked["sentences"] == unigram.sample(iter("abcde"), 3)
    assert (asked["vocab_size"], asked["model_type"], written.getvalue()) == (700, "unigram", b"model")


@pytest.mark.parametrize("text", [b"one sentence\n", b"one sentence\n\n"])
def test_it_ends_with_its_caller(text):
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdin.write(text)
        child.stdin.close()
        assert child.stdout.read() == b""
        assert child.wait(timeout=30) == 1


def test_a_killed_training_is_told_from_text_that_is_too_small(tmp_path, monkeypatch):
    monkeypatch.setattr(tokenizer, "TRAINER", tmp_path / "killed.py")
    tokenizer.TRAINER.write_text("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(EmbryologyError, match=r"ended by signal 9, most likely because memory ran out"):
        tokenizer.train(["A sentence."] * 50_000, 100)


def test_ctrl_c_while_a_corpus_is_prepared(tmp_path):
    environment = os.environ | {"EMBRYOLOGY_RUNS": str(tmp_path)}
    command = [sys.executable, "-m", "embryology", "pretrain", "tiny"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A shell lets what it starts in the background ignore Ctrl-C, and so would these tests' own children.
    heeding = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=heeding, **pipes) as run:
        assert "training a tokenizer" in run.stdout.readline()
        time.sleep(1)
        run.send_signal(signal.SIGINT)  # to it alone: its child is its own affair
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 1
    assert (
        errors
        == "error: interrupted while preparing corpus 'bundled'; nothing was kept, the same command begins anew\n"
    )
    assert not [path for path in (tmp_path / ".corpora").iterdir() if path.is_dir()]
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)
