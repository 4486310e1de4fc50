"""The models that are born here: made and saved by transformers, trained by our own forward pass."""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AlbertConfig,
    AlbertForPreTraining,
    BertConfig,
    BertForPreTraining,
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    PreTrainedModel,
)

from embryology import presets
from embryology.models import forward
from embryology.models.forward import Parameters, pair
from embryology.pretraining.batches import NOISES, Batch
from embryology.pretraining.cross_entropy import linear_cross_entropy
from embryology.pretraining.latent_types import LatentTypes, LatentTypesConfig
from embryology.pretraining.objectives import IGNORED

NOISE_SEED = 0
PARTS = ("masked", "pair", "replaced", "typing")
"""What a loss is the sum of."""
CONFIGS = {"albert": AlbertConfig, "bert": BertConfig, "electra": ElectraConfig}
SHAPE = {
    *("embedding_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    "initializer_range",
}
"""Settings of a model's preset that its configuration takes as they are."""
ARCHITECTURES = {"albert": AlbertForPreTraining, "bert": BertForPreTraining, "electra": ElectraForPreTraining}


@dataclass(frozen=True)
class Outputs:
    """What a model answers; logits are in float32, and what it does not say is None."""

    vectors: Tensor
    """(places, embedding size): what the masked head makes of the encoded places."""
    decoder: tuple[Tensor, Tensor]
    """(vocabulary, embedding size) and (vocabulary,): what turns them into logits."""
    pair: Tensor | None = None
    """(sequences, 2)."""
    replaced: Tensor | None = None
    """(sequences, length): of a piece being a replacement."""
    is_replaced: Tensor | None = None
    """(sequences, length) bool: whether it is one."""
    shown: Tensor | None = None
    """(sequences, length) ids: the pieces that are told apart."""
    typing: Tensor | None = None
    """(): the loss of latent types, times the pieces that it is the mean of."""

    def masked(self) -> Tensor:
        """(places, vocabulary), made here; the loss does without."""
        return functional.linear(self.vectors, *self.decoder).float()

    def sums(self, batch: Batch) -> Tensor:
        """(4,): losses in nats, summed over what ``Batch.counts`` counts, in the order of ``PARTS``."""
        none = torch.zeros((), device=self.vectors.device)
        return torch.stack(
            [
                linear_cross_entropy(self.vectors, *self.decoder, batch.labels),
                none
                if self.pair is None
                else functional.cross_entropy(self.pair, batch.pair_labels, ignore_index=IGNORED, reduction="sum"),
                none
                if self.replaced is None or self.is_replaced is None
                else functional.binary_cross_entropy_with_logits(
                    self.replaced, self.is_replaced.float(), weight=batch.attention_mask.float(), reduction="sum"
                ),
                none if self.typing is None else self.typing,
            ]
        )


def build(
    settings: presets.Model, vocabulary: int, length: int, seed: int, latent_types: presets.Typing | None = None
) -> nn.ModuleDict:
    """A model from random parameters, under the name ``model``; ELECTRA's generator beside it, as ``generator``.

    The head of latent types, as ``typing``, is made last, so that the model is the same without it.

    Args:
        settings: its shape.
        vocabulary: number of pieces.
        length: longest sequence it can read.
        seed: of the parameters.
        latent_types: of their head; None makes none.
    """
    torch.manual_seed(seed)  # of what transformers draws
    config = CONFIGS[settings.family](
        vocab_size=vocabulary,
        **settings.model_dump(include=SHAPE),
        max_position_embeddings=length,
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.dropout,
        classifier_dropout=settings.dropout,
        classifier_dropout_prob=settings.dropout,
        hidden_act="gelu_new",
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        attn_implementation="sdpa",
    )
    model = ARCHITECTURES[settings.family](config)
    models = nn.ModuleDict({"model": model})
    if isinstance(model, ElectraForPreTraining):
        generator = _generator(settings, config)
        # Clark et al. 2020, section 3.2: generator and discriminator share their embeddings.
        generator.electra.embeddings = model.electra.embeddings
        generator.tie_weights()
        models["generator"] = generator
    _initialise(models, settings.initializer_range)
    if latent_types:
        models["typing"] = LatentTypes(LatentTypesConfig.of(latent_types, config))
        _initialise(models["typing"], settings.initializer_range)
    return models


def _initialise(models: nn.Module, deviation: float) -> None:
    """Draw all weights anew, none beyond two deviations, as BERT's, ALBERT's and ELECTRA's code does."""
    drawn = set()
    for module in models.modules():
        if isinstance(module, nn.Linear | nn.Embedding) and id(module.weight) not in drawn:
            drawn.add(id(module.weight))
            nn.init.trunc_normal_(module.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx])


def _generator(settings: presets.Model, config: ElectraConfig) -> ElectraForMaskedLM:
    assert settings.generator_size is not None  # as the preset was checked
    heads = max(1, round(settings.num_attention_heads * settings.generator_size))
    smaller = {
        "hidden_size": settings.hidden_size // settings.num_attention_heads * heads,
        "num_attention_heads": heads,
        "intermediate_size": round(settings.intermediate_size * settings.generator_size),
    }
    return ElectraForMaskedLM(ElectraConfig.from_dict(config.to_dict() | smaller))


class Trainee(nn.Module):
    """What is trained: the models of :func:`build` with their losses.

    Called with a batch it gives the sums of its losses; :meth:`outputs` gives the logits.
    """

    noise: Tensor | None
    """Of ELECTRA's generator; of others None."""

    def __init__(self, models: nn.ModuleDict, precision: torch.dtype = torch.float32):
        """
        Args:
            models: as :func:`build` makes them.
            precision: of the forward pass. Parameters are float32, and so are their gradients.
        """
        super().__init__()
        self.models = models
        self.precision = precision
        vocabulary = self.model.config.vocab_size if "generator" in models else 0
        noise = gumbel_noise(vocabulary).to(self.model.device) if vocabulary else None
        self.register_buffer("noise", noise, persistent=False)
        self._ddp_params_and_buffers_to_ignore = ["noise"]  # the same in every process, and large
        first_name = {id(parameter): name for name, parameter in models.named_parameters()}
        with_shared = models.named_parameters(remove_duplicate=False)
        self._names = [(name, first_name[id(parameter)]) for name, parameter in with_shared]

    @property
    def model(self) -> PreTrainedModel:
        """The model that checkpoints are made of; of ELECTRA the discriminator."""
        return self._pretrained("model")

    def _pretrained(self, part: str) -> PreTrainedModel:
        return typing.cast(PreTrainedModel, self.models[part])

    def forward(self, batch: Batch) -> Tensor:
        """(4,): the losses in nats, summed over what ``Batch.counts`` counts, in the order of ``PARTS``."""
        return self.outputs(batch).sums(batch)

    def outputs(self, batch: Batch) -> Outputs:
        """Logits for a batch."""
        cast = {name: parameter.to(self.precision) for name, parameter in self.models.named_parameters()}
        parameters: dict[str, dict[str, Tensor]] = {part: {} for part in self.models}
        for name, first_name in self._names:
            part, _, inner = name.partition(".")
            parameters[part][inner] = cast[first_name]
        if "generator" in self.models:
            return self._electra(parameters["generator"], parameters["model"], batch)
        outputs = self._with_pairs(parameters["model"], batch)
        if "typing" in self.models and self.training:
            return dataclasses.replace(outputs, typing=self._typing(parameters, batch, outputs.decoder))
        return outputs

    def _typing(self, parameters: Mapping[str, Parameters], batch: Batch, decoder: tuple[Tensor, Tensor]) -> Tensor:
        """Latent types are told of the text as it is, and not masked."""
        ids, head = original(batch), self.models["typing"]
        vectors = self._encoded(parameters["model"], "model", ids, batch)
        inputs = forward.embed(parameters["model"], self.model.config, ids, batch.token_type_ids, self.training)
        return typing.cast(LatentTypes, head).loss(parameters["typing"], vectors, inputs, decoder, batch)

    def _encoded(
        self, parameters: Parameters, part: str, ids: Tensor, batch: Batch, at: Tensor | None = None
    ) -> Tensor:
        config, types, mask = self._pretrained(part).config, batch.token_type_ids, batch.attention_mask
        return forward.encode(parameters, config, ids, types, mask, self.training, at)

    def _with_pairs(self, parameters: Parameters, batch: Batch) -> Outputs:
        """ALBERT and BERT: the masked head, and the pair's head on the pooled first vector."""
        config = self.model.config
        albert = config.model_type == "albert"
        sequences, length = batch.input_ids.shape
        firsts = torch.arange(0, sequences * length, length, device=batch.positions.device)[:, None]
        at = torch.cat([firsts, batch.positions.view(sequences, -1)], dim=1).flatten()
        encoded = self._encoded(parameters, "model", batch.input_ids, batch, at)
        head = "predictions" if albert else "cls.predictions.transform"
        vectors = forward.gelu(functional.linear(encoded[:, 1:].flatten(0, 1), *pair(parameters, f"{head}.dense")))
        vectors = forward.norm(vectors, pair(parameters, f"{head}.LayerNorm"), config)
        pooler = "albert.pooler" if albert else "bert.pooler.dense"
        pooled = torch.tanh(functional.linear(encoded[:, 0], *pair(parameters, pooler)))
        if albert:
            pooled = forward.dropped(pooled, config.classifier_dropout_prob, self.training)
        pair_head = "sop_classifier.classifier" if albert else "cls.seq_relationship"
        return Outputs(
            vectors=vectors,
            decoder=pair(parameters, "predictions.decoder" if albert else "cls.predictions.decoder"),
            pair=functional.linear(pooled, *pair(parameters, pair_head)).float(),
        )

    def _electra(self, generator: Parameters, discriminator: Parameters, batch: Batch) -> Outputs:
        """The generator fills the chosen places, the discriminator tells at every piece whether it was replaced."""
        vectors = self._encoded(generator, "generator", batch.input_ids, batch, batch.positions).flatten(0, 1)
        vectors = functional.gelu(functional.linear(vectors, *pair(generator, "generator_predictions.dense")))
        vectors = forward.norm(vectors, pair(generator, "generator_predictions.LayerNorm"), self.model.config)
        filled = Outputs(vectors=vectors, decoder=pair(generator, "generator_lm_head"))
        assert self.noise is not None  # as there is a generator
        with torch.no_grad():
            ids, is_replaced = replace(batch, filled.masked(), self.noise)
        encoded = self._encoded(discriminator, "model", ids, batch)
        transformed = forward.gelu(functional.linear(encoded, *pair(discriminator, "discriminator_predictions.dense")))
        logits = functional.linear(transformed, *pair(discriminator, "discriminator_predictions.dense_prediction"))
        return dataclasses.replace(filled, replaced=logits.squeeze(-1).float(), is_replaced=is_replaced, shown=ids)


def gumbel_noise(vocabulary: int) -> Tensor:
    """(NOISES + vocabulary,): standard Gumbel noise; from each of ``NOISES`` places on, one value a piece."""
    noise = np.random.default_rng(NOISE_SEED).gumbel(size=NOISES).astype(np.float32)
    return torch.from_numpy(np.concatenate([noise, noise[:vocabulary]]))


def replace(batch: Batch, logits: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """What the discriminator reads: the true text with the generator's samples at the chosen places.

    A sample is the largest of the logits plus Gumbel noise, which is a draw from their softmax (Gumbel 1954), and as
    the noise is given by seed, step, place and piece, logits that differ by rounding almost always give the same.

    Args:
        batch: as the generator read it.
        logits: (places, vocabulary) of the generator.
        noise: of :func:`gumbel_noise`.

    Returns:
        (sequences, length) ids, and (sequences, length) bool: where they differ from the text. A sample
        that happens to be the true piece is no replacement (Clark et al. 2020, section 2).
    """
    sampled = (logits + noise.unfold(0, logits.shape[1], 1)[batch.noise]).argmax(-1)
    sampled = torch.where(batch.noise == 0, 0, sampled)
    ids = _with(batch, sampled)
    return ids, ids != original(batch)


def original(batch: Batch) -> Tensor:
    """(sequences, length) ids: the text before pieces were masked."""
    return _with(batch, batch.labels)


def _with(batch: Batch, pieces: Tensor) -> Tensor:
    """The batch's ids with (places,) others at the places to predict."""
    masked, used = batch.input_ids.flatten(), batch.labels != IGNORED
    # Places that are not used all point to the beginning of a sequence: they write back what stands there.
    ids = masked.scatter(0, batch.positions, torch.where(used, pieces, masked[batch.positions]))
    return ids.view_as(batch.input_ids)
