"""Sums of attention on the device against plain loops over transformers' own eager attention, a sentence at a time."""

import math

import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    ElectraConfig,
    ElectraForPreTraining,
    FNetConfig,
    FNetForMaskedLM,
    GPT2Config,
    GPT2Model,
)

from embryology.models import attention
from embryology.models.encoder import Encoder
from embryology.runs.series import Series
from embryology.specs import NotApplicable

SHAPE = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 90}
SMALL = {**SHAPE, "embedding_size": 16, "initializer_range": 0.5}
GPT2 = {"n_embd": 32, "n_layer": 3, "n_head": 2, "n_inner": 64, "vocab_size": 90, "initializer_range": 0.5}
GPT2 |= {"bos_token_id": 1, "eos_token_id": 2}
MODELS = {
    "albert": lambda: AlbertForMaskedLM(AlbertConfig(**SMALL)),
    "bert": lambda: BertForMaskedLM(BertConfig(**SHAPE, initializer_range=0.5)),
    "electra": lambda: ElectraForPreTraining(ElectraConfig(**SMALL)),
    "gpt2": lambda: GPT2Model(GPT2Config(**GPT2)),
}
SENTENCES = {
    (2, 11, 12, 13, 14, 3): [(1,), (2, 3), (4,)],
    (2, 30, 31, 32, 33, 34, 35, 36, 37, 3): [(1,), (2,), (), (3, 4, 5), (6,), (8,)],
    (2, 50, 51, 3): [(1,), (2,)],
}
"""Ids, with special tokens at both ends, and the positions of words; one word owns no piece, one piece has no word."""
NAMES = ("self", "previous", "next", "first", "separator", "entropy", "distance")


@pytest.fixture(scope="module", params=MODELS)
def checkpoint(request, tmp_path_factory):
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp(request.param)
    MODELS[request.param]().save_pretrained(folder / "checkpoint-1")
    return Series.open(folder).checkpoints[0]


@pytest.fixture(scope="module")
def slowly(checkpoint):
    """By sentence the maps of transformers, (layers, heads, length, length) in lists."""
    model = AutoModel.from_pretrained(checkpoint.location, attn_implementation="eager").eval()
    with torch.no_grad():
        outputs = [model(torch.tensor([ids]), output_attentions=True).attentions for ids in SENTENCES]
    return [[layer[0].tolist() for layer in layers] for layers in outputs]


def plain(square):
    """The statistics of one map of a sentence between two special tokens."""
    last = len(square) - 1
    pieces = range(1, last)

    def mean(values):
        return sum(values) / len(values)

    pairs = [(i, j) for i in pieces for j in pieces]
    return {
        "self": mean([square[i][i] for i in pieces]),
        "previous": mean([square[i][i - 1] for i in pieces if i > 1]),
        "next": mean([square[i][i + 1] for i in pieces if i < last - 1]),
        "first": mean([square[i][0] for i in pieces]),
        "separator": mean([square[i][last] for i in pieces]),
        "entropy": mean([-sum(p * math.log(p) for p in square[i] if p > 0) for i in pieces]),
        "distance": sum(square[i][j] * abs(i - j) for i, j in pairs) / sum(square[i][j] for i, j in pairs),
    }


def answers(square, words, by):
    """For every word the other one with most attention, ``by`` which it goes from the word or to it."""
    found = []
    for number, own in enumerate(words):
        scores = {}
        for other, theirs in enumerate(words):
            source, target = (own, theirs) if by == "from" else (theirs, own)
            if own and theirs and number != other:
                scores[other] = sum(sum(square[i][j] for j in target) for i in source) / len(source)
        best = max(scores.values(), default=0)
        found.append(next(other for other, score in scores.items() if score == best) if best > 0 else -1)
    return found


@pytest.mark.parametrize("tokens_per_batch", [None, 4])
def test_statistics_and_answers_are_those_of_plain_loops(checkpoint, slowly, tokens_per_batch):
    encoder = Encoder.load(checkpoint, device="cpu")
    words, seen_sentences = list(SENTENCES.values()), []
    for batch, seen, layers in attention.attentions(encoder, list(SENTENCES), tokens_per_batch):
        inside = seen.clone()
        inside[:, 0] = False
        inside[torch.arange(len(batch)), seen.sum(1) - 1] = False
        assert len(layers) == 3
        for number, layer in enumerate(layers):
            told = attention.statistics(layer, seen, inside)
            strongest = attention.strongest(*attention.between_words(layer, [words[i] for i in batch]))
            for row, i in enumerate(batch):
                for head in range(2):
                    square = slowly[i][number][head]
                    expected = plain(square)
                    assert told[:, row, head].tolist() == pytest.approx([expected[name] for name in NAMES], abs=2e-5)
                    for direction, by in enumerate(("from", "to")):
                        own = strongest[direction, row, head, : len(words[i])].tolist()
                        assert own == answers(square, words[i], by)
        seen_sentences += batch
    assert sorted(seen_sentences) == [0, 1, 2]


def test_layers_and_heads_of_the_slow_way_differ(slowly):
    """Else an exchanged layer or head would not be seen above."""
    squares = [torch.tensor(slowly[0][layer][head]) for layer in range(3) for head in range(2)]
    assert all((one - other).abs().max() > 1e-3 for n, one in enumerate(squares) for other in squares[:n])


def test_a_model_computes_as_before_when_its_attention_was_read(checkpoint):
    encoder = Encoder.load(checkpoint, device="cpu")
    before, ids = encoder.model.config._attn_implementation, list(SENTENCES)
    states = encoder.hidden_states(ids)
    list(attention.attentions(encoder, ids))
    assert encoder.model.config._attn_implementation == before == "sdpa"
    assert torch.equal(encoder.hidden_states(ids), states)


def test_a_model_without_attention_does_not_apply(tmp_path):
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "vocab_size": 90}
    FNetForMaskedLM(FNetConfig(**shape)).save_pretrained(tmp_path / "checkpoint-1")
    encoder = Encoder.load(Series.open(tmp_path).checkpoints[0], device="cpu")
    with pytest.raises(NotApplicable, match="fnet has no attention from token to token"):
        list(attention.attentions(encoder, list(SENTENCES)))


def test_a_tie_and_a_word_that_attends_to_nothing_are_no_answers():
    square = torch.tensor([[0.2, 0.4, 0.4], [0.5, 0.2, 0.3], [0.0, 0.0, 1.0]])[None, None]
    assert attention.strongest(*attention.between_words(square, [[(0,), (1,), (2,)]])).tolist() == [
        [[[-1, 0, -1]]],
        [[[1, 0, 0]]],
    ]


@pytest.mark.parametrize(("causal", "first", "last"), [(False, [1 / 3, 1 / 3, 1 / 3], 1 / 3), (True, [1, 0, 0], 1 / 3)])
def test_uniform_attention_spreads_over_what_a_token_sees(causal, first, last):
    seen = torch.tensor([[True, True, True, False]])
    (square,) = attention.uniform(seen, causal)[0]
    assert square[0].tolist() == pytest.approx([*first, 0])
    assert square[2].tolist() == pytest.approx([last, last, last, 0])


def test_a_sequence_without_separators_or_neighbours_has_none():
    seen = torch.tensor([[True, True]])
    told = attention.statistics(torch.full((1, 1, 2, 2), 0.5), seen, torch.tensor([[True, False]]))[:, 0, 0]
    assert told.isnan().tolist() == [False, True, True, True, False, False, False]
    assert attention.statistics(torch.full((1, 1, 2, 2), 0.5), seen, seen)[4].isnan().all()
