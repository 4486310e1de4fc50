"""Texts that no tokenizer expects: every script, combining marks, emoji, spaces of all kinds, special pieces."""

import random
import unicodedata

SCRIPTS = [
    *((0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF)),
    *((0xE00, 0xFFF), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x22FF), (0x2460, 0x24FF), (0x3000, 0x30FF)),
    *((0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFFFD), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF)),
    *((0x10000, 0x10FFF), (0x11000, 0x16FFF), (0x1D000, 0x1D24F), (0x1E000, 0x1E9FF), (0x20000, 0x2FA1F)),
    *((0xE000, 0xE0FF), (0xE0000, 0xE01EF), (0x1, 0x1F), (0x7F, 0x9F), (0x1CC00, 0x1CEFF), (0xA640, 0xABFF)),
]
MARKS = [chr(point) for point in range(0x20000) if unicodedata.combining(chr(point))]
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2003\u200a\u2028\u2029\u202f\u205f\u3000\u200b\u200d\ufeff\u180e"
SPECIAL = ["[MASK]", "[CLS]", "[SEP]", "<pad>", "<unk>", "[UNK]", "[mask]", "▁", "##ing", "``", "''", "`", "\ufffd"]
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "❤️", "1️⃣"]


def text(draw: random.Random, words: list[str]) -> str:
    """One text of 1 to some 40 parts; one in fifty has thousands of characters."""
    count = draw.randrange(1, 40) if draw.random() < 0.98 else 3000
    return "".join(_part(draw, words) for _ in range(count))


def _part(draw: random.Random, words: list[str]) -> str:
    kind = draw.randrange(8)
    if kind < 2:
        return draw.choice(words) + draw.choice(["", " ", "  "])
    if kind == 2:
        return draw.choice("aeiouAEIOUéÅΑσΣİıßſ") + "".join(draw.choices(MARKS, k=draw.randrange(1, 5)))
    if kind == 3:
        return draw.choice(SPACES)
    if kind == 4:
        return draw.choice([*SPECIAL, *EMOJI])
    if kind == 5:
        return "".join(draw.choices(words, k=4)).swapcase()
    low, high = draw.choice(SCRIPTS)
    return "".join(chr(draw.randint(low, high)) for _ in range(draw.randrange(1, 6)))
