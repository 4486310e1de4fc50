"""Sparse latent typing against plain loops, and what it leaves as it was."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM

from benchmarks import latent_types as script
from embryology.corpus import several
from embryology.corpus import tokenizer as tokenizers
from embryology.errors import EmbryologyError
from embryology.presets import Model, Typing
from embryology.pretraining import branching
from embryology.pretraining.loop import pretrain
from embryology.pretraining.objectives import IGNORED
from embryology.pretraining.trainee import Trainee, build, original
from embryology.runs import losses
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.treebanks import ENTITY, Edge, Sentence, Word
from tests.pretraining.test_trainee import SHAPE, inputs
from tests.training import SHORT, small_preset, train

COVERS = ("embryology/pretraining/latent_types.py",)
TYPING = Typing(types=5, reconstruction_weight=0.7, sparsity_weight=0.3, diversity_weight=0.2, temperature=0.8)


@pytest.fixture(params=["albert", "bert"])
def trainee(request, tokenizer):
    shape = SHAPE | {"family": request.param, "dropout": 0.0}
    shape |= {"embedding_size": 32} if request.param == "bert" else {}
    models = build(Model(**shape), len(tokenizer), 32, 0, TYPING)
    with torch.no_grad():
        for parameter in models.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return Trainee(models).train()


def text(batch):
    """The ids before anything was masked."""
    ids = batch.input_ids.flatten().tolist()
    for place, label in zip(batch.positions.tolist(), batch.labels.tolist(), strict=True):
        if label != IGNORED:
            ids[place] = label
    return torch.tensor(ids).view_as(batch.input_ids)


def test_what_is_typed_is_the_text_without_masks(batch):
    assert torch.equal(original(batch), text(batch))
    assert not torch.equal(original(batch), batch.input_ids)


def plainly(trainee, batch, seed):
    """The loss a place and a piece at a time, by transformers' vectors and torch's decoder layer."""
    model, head = trainee.model, trainee.models["typing"]
    body = getattr(model, model.config.model_type)
    ids, seen = text(batch), batch.attention_mask
    vectors = body(**inputs(batch, ids)).last_hidden_state
    table = body.embeddings(input_ids=ids, token_type_ids=batch.token_type_ids)
    if model.config.model_type == "albert":
        table = body.encoder.embedding_hidden_mapping_in(table)
    logits = torch.cat([torch.zeros(*ids.shape, 1), vectors @ head.typer.weight.T], dim=-1)
    torch.manual_seed(seed)
    noise = -torch.empty_like(logits).exponential_().log()
    drawn = ((logits + noise) / 0.8).softmax(-1)
    typed = vectors * sum(drawn[..., 1 + each, None] * head.types.weight[each] for each in range(5))
    total, places = 0.0, 0
    embeddings = model.get_input_embeddings().weight
    offset = model.get_output_embeddings().bias
    for place, label in zip(batch.positions.tolist(), batch.labels.tolist(), strict=True):
        if label != IGNORED:
            row, at = divmod(place, ids.shape[1])
            before = table[row : row + 1, :at]
            later = torch.full((at, at), -math.inf).triu(1)
            told = head.decoder(before, typed[row : row + 1, seen[row]], tgt_mask=later)[0, -1]
            answer = head.narrowed(told) @ embeddings.T + offset
            total += answer.logsumexp(0) - answer[label]
            places += 1
    mean = torch.stack([logits[row, at].softmax(0) for row, at in seen.nonzero().tolist()]).mean(0)
    uneven = sum(share * math.log(6 * share) for share in mean.tolist())
    return float(0.7 * total / places - 0.3 * mean[0].log() + 0.2 * uneven)


def test_the_loss_is_that_of_plain_loops(trainee, batch):
    assert not batch.attention_mask.all()  # padding is seen by nobody
    with torch.no_grad():
        torch.manual_seed(3)
        sums = trainee(batch)
        expected = plainly(trainee, batch, 3)
    pieces = batch.attention_mask.sum().item()
    assert (sums / batch.counts)[3].item() == pytest.approx(expected, rel=1e-4)
    assert sums[3].item() == pytest.approx(expected * pieces, rel=1e-4)


def test_draws_are_those_of_torchs_generator(trainee, batch):
    told = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        told.append(trainee(batch)[3].item())
    assert told[0] == told[1] != told[2]


def test_every_weight_of_head_and_encoder_is_trained_by_it(trainee, batch):
    trainee(batch)[3].backward()
    for name, parameter in trainee.models["typing"].named_parameters():
        assert parameter.grad.any(), name
    body = getattr(trainee.model, trainee.model.config.model_type)
    assert body.embeddings.word_embeddings.weight.grad.any()
    assert trainee.model.get_output_embeddings().bias.grad.any()


def test_a_held_out_question_is_asked_without_types(trainee, batch):
    assert trainee.eval().outputs(batch).typing is None
    assert trainee(batch)[3] == 0


def test_low_precision_is_near(trainee, batch):
    told = []
    for precision in (torch.float32, torch.bfloat16):
        trainee.precision = precision
        torch.manual_seed(0)
        told.append(trainee(batch)[3])
    assert torch.allclose(*told, rtol=0.1)


def test_padding_alone_leaves_nothing_to_give_back(trainee, batch):
    nothing = replace(batch, labels=torch.full_like(batch.labels, IGNORED))
    assert torch.isfinite(trainee(nothing)[3])


@pytest.fixture(scope="module")
def runs(home, tmp_path_factory):
    """A run without types, one with, and one with that was interrupted."""
    folder = tmp_path_factory.mktemp("typed")
    changes = {"steps": 20, "checkpoints": [0, 20], **SHORT}
    plain = small_preset(home, 75, **changes)
    typed = small_preset(home, 75, **changes, objective=plain.outcome.objective.model_dump() | {"typing": {"types": 7}})
    made = {"plain": train(plain, folder / "plain"), "typed": train(typed, folder / "typed")}
    parts = typed.model_copy(update={"speed": typed.speed.model_copy(update={"resume_every": 10})})
    stopped = RunFolder(folder / "stopped")
    pretrain(parts, stopped, resume=False, console=Console(quiet=True), until=10)
    made["resumed"] = train(parts, folder / "stopped", resume=True)
    return made


def test_a_resume_in_the_middle_is_the_same_bit_for_bit_with_the_head(runs):
    for part in ("", "typing"):
        one, other = (
            load_file(runs[name].checkpoint(20) / part / "model.safetensors") for name in ("typed", "resumed")
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one), part
    rows = [losses.read(runs[name])["typing_loss"].dropna().tolist() for name in ("typed", "resumed")]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 2


def test_it_begins_as_without_types_and_becomes_something_else(runs):
    plain, typed = (Series.open(runs[name].root).checkpoints for name in ("plain", "typed"))
    assert plain[0].sha256 == typed[0].sha256
    assert plain[1].sha256 != typed[1].sha256
    assert losses.read(runs["plain"])["typing_loss"].isna().all()
    row = losses.read(runs["typed"]).iloc[-1]
    weight = small_preset(runs["plain"].root.parent, 75).outcome.objective.pair_weight
    assert row["loss"] == pytest.approx(row["masked_loss"] + weight * row["pair_loss"] + row["typing_loss"])


def test_a_checkpoint_is_an_ordinary_masked_model(runs):
    place = runs["typed"].checkpoint(20)
    model, report = AutoModelForMaskedLM.from_pretrained(place, output_loading_info=True)
    assert not report["missing_keys"]
    assert not any("typ" in name.split(".")[0] for name, _ in model.named_parameters())
    head = load_file(place / "typing" / "model.safetensors")
    assert head["typer.weight"].shape == head["types.weight"].shape == (7, model.config.hidden_size)
    before = load_file(runs["typed"].checkpoint(0) / "typing" / "model.safetensors")
    assert all(not torch.equal(head[name], before[name]) for name in head)


def test_what_does_not_go_with_typing_is_refused(home):
    outcome = small_preset(home, 75).outcome.model_dump()
    objective = outcome["objective"]
    phases = [{"steps": 30, "objective": objective | {"typing": {"types": types}}} for types in (5, 6)]
    with pytest.raises(EmbryologyError, match="all phases with typing have the same"):
        small_preset(home, 75, phases=phases)
    electra = outcome["model"] | {"family": "electra", "generator_size": 0.5}
    asked = objective | {"pair": "none", "pair_weight": 0, "rtd_weight": 5, "typing": {}}
    with pytest.raises(EmbryologyError, match="typing is not of electra"):
        small_preset(home, 75, model=electra, objective=asked)
    typed = small_preset(home, 75, objective=objective | {"typing": {}})
    with pytest.raises(ValueError, match=r"speed.compile is not for typing"):
        type(typed).model_validate(typed.model_dump() | {"speed": {"compile": True}})


def test_a_phase_without_typing_leaves_the_model_to_the_other_losses(home, tmp_path):
    changes = {"steps": 8, "checkpoints": [0, 8], **SHORT}
    objective = small_preset(home, 75, **changes).outcome.objective.model_dump()
    phases = [{"steps": 4}, {"steps": 4, "objective": objective | {"typing": {"types": 5}}}]
    rows = losses.read(train(small_preset(home, 75, **changes, phases=phases), tmp_path / "late"))
    told = rows.set_index("step")
    assert np.isnan(told["typing_loss"][4])
    assert told["typing_loss"][8] > 0
    parts = told["masked_loss"] + objective["pair_weight"] * told["pair_loss"]
    assert (told["loss"] - parts).tolist()[1:] == pytest.approx([0, told["typing_loss"][8]], abs=1e-5)


def test_the_types_of_words_are_those_of_their_first_pieces(runs, monkeypatch):
    texts = ("Paris is a city of people.", "The music of Rome!")
    sentences = []
    for number, text_ in enumerate(texts):
        words = tuple(Word(found[0], *found.span(), "TAG") for found in re.finditer(r"\w+|[.!]", text_))
        sentences.append(Sentence(str(number), text_, words, (Edge(ENTITY, "GPE", (0, 1)),) if number == 0 else ()))
    told = []
    monkeypatch.setattr(script, "purity", lambda words: told.append(words) or pd.DataFrame({"label": []}))
    series = Series.open(runs["typed"].root)
    script.measured(series, sentences)
    assert len(told) == 2  # checkpoints
    tokenizer, model = tokenizers.load(runs["typed"].tokenizer), AutoModelForMaskedLM.from_pretrained
    model = model(runs["typed"].checkpoint(20)).eval()
    typer = load_file(runs["typed"].checkpoint(20) / "typing" / "model.safetensors")["typer.weight"]
    expected = []
    for sentence in sentences:
        encoded = tokenizer(sentence.text, return_offsets_mapping=True, return_tensors="pt")
        starts = encoded.pop("offset_mapping")[0].tolist()
        with torch.no_grad():
            vectors = model.base_model(encoded["input_ids"]).last_hidden_state[0]
        for word in sentence.words:
            at = next(at for at, (start, end) in enumerate(starts) if start < word.end and end > word.start)
            scores = [0.0, *(vectors[at] @ typer.T).tolist()]
            expected.append((sentence.id, int(np.argmax(scores)), int(encoded["input_ids"][0, at])))
    words = told[-1]
    assert [*zip(words["sentence"], words["type"], strict=True)] == [(one, kind) for one, kind, _ in expected]
    assert words["entity"].tolist() == ["GPE", *[""] * (len(words) - 1)]
    pieces = several.of_run(series.folder).train.pieces
    assert words["frequency"].tolist() == [int((np.asarray(pieces) == piece).sum()) for *_, piece in expected]
    with pytest.raises(EmbryologyError, match="has no latent types"):
        script.measured(Series.open(runs["plain"].root), sentences)


def test_a_run_with_types_starts_from_no_state_without_them(home):
    plain = small_preset(home, 75).outcome
    typed = small_preset(home, 75, objective=plain.objective.model_dump() | {"typing": {}}).outcome
    assert "typing, whose head has weights of its own" in branching._differences(typed, plain, 5)
    assert not [*branching._differences(plain, plain, 5)]
