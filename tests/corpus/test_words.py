"""What counts as a word, in scripts with spaces and without."""

import numpy as np
import pytest

from embryology.corpus import words
from embryology.corpus.tokenizer import train, word_starts
from embryology.pretraining.objectives import choose_words

CHINESE = [
    "我们住在北京的一座老房子里。",
    "他每天早上去学校学习中文。",
    "今天天气很好我们去公园。",
    "老房子里住着三个学生和老师。",
    "学校的老师每天早上教中文。",
    "北京的公园里有很多老树。",
    "我们学习中文和历史。",
    "三个学生去公园看老树。",
]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("  a b\nc ", 3),
        ("don't", 1),
        ("我们住在 Berlin。", 5),
        ("東京タワー", 5),
        ("a中b", 3),
        ("สวัสดี", 6),
        ("नमस्ते दुनिया", 2),
        ("안녕 세계", 2),
    ],
)
def test_words_are_counted(text, number):
    assert words.count(text) == number


def test_chinese_pieces_are_words_so_that_they_can_be_masked():
    """A sentence as one word would never fit into what may be masked, and nothing would be learnt."""
    tokenizer = train(CHINESE * 20, 60)
    starts = np.array(word_starts(tokenizer))
    ids = np.array(tokenizer(CHINESE[0] + CHINESE[1])["input_ids"])
    rng = np.random.default_rng(0)
    chosen = choose_words(starts[ids], ids > 4, 3, 1, rng)
    assert len(chosen) == 3
