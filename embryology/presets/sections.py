"""The sections of a preset, each checked by itself."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """Base of every section: unknown keys are refused, so that a misspelt one cannot pass unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Corpus(Section):
    source: str = "bundled"
    path: str | None = None
    leave_out: tuple[str, ...] = ()
    """Test sets, of :mod:`embryology.tasks.texts`: articles that share a sentence or 13 words on end with one of them
    are not trained on."""
    every: PositiveInt = 1
    """Only every so-many-th of the articles that are left is trained on. The tokenizer learns from all of them, and all
    that are held out stay, so that the same is asked as of the whole text."""


class Tokenizer(Section):
    vocab_size: int = Field(ge=100, le=1_000_000)
    lower_case: bool = True
    """As ALBERT's and the uncased BERT's."""
    strip_accents: bool = True
    """Likewise; a language in which accents tell words apart is better read with them."""
    learns_from: tuple[Corpus, ...] = ()
    """Texts that it learns from beside the run's own, so that both a run and what it goes on with are read in pieces
    that fit them."""

    @model_validator(mode="after")
    def _learns_from_whole_texts(self) -> "Tokenizer":
        if any(corpus.leave_out or corpus.every > 1 for corpus in self.learns_from):
            raise ValueError("learns_from takes whole texts, without leave_out or every")
        return self


class Model(Section):
    """The shape of a model.

    Keys are named as in the configurations of transformers. ``albert`` passes ``num_hidden_layers`` times through
    one shared layer (Lan et al. 2020, section 3.1); ``bert`` (Devlin et al. 2019) and ``electra`` (Clark et al. 2020)
    have as many of their own.
    """

    family: Literal["albert", "bert", "electra"] = "albert"
    num_hidden_layers: PositiveInt
    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    """Of the feed-forward part of a layer."""
    num_attention_heads: PositiveInt
    embedding_size: PositiveInt
    """Of the piece embeddings; of ``bert`` it is the hidden size itself."""
    initializer_range: PositiveFloat
    dropout: float = Field(0.0, ge=0, lt=1)
    generator_size: Share | None = None
    """Of ``electra``: the generator's hidden size, intermediate size and heads as a share of the discriminator's."""

    @model_validator(mode="after")
    def _is_consistent(self) -> "Model":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}"
            )
        if self.family == "bert" and self.embedding_size != self.hidden_size:
            raise ValueError(
                f"a bert's embedding_size is its hidden_size, {self.hidden_size}, and not {self.embedding_size}"
            )
        if (self.family == "electra") != (self.generator_size is not None):
            raise ValueError("electra, and electra alone, has a generator_size")
        return self


class Typing(Section):
    """Sparse latent typing beside the masked loss (Ren et al. 2022): :mod:`embryology.pretraining.latent_types`.

    Weights are the paper's.
    """

    types: PositiveInt = 63
    """Beside "no type"."""
    reconstruction_weight: float = Field(0.05, ge=0)
    """Of giving back the text from its typed pieces."""
    sparsity_weight: float = Field(0.05, ge=0)
    """Of how few pieces have no type."""
    diversity_weight: float = Field(0.1, ge=0)
    """Of how unevenly types are used."""
    temperature: PositiveFloat = 0.5
    """Of the Gumbel-softmax: the lower, the nearer a draw is to one type."""


class Objective(Section):
    mlm_probability: Share
    """Of the pieces of a sequence, how many are to be predicted."""
    max_ngram: PositiveInt
    """Spans of 1 to this many words are masked, n words with probability proportional to 1/n."""
    whole_word_mask: bool = True
    """Whether spans are of whole words, or of pieces, as in BERT's and ELECTRA's own recipes."""
    mask_replace_prob: float = Field(0.8, ge=0, le=1)
    """Of the chosen pieces, the share that becomes ``[MASK]``."""
    random_replace_prob: float = Field(0.1, ge=0, le=1)
    """The share that becomes a random piece; the rest stays."""
    pair: Literal["sop", "nsp", "none"] = "sop"
    """What is asked of two segments: whether they stand in order (``sop``, ALBERT's sentence-order prediction),
    whether the second follows the first or is from another document (``nsp``, BERT's next-sentence prediction), or
    nothing (ELECTRA)."""
    pair_weight: float = Field(ge=0)
    """Weight of the pair's loss beside the masked loss."""
    rtd_weight: float = Field(0.0, ge=0)
    """Weight of the discriminator's loss, of replaced token detection, beside the generator's masked loss; 50 in
    ELECTRA."""
    typing: Typing | None = None
    """None trains no latent types."""

    @model_validator(mode="after")
    def _is_consistent(self) -> "Objective":
        replaced = self.mask_replace_prob + self.random_replace_prob
        if replaced > 1:
            raise ValueError(
                f"mask_replace_prob {self.mask_replace_prob} and random_replace_prob {self.random_replace_prob} are "
                "shares of the same pieces, and together more than 1"
            )
        if (self.pair == "none") != (self.pair_weight == 0):
            raise ValueError(f"pair {self.pair} has a pair_weight {'of 0' if self.pair == 'none' else 'above 0'}")
        return self


class Optimizer(Section):
    """Linear warm-up and linear decay to zero, unless phases have rates of their own."""

    name: Literal["adamw", "lamb"] = "adamw"
    """LAMB (You et al. 2020) is ALBERT's, for batches of thousands of sequences."""
    learning_rate: PositiveFloat
    """At its peak, where warm-up ends."""
    warmup_steps: PositiveInt
    weight_decay: float = Field(ge=0)
    betas: tuple[float, float]
    epsilon: PositiveFloat = 1e-8
    max_grad_norm: PositiveFloat
