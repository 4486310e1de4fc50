"""Small files in every format of a treebank, of sentences of our own."""

import itertools

import pytest

from embryology.treebanks import TWO_SPANS, Reading, silver


def less_silver(patch: pytest.MonkeyPatch, sentences: int = 400) -> None:
    """Let spaCy annotate the first sentences alone, where many probes would have it do all, and again each time."""
    real = silver._annotated
    patch.setattr(silver, "_annotated", lambda *given, **chosen: itertools.islice(real(*given, **chosen), sentences))


def conllu(document: str, *sentences: str) -> str:
    """A document of CoNLL-U; a sentence is ``The/DT cat/NN sleeps/VBZ``, its first word the root and head of all."""
    blocks = []
    for number, sentence in enumerate(sentences, start=1):
        lines = [f"# newdoc id = {document}"] if number == 1 else []
        lines.append(f"# sent_id = {document}-{number}")
        for place, word in enumerate(sentence.split(), start=1):
            form, tag = word.rsplit("/", 1)
            head, relation = ("0", "root") if place == 1 else ("1", "dep")
            lines.append(f"{place}\t{form}\t_\t_\t{tag}\t_\t{head}\t{relation}\t_\t_")
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def skeletons(source: str, *sentences: str) -> str:
    """A document of PropBank's skeletons; a row is ``TAG BRACKETS LEMMA ROLESET ROLES…``."""
    blocks = [f"# document = {source}\n"]
    for number, sentence in enumerate(sentences):
        rows = [f"{source}  {number}  {i}  [WORD]  {row}" for i, row in enumerate(sentence.strip().splitlines())]
        blocks.append("\n".join(rows) + "\n\n")
    return "".join(blocks)


def gum_layer(document: str, *rows: str) -> str:
    """A document of one of GUM's coreference layers; a row is ``FORM CELL``, its form ``''`` where it is empty."""
    lines = [f"{i}\t" + row.replace("''", "").replace(" ", "\t") for i, row in enumerate(rows)]
    return "\n".join([f"# begin document {document}", *lines, "# end document", "", ""])


def gold_conll(document: str, *sentences: str) -> str:
    """A document of OntoNotes; a row is ``FORM TAG PARSE LEMMA ROLESET ENTITY ROLES… CHAINS``."""
    blocks = [f"#begin document ({document}); part 000\n"]
    for sentence in sentences:
        for number, row in enumerate(sentence.strip().splitlines()):
            form, tag, parse, lemma, roleset, entity, *rest = row.split()
            fields = (document, "0", number, form, tag, parse, lemma, roleset, "-", "-", entity, *rest)
            blocks.append(" ".join(map(str, fields)) + "\n")
        blocks.append("\n")
    return "".join([*blocks, "#end document\n"])


def assert_sound(reading: Reading) -> None:
    """Words stand where they say, and spans hold words of their sentence."""
    for sentence in reading.sentences:
        assert sentence.words or not sentence.edges
        assert all(0 <= word.start <= word.end <= len(sentence.text) for word in sentence.words)
        for edge in sentence.edges:
            assert (edge.second is not None) == (edge.task in TWO_SPANS)
            assert isinstance(edge.label, str)
            for first, last in filter(None, (edge.first, edge.second)):
                assert 0 <= first < last <= len(sentence.words)
