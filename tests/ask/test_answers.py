"""What the page says of words, sentences and replaced words is what transformers computes with the same weights."""

import re

import pytest
import torch
from transformers import AlbertForMaskedLM, ElectraForMaskedLM, ElectraForPreTraining

from embryology.runs.packed import series as packed_series
from tests import browser
from tests.ask import models
from tests.ask.reading import STATUS, VERDICT, typed

pytestmark = pytest.mark.skipif(browser.CHROMIUM is None, reason="there is no Chromium to open the page in")
TOP = "[...document.querySelectorAll('.ask-top li')].map((each) => each.textContent)"
WORDS = "[...document.querySelectorAll('.ask-word')]"
PAIR = ("Photographs astonish.", "The unbelievable end.")


@pytest.fixture(scope="module")
def tokenizer():
    return models.unigram_tokenizer()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory, tokenizer):
    """transformers' models of the last checkpoints, with the rounded weights that the page has."""
    folder, made = tmp_path_factory.mktemp("loaded"), {}
    for family, words in (("albert", AlbertForMaskedLM), ("electra", ElectraForMaskedLM)):
        series = models.series(folder / family, family, tokenizer)
        last, weights = series.checkpoints[-1], packed_series.of_series(series).weights(models.STEPS[-1])
        made[family] = models.loaded(last.generator or last, weights["words"], words)
        if "replaced" in weights:
            made["replaced"] = models.loaded(last, weights["replaced"], ElectraForPreTraining)
    return made


def logits(model, ids):
    with torch.inference_mode():
        return model(torch.as_tensor(ids)[None]).logits[0]


def percent(value):
    return f"{100 * value:.0f}%" if value >= 0.0995 else f"{100 * value:.1f}%" if value >= 0.00095 else "< 0.1%"


def shown(tokenizer, number):
    piece = tokenizer.convert_ids_to_tokens(int(number))
    return (piece[1:] or "␣") if piece.startswith("▁") else f"-{piece}"


def best(tokenizer, row):
    """The five likeliest, as the page writes them."""
    top = row.softmax(-1).topk(5)
    return [shown(tokenizer, number) + percent(value) for value, number in zip(top.values, top.indices, strict=True)]


def test_likeliest_words_are_those_of_transformers(page, tokenizer, loaded):
    ids = tokenizer("The capital [MASK] France is Paris.")["input_ids"]
    row = logits(loaded["albert"], ids)[ids.index(tokenizer.mask_token_id)]
    assert page.evaluate(TOP) == best(tokenizer, row)


def test_of_a_word_of_several_pieces_all_are_masked_and_their_probabilities_multiplied(page, tokenizer, loaded):
    text = "Photographs astonish."
    encoded = tokenizer(text)
    places = [place for place, word in enumerate(encoded.word_ids()) if word == 0]
    ids = torch.tensor(encoded["input_ids"])
    true = ids[places].clone()
    ids[places] = tokenizer.mask_token_id
    rows = logits(loaded["albert"], ids)[places]
    assert len(places) > 2
    typed(page, text)
    page.until(f"{WORDS}.length === 3")
    page.evaluate(f"{WORDS}[0].querySelector('button').click()")
    page.until(f"/likeliest pieces/.test({STATUS})")
    assert page.evaluate(TOP) == [line for row in rows for line in best(tokenizer, row)]
    truth = rows.log_softmax(-1)[range(len(places)), true].sum().exp().item()
    assert f"the true word has {percent(truth)} (" in page.evaluate(STATUS)


def test_a_word_is_given_back_where_all_of_its_pieces_are(page, tokenizer, loaded):
    guess = shown(tokenizer, logits(loaded["albert"], tokenizer("The end.")["input_ids"]).argmax(-1)[1])
    text = f"{guess}man {guess} saw it all."  # none, all and some of their pieces
    encoded = tokenizer(text)
    guesses = logits(loaded["albert"], encoded["input_ids"]).argmax(-1).tolist()
    typed(page, text)
    page.until(f"{WORDS}.length === 6")
    page.until(f"{WORDS}.every((each) => each.lastChild.textContent)")
    starts = page.evaluate("[...document.querySelectorAll('.ask-word button')].map((each) => each.textContent)")
    below = page.evaluate(f"{WORDS}.map((each) => each.lastChild.textContent)")
    at, right, some = 0, 0, 0
    for word, said in zip(starts, below, strict=True):
        start = text.index(word, at)
        at = start + len(word)
        # Pieces of what stands there; a sign of a word that has no character of its own lies where the word begins.
        places = [
            place
            for place, (first, last) in enumerate(tokenizer(text, return_offsets_mapping=True)["offset_mapping"])
            if encoded.word_ids()[place] is not None and start <= first and last <= at and (last > start or first < at)
        ]
        same = [guesses[place] == encoded["input_ids"][place] for place in places]
        right += all(same)
        some += any(same) and not all(same)
        assert said == ("✓" if all(same) else "✗ " + " ".join(shown(tokenizer, guesses[place]) for place in places))
    assert (right, some) == (1, 1)
    assert ": 1 of 6 right" in page.evaluate("document.querySelector('.ask-legend').textContent")


def test_a_word_is_as_likely_replaced_as_its_likeliest_piece(page, tokenizer, loaded):
    text = "Photographs astonish us all."
    encoded = tokenizer(text)
    chances = logits(loaded["replaced"], encoded["input_ids"]).flatten().sigmoid().tolist()
    page.evaluate(
        "(() => { const run = document.querySelector('select'); run.value = 'electra';"
        "run.dispatchEvent(new Event('change')); })()"
    )
    typed(page, text)
    page.until(f"{WORDS}.length === 5 && {WORDS}.every((each) => /replaced/.test(each.textContent))")
    said = page.evaluate(f"{WORDS}.map((each) => each.querySelector('.ask-replaced').textContent)")
    by_word = {}
    for word, chance in zip(encoded.word_ids(), chances, strict=True):
        by_word.setdefault(word, []).append(chance)
    assert said[:3] == [f"replaced? {percent(max(by_word[word]))}" for word in range(3)]
    assert len({*said}) > 1


def test_a_sentence_scores_its_pieces_with_the_later_ones_of_their_word_masked(page, tokenizer, loaded):
    scores, masked = [], 0
    for text in PAIR:
        encoded = tokenizer(text)
        words, score = encoded.word_ids(), 0.0
        for at, word in enumerate(words):
            if word is not None:
                ids = torch.tensor(encoded["input_ids"])
                later = [other for other in range(at, len(words)) if words[other] == word]
                ids[later] = tokenizer.mask_token_id
                masked += len(later) - 1
                score += logits(loaded["albert"], ids)[at].log_softmax(-1)[encoded["input_ids"][at]].item()
        scores.append(score)
    assert masked > 5
    for number, text in enumerate(PAIR):
        typed(page, text, "label input[type=text]", number + 1)
    page.until(f"/is likelier, by .*nats/.test({VERDICT})")
    said = page.evaluate(VERDICT)
    numbers = [float(each) for each in re.findall(r"-?\d+\.\d", said)]
    assert numbers == pytest.approx([abs(scores[0] - scores[1]), *scores], abs=0.06)
    assert ("first" if scores[0] > scores[1] else "second") in said
