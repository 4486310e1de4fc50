import functools
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from embryology.corpus import tokenizer, unigram
from embryology.errors import EmbryologyError

COMMAND = [sys.executable, "-P", str(tokenizer.TRAINER), "100"]


def test_a_sample_is_uniform_and_the_same_every_time():
    assert unigram.sample(iter("abc"), 3) == ["a", "b", "c"]
    kept = unigram.sample(map(str, range(10_000)), 1000)
    assert kept == unigram.sample(map(str, range(10_000)), 1000)
    assert len(set(kept)) == 1000
    counts, _ = np.histogram(np.array(kept, dtype=int), bins=10, range=(0, 10_000))
    assert (abs(counts - 100) < 40).all()  # more than four standard deviations


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
