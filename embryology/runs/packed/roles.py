"""What each tensor of a checkpoint is for, in one vocabulary for ALBERT, BERT and ELECTRA.

A model that reads is ``word``, ``position``, ``segment`` (embeddings), ``embedded`` (their norm), ``project`` (where
embeddings are narrower than layers), and for layer N ``N/query`` … ``N/norm``; one head follows: ``head/dense``,
``head/norm``, ``head/bias`` and, where it is not the embedding, ``head/decoder`` predict words, ``replaced/dense`` and
``replaced/out`` tell whether a piece was replaced.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embryology.errors import EmbryologyError

WORDS, REPLACED = "words", "replaced"
"""What a model is asked for: the words under masks, or whether a word was replaced."""
ACTIVATIONS = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu_python": "erf"}
"""Forms of GELU by the names that configurations use."""
BOTH = ("weight", "bias")
ALBERT_LAYER = {
    "query": "attention.query", "key": "attention.key", "value": "attention.value",
    "attended": "attention.dense", "attended_norm": "attention.LayerNorm",
    "widened": "ffn", "narrowed": "ffn_output", "norm": "full_layer_layer_norm",
}  # fmt: skip
BERT_LAYER = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "attended": "attention.output.dense", "attended_norm": "attention.output.LayerNorm",
    "widened": "intermediate.dense", "narrowed": "output.dense", "norm": "output.LayerNorm",
}  # fmt: skip


@dataclass(frozen=True)
class Graph:
    """How a model computes, and which tensor has which role."""

    asked: str
    """:data:`WORDS` or :data:`REPLACED`."""
    shape: dict[str, Any]
    """What the forward pass needs beside tensors: layers, heads, the forms of GELU, the norms' epsilon, positions."""
    tensors: dict[str, str]
    """By role the name in the checkpoint."""


def graph(config: Mapping[str, Any], names: Mapping[str, Any]) -> Graph:
    """The graph of a model.

    Args:
        config: its ``config.json``.
        names: of its tensors.

    Raises:
        EmbryologyError: it is not of a kind whose forward pass is known exactly.
    """
    family, architecture = config.get("model_type"), (config.get("architectures") or [""])[0]
    if family not in ("albert", "bert", "electra"):
        raise EmbryologyError(f"models of the kind {family} are not computed there, only albert, bert and electra")
    if config.get("hidden_act") not in ACTIVATIONS:
        raise EmbryologyError(f"the activation {config.get('hidden_act')} is not computed there, only GELU")
    if config.get("is_decoder") or config.get("position_embedding_type", "absolute") != "absolute":
        raise EmbryologyError("decoders and relative positions are not computed there")
    if family == "albert" and not config.get("num_hidden_groups", 1) == config.get("inner_group_num", 1) == 1:
        raise EmbryologyError("an ALBERT of several groups of layers is not computed there")
    roles: dict[str, str] = {}

    def add(role: str, name: str, parts: tuple[str, ...] = BOTH) -> None:
        roles.update({f"{role}.{part}": f"{name}.{part}" for part in parts})

    embeddings = f"{family}.embeddings"
    for role, name in (("word", "word"), ("position", "position"), ("segment", "token_type")):
        add(role, f"{embeddings}.{name}_embeddings", ("weight",))
    add("embedded", f"{embeddings}.LayerNorm")
    project = f"{family}.encoder.embedding_hidden_mapping_in" if family == "albert" else f"{family}.embeddings_project"
    if f"{project}.weight" in names:
        add("project", project)
    layers = 1 if family == "albert" else config["num_hidden_layers"]
    for number in range(layers):
        place = "albert_layer_groups.0.albert_layers.0" if family == "albert" else f"layer.{number}"
        for role, name in (ALBERT_LAYER if family == "albert" else BERT_LAYER).items():
            add(f"{number}/{role}", f"{family}.encoder.{place}.{name}")
    asked, form = WORDS, ACTIVATIONS[config["hidden_act"]]
    head_form = form
    if family == "electra" and architecture == "ElectraForPreTraining":
        asked = REPLACED
        add("replaced/dense", "discriminator_predictions.dense")
        add("replaced/out", "discriminator_predictions.dense_prediction")
    else:
        dense, norm, decoder, bias = {
            "albert": ("predictions.dense", "predictions.LayerNorm", "predictions.decoder", "predictions.bias"),
            "bert": (*(f"cls.predictions.transform.{part}" for part in ("dense", "LayerNorm")),
                     "cls.predictions.decoder", "cls.predictions.bias"),
            "electra": (*(f"generator_predictions.{part}" for part in ("dense", "LayerNorm")),
                        "generator_lm_head", "generator_lm_head.bias"),
        }[family]  # fmt: skip
        add("head/dense", dense)
        add("head/norm", norm)
        roles["head/bias"] = bias
        if f"{decoder}.weight" in names:
            add("head/decoder", decoder, ("weight",))
        elif not config.get("tie_word_embeddings", True):
            raise EmbryologyError(f"its head is not the embedding, and {decoder}.weight is missing")
        # transformers' generator takes this form whatever the configuration says.
        head_form = "erf" if family == "electra" else form
    missing = sorted(set(roles.values()) - set(names))
    if missing:
        raise EmbryologyError(f"it lacks the weights {', '.join(missing[:3])}")
    shape = {
        "layers": config["num_hidden_layers"],
        "own": layers,
        "heads": config["num_attention_heads"],
        "epsilon": config["layer_norm_eps"],
        "activation": form,
        "head_activation": head_form,
        "positions": config["max_position_embeddings"],
    }
    return Graph(asked, shape, roles)
