"""Sentences of an article, by Wikimedia's rule-based splitter.

``sentencex`` rather leaves two sentences together than cut one in two, which is what sentence-order
pairs need: a cut inside a sentence would be a pair that no reader could order.
"""

import textwrap

import sentencex

LONGEST = 4000
"""Bytes of a sentence: SentencePiece learns nothing from one of more than 4192, and says nothing."""
CHARACTERS = LONGEST // 4


def split(text: str, language: str = "en") -> list[str]:
    """The sentences of ``text`` in order, stripped, none empty. A line break always ends a sentence.

    What goes on for more than ``LONGEST`` bytes without an end, as text without full stops does, is cut at spaces,
    or where there are none anywhere, into stretches of at most a quarter as many characters.
    """
    sentences = []
    for line in text.splitlines():
        for sentence in map(str.strip, sentencex.segment(language, line)):
            if len(sentence.encode("utf-8")) > LONGEST:
                sentences += textwrap.wrap(sentence, CHARACTERS, break_on_hyphens=False)
            elif sentence:
                sentences.append(sentence)
    return sentences
