"""The shape of a model: one frozen description that every package reads, and the presets of real models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from models.errors import ModelError
from models.ternary_groups import GROUP

__all__ = ["ACTIVATIONS", "DEMO", "HOST_ACTIVATIONS", "LINEARS", "NORMS", "PRESETS", "SHIPPED", "SHIPPED_LICENCE",
           "TRAINED_TYPE", "ModelConfig", "resolve_model"]

ACTIVATIONS = ("relu2", "silu")
HOST_ACTIVATIONS = ("ash", "crrelu", "spark", "x-cos")
"""Those that are stages, without which no device runs the model."""

NORMS = ("rmsnorm", "seednorm")
"""In front of a layer's two blocks. The machine has the first; any other is a stage, without which no device runs the
model."""

TRAINED_TYPE = "tritloom-bitnet"
"""`model_type` of checkpoints of `models.train` that transformers must not take for its own BitNet."""

LINEARS = ("q", "k", "v", "o", "gate", "up", "down")
"""A layer's ternary matrices, in the order in which they run."""

DEMO = Path(__file__).parent / "demo"
"""Folder of the shipped model."""

SHIPPED = {"demo": DEMO, "chat": DEMO.parent / "demo_chat", "bilingual": DEMO.parent / "demo_bilingual"}
"""Folders of the models that come with the project, by the names that stand for them."""

SHIPPED_LICENCE = "Apache-2.0"
"""Theirs, as of all of the project."""

_SMALLEST, _LARGEST = 2.0**-120, 2.0**120  # of constants: within the machine's scalar words
_LATER = ("qk_norm", "grouped", "grouped_tables")  # false where a model's file does not say
_SIZES = ("vocab_size", "hidden_size", "ffn_size", "layers", "heads", "kv_heads", "head_dim", "context")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape and constants of a ternary decoder. Raises `ModelError` where a value makes no sense.

    heads * head_dim need not equal hidden_size. `sub_norms`: RMSNorm before the o and down matrices. `qk_norm`: RMSNorm
    over each head of q and k, before RoPE. `grouped`: the layers' matrices have a scale for each 128 inputs of a row,
    `grouped_tables`: so have the embedding and the head, which are ternary then.
    `norm`: one of `NORMS`. `tied_head`: the head is the embedding. `context`: the most positions the model was made
    for. `bos_id`: the start token that the source names; `eos_ids`: tokens that end a text.
    """

    name: str
    vocab_size: int
    hidden_size: int
    ffn_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    activation: str
    sub_norms: bool
    tied_head: bool
    rope_theta: float
    rms_eps: float
    context: int
    norm: str = "rmsnorm"
    bos_id: int | None = None
    eos_ids: tuple[int, ...] = ()
    qk_norm: bool = False
    grouped: bool = False
    grouped_tables: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ModelError(f"config: name must be a string, got {self.name!r}")
        for name in _SIZES:
            value = getattr(self, name)
            if not _is_int(value) or value < 1:
                raise ModelError(f"config: {name} must be a positive integer, got {value!r}")
        if self.heads % self.kv_heads:
            raise ModelError(f"config: heads must be a multiple of kv_heads, "
                             f"got {self.heads} and {self.kv_heads}")
        if self.head_dim % 2:
            raise ModelError(f"config: head_dim must be even, got {self.head_dim}")
        if self.activation not in (*ACTIVATIONS, *HOST_ACTIVATIONS):
            raise ModelError(f"config: activation must be one of {', '.join((*ACTIVATIONS, *HOST_ACTIVATIONS))}, "
                             f"got {self.activation!r}")
        if self.norm not in NORMS:
            raise ModelError(f"config: norm must be one of {', '.join(NORMS)}, got {self.norm!r}")
        for name in ("sub_norms", "tied_head", *_LATER):
            if not isinstance(getattr(self, name), bool):
                raise ModelError(f"config: {name} must be true or false, got {getattr(self, name)!r}")
        self._check_groups()
        for name in ("rope_theta", "rms_eps"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not _SMALLEST <= value <= _LARGEST:
                raise ModelError(f"config: {name} must be a positive number that a scalar word holds, got {value!r}")
            object.__setattr__(self, name, float(value))  # JSON may write it as an integer of any size
        if not isinstance(self.eos_ids, tuple):
            raise ModelError(f"config: eos_ids must be a tuple, got {self.eos_ids!r}")
        tokens = [("bos_id", self.bos_id)] if self.bos_id is not None else []
        for name, token in tokens + [("eos_ids", token) for token in self.eos_ids]:
            if not _is_int(token) or not 0 <= token < self.vocab_size:
                raise ModelError(f"config: {name} must lie within the vocabulary of {self.vocab_size}, "
                                 f"got {token!r}")

    def _check_groups(self) -> None:
        inputs = {"hidden_size": self.hidden_size} if self.grouped or self.grouped_tables else {}
        if self.grouped:
            inputs |= {"ffn_size": self.ffn_size, "heads * head_dim": self.heads * self.head_dim}
        for name, size in inputs.items():
            if size % GROUP:
                raise ModelError(f"config: {name} must be a multiple of {GROUP}, the inputs that share a scale, "
                                 f"got {size}")

    @property
    def attention_size(self) -> int:
        """Channels of all query heads together: inputs of the o matrix."""
        return self.heads * self.head_dim

    @property
    def kv_size(self) -> int:
        """Channels of all key heads (or value heads) together."""
        return self.kv_heads * self.head_dim

    @property
    def linear_shapes(self) -> dict[str, tuple[int, int]]:
        """(outputs, inputs) of a layer's ternary matrices, in the order of `LINEARS`."""
        hidden, ffn, inner, keys = self.hidden_size, self.ffn_size, self.attention_size, self.kv_size
        return {"q": (inner, hidden), "k": (keys, hidden), "v": (keys, hidden), "o": (hidden, inner),
                "gate": (ffn, hidden), "up": (ffn, hidden), "down": (hidden, ffn)}

    @property
    def gain_sizes(self) -> dict[str, int]:
        """Channels of a layer's gains: "input", "post_attention"; with sub-norms "attn_sub", "ffn_sub"; with norms of
        heads "q", "k"."""
        sizes = {"input": self.hidden_size, "post_attention": self.hidden_size}
        if self.sub_norms:
            sizes |= {"attn_sub": self.attention_size, "ffn_sub": self.ffn_size}
        return sizes | ({"q": self.head_dim, "k": self.head_dim} if self.qk_norm else {})

    @property
    def parameters(self) -> int:
        """Weights in all, a tied head counted once."""
        layer = sum(o * i for o, i in self.linear_shapes.values()) + sum(self.gain_sizes.values())
        table = self.vocab_size * self.hidden_size
        return self.layers * layer + self.hidden_size + table * (1 if self.tied_head else 2)

    def to_json(self) -> dict[str, object]:
        """All fields, ready for `json.dump`; the norm only where it is another than RMSNorm, and what older models lack
        only where it is true."""
        data = asdict(self) | {"eos_ids": list(self.eos_ids)}
        for name in _LATER:
            if not data[name]:
                del data[name]
        if self.norm == NORMS[0]:
            del data["norm"]
        return data

    @classmethod
    def from_json(cls, data: object) -> ModelConfig:
        """Inverse of `to_json`; `ModelError` on a missing or unknown field or a value that makes no sense."""
        if not isinstance(data, Mapping):
            raise ModelError(f"config: expected an object, got {type(data).__name__}")
        known = {field.name for field in fields(cls)}
        if missing := sorted(known - {"norm", "bos_id", "eos_ids", *_LATER} - set(data)):
            raise ModelError(f"config: {missing[0]} is missing")
        if unknown := sorted(set(data) - known):
            raise ModelError(f"config: unknown field {unknown[0]}")
        values = dict(data)
        if isinstance(values.get("eos_ids"), list):
            values["eos_ids"] = tuple(values["eos_ids"])
        return cls(**values)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


PRESETS: dict[str, ModelConfig] = {
    config.name: config
    for config in (
        # 1bitLLM/bitnet_b1_58-large
        ModelConfig(
            name="bitnet-0.73b", vocab_size=32002, hidden_size=1536, ffn_size=4096, layers=24, heads=16,
            kv_heads=16, head_dim=96, activation="silu", sub_norms=True, tied_head=True, rope_theta=1e4,
            rms_eps=1e-5, context=2048, bos_id=1, eos_ids=(2,)),
        # microsoft/bitnet-b1.58-2B-4T
        ModelConfig(
            name="bitnet-2b4t", vocab_size=128256, hidden_size=2560, ffn_size=6912, layers=30, heads=20,
            kv_heads=5, head_dim=128, activation="relu2", sub_norms=True, tied_head=True, rope_theta=5e5,
            rms_eps=1e-5, context=4096, bos_id=128000, eos_ids=(128001, 128009)),
        # tiiuae/Falcon3-1B-Instruct-1.58bit, its context cut to what the machine takes
        ModelConfig(
            name="falcon3-1b", vocab_size=131072, hidden_size=2048, ffn_size=8192, layers=18, heads=8,
            kv_heads=4, head_dim=256, activation="silu", sub_norms=False, tied_head=False, rope_theta=1000042.0,
            rms_eps=1e-6, context=4096, bos_id=None, eos_ids=(11,)),
        # Ternary-Bonsai 1.7B, Qwen3's shape with scales by group, its context cut likewise
        ModelConfig(
            name="bonsai-1.7b", vocab_size=151936, hidden_size=2048, ffn_size=6144, layers=28, heads=16, kv_heads=8,
            head_dim=128, activation="silu", sub_norms=False, tied_head=True, rope_theta=1e6, rms_eps=1e-6,
            context=4096, bos_id=None, eos_ids=(151643, 151645), qk_norm=True, grouped=True, grouped_tables=True),
    )
}
"""Shapes of real models; they have no weights (`models.synth` makes random ones)."""


def resolve_model(name_or_dir: str | Path) -> Path:
    """The folder of a model given as a name of `SHIPPED` or as a path; `ModelError` where there is none."""
    if str(name_or_dir) in SHIPPED:
        folder = SHIPPED[str(name_or_dir)]
    elif str(name_or_dir) in PRESETS and not Path(name_or_dir).is_dir():
        raise ModelError(f"{name_or_dir} is a shape without weights: make random ones with "
                         f"python -m models.synth --preset {name_or_dir} -o DIR")
    else:
        folder = Path(name_or_dir)
    if not folder.is_dir():
        raise ModelError(f"no model folder at {folder}")
    return folder
