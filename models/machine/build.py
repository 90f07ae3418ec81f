"""Build parameters of the accelerator: what is fixed in the Verilog. Model shapes are not among them.

A build runs every model that fits its memories; `BuildParameters.check` says which one does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from math import lcm

from models.config import ModelConfig
from models.errors import BuildError
from models.machine.kv_format import KVFormat, kv_format

__all__ = ["CACHE_READER_BEATS", "CPU", "CHANNEL_UNIT", "HEAD_UNIT", "PORT_BYTES", "PORT_FIFO_BEATS",
           "QUERY_WORD", "SHORTLIST", "TRITS_PER_BYTE", "TRITS_PER_GROUP", "BuildParameters"]

PORT_BYTES = 16  # one beat of a 128-bit port
TRITS_PER_BYTE = 5
TRITS_PER_GROUP = 3
OUTPUTS_PER_BEATS = (10, 3)  # so many outputs of a tile fill so many beats of the weight stream, whatever the ports
BURST_BEATS = 16
CACHE_READER_BEATS = 256  # of the cache, at each port: covers 16 bursts under way
PORT_FIFO_BEATS = 512  # of streams, behind each port: covers 16 bursts under way, and the ports' different paces
SHORTLIST = 64  # vocabulary rows of which the head takes the exact logits, where it does not take all
CHANNEL_UNIT = 4  # sizes of a model are multiples of it, whatever the lanes of a build
_LARGEST = 10**9  # value of a parameter
HEAD_UNIT = 2 * CHANNEL_UNIT  # so are those of a head's two rotated halves
QUERY_WORD = 16  # elements of a query that attention reads at a time


@dataclass(frozen=True, kw_only=True)
class BuildParameters:
    """One build. Derived sizes are properties, so that they cannot disagree."""

    name: str
    clock_mhz: int
    ports: int  # 128-bit AXI masters, 1 .. 4
    rows: int  # activation rows one weight beat serves (M), a power of two
    row_batches: int = 1  # batches of M rows that take turns at a tile held in the weight buffer, a power of two
    outputs_per_step: int  # outputs the look-up array adds up each cycle (Q), at least 4
    weight_buffer_steps: int  # depth of the elastic weight buffer, in steps of the array
    accumulator_words: int  # depth of the accumulator memory, words of Q x M sums, over all batches
    hidden_max: int  # residual channels
    inputs_max: int  # channels of a linear layer's input (the widest of hidden, heads x dim, ffn)
    heads_max: int
    group_max: int  # query heads on one key-value head
    head_dim_max: int
    context_max: int
    attention_max: int = 0  # channels of all heads together; 0: heads_max x head_dim_max
    attention_pairs: int = 4  # (head, row) pairs that share a reading of keys and values, 1, 2 or 4
    query_word: int = 16  # elements that attention multiplies a cycle, for each pair: 4, 8, or all of a beat
    lanes: int = 4  # channels of one row that the vector engine takes a cycle: 1, 2 or 4
    head_rows: int = 1  # rows whose logits one pass over the head's stream gives
    kv_bits: int = 8  # of cached keys and values (`kv`)
    top_k: int = 16  # largest k the head returns
    command_beats: int = 1  # transfers in which a descriptor goes to its engine's queue: 1, 2 or 4
    packing: str = "tiles"  # of weight streams: "tiles" for the look-up array, "rows" as a checkpoint has them

    def __post_init__(self) -> None:
        if not 1 <= self.ports <= 4:
            raise ValueError(f"ports must be 1 to 4, got {self.ports}")
        if self.packing not in ("tiles", "rows"):
            raise ValueError(f"packing must be tiles or rows, got {self.packing!r}")
        if self.packing == "tiles" and (self.outputs_per_step < 1 or self.outputs_per_step % CHANNEL_UNIT):
            raise ValueError(f"outputs_per_step must be a multiple of {CHANNEL_UNIT}, got {self.outputs_per_step}")
        for name, known in (("attention_pairs", (1, 2, 4)), ("query_word", (4, 8, 16)), ("lanes", (1, 2, 4)),
                            ("command_beats", (1, 2, 4))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be {', '.join(map(str, known[:-1]))} or {known[-1]}, "
                                 f"got {getattr(self, name)}")
        if self.query_word < QUERY_WORD and self.ports > 2:  # a beat has two chunks then
            raise ValueError(f"with {self.ports} ports query_word must be {QUERY_WORD}, got {self.query_word}")
        kv_format(self.kv_bits)
        for name in ("rows", "row_batches"):
            if (value := getattr(self, name)) < 1 or value & (value - 1):
                raise ValueError(f"{name} must be a power of two, got {value}")
        words = self.accumulator_words // self.row_batches
        if self.row_batches > 1 and (words & (words - 1) or words * self.row_batches != self.accumulator_words):
            raise ValueError(f"accumulator_words must be a power of two for each batch, got {self.accumulator_words}")

    @property
    def kv(self) -> KVFormat:
        """The format of cached keys and values."""
        return kv_format(self.kv_bits)

    @property
    def beat_bytes(self) -> int:
        """Bytes of one beat of all ports together."""
        return self.ports * PORT_BYTES

    @property
    def slots(self) -> int:
        """Rows that the memories hold: tokens of one pass, at most."""
        return self.rows * self.row_batches

    @property
    def attention_rows(self) -> int:
        """Rows that attention takes at a time: half of those that share weights, so that one half's norm hides
        under the other's attention. A program that packs by rows runs its descriptors one after another."""
        return max(1, self.rows // 2) if self.packing == "tiles" else self.rows

    @property
    def batch_words(self) -> int:
        """Accumulator words of a batch: those of batch b begin at word b x batch_words."""
        return self.accumulator_words // self.row_batches

    @property
    def tables(self) -> int:
        """Look-up tables side by side (T): a tile takes three inputs each."""
        return 8 * self.ports

    @property
    def tile_inputs(self) -> int:
        """Inputs of one tile of a matrix, 3 T; in rows, those of a byte."""
        return TRITS_PER_GROUP * self.tables if self.packing == "tiles" else TRITS_PER_BYTE

    @property
    def outputs_align(self) -> int:
        """A matrix' outputs are padded to a multiple of it: tiles of whole steps and whole beats."""
        return lcm(self.outputs_per_step, OUTPUTS_PER_BEATS[0]) if self.packing == "tiles" else 1

    def padded_outputs(self, outputs: int) -> int:
        """Outputs with their padding."""
        return -(-outputs // self.outputs_align) * self.outputs_align

    @property
    def chunk_rows(self) -> int:
        """Rows of a ternary head multiplied at a time: with half of a batch's sums, and with their scales as gains."""
        rows = min(self.inputs_max, self.batch_words // 2 * self.outputs_per_step)
        return rows // self.outputs_align * self.outputs_align

    @property
    def stream_align(self) -> int:
        """Bytes to which every weight stream is padded: one full burst of every port."""
        return self.beat_bytes * BURST_BEATS

    def to_json(self) -> dict[str, object]:
        """All fields, for `accel.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> BuildParameters:
        """The build of `to_json`'s values; `BuildError` where one is missing, unknown, of another kind or no size."""
        kinds = {field.name: str if field.name in ("name", "packing") else int for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        for name in sorted(values.keys() - kinds.keys()):
            raise BuildError(f"{name!r} is no parameter of a build")
        for name in sorted(needed - values.keys()):
            raise BuildError(f"the parameter {name} of the build is missing")
        for name, value in values.items():
            if type(value) is not kinds[name] or (isinstance(value, int) and not 0 <= value < _LARGEST):
                raise BuildError(f"the build's {name} is {value!r}")
        try:
            return cls(**values)
        except ValueError as error:
            raise BuildError(str(error)) from None

    @property
    def attention_channels(self) -> int:
        """Channels of all heads together, at most."""
        return self.attention_max or self.heads_max * self.head_dim_max

    @property
    def cache_beats(self) -> int:
        """Beats of 16 bytes that the keys, or the values, of a token take before padding, at most."""
        sizes = self.heads_max * -(-self.kv.bytes_of(self.head_dim_max) // PORT_BYTES)
        return min(sizes, self.kv.bytes_of(self.attention_channels) // PORT_BYTES + self.heads_max)

    def query_places(self, heads: int, head_dim: int) -> int:
        """Words of a row's queries from the first to the last: heads and the words of each are counted in bits."""
        return 1 << (heads - 1).bit_length() + (-(-head_dim // QUERY_WORD) - 1).bit_length()

    @property
    def query_words(self) -> int:
        """Words that the memory of queries has for a row, a power of two."""
        most = self.query_places(self.heads_max, self.head_dim_max)
        return min(most, self.query_places(1, self.attention_max)) if self.attention_max else most

    def accumulator_use(self, config: ModelConfig) -> int:
        """Words of a batch's accumulators that a layer needs at once: q, k and v, or gate and up."""
        words = {name: -(-outputs // self.outputs_per_step)
                 for name, (outputs, _) in config.linear_shapes.items()}
        return max(words["q"] + words["k"] + words["v"], words["gate"] + words["up"], words["o"], words["down"])

    def shared_rows(self, config: ModelConfig) -> int:
        """Rows that one stream of a model's matrices can serve: all slots if the weight buffer holds a tile."""
        every = all(self.keeps_tile(outputs) for outputs, _ in config.linear_shapes.values())
        return self.slots if every else self.rows

    def keeps_tile(self, outputs: int) -> bool:
        """Whether a tile of a matrix of so many outputs stays in the weight buffer for a second batch of rows."""
        return self.padded_outputs(outputs) <= self.weight_buffer_steps * self.outputs_per_step

    def shares_up(self, config: ModelConfig) -> bool:
        """Whether two groups of rows, batches each, take up from one stream (`host.compiler.layer`)."""
        return self.row_batches > 1 and self.keeps_tile(config.linear_shapes["up"][0])

    def fitted(self, config: ModelConfig) -> ModelConfig:
        """The model with a cache of what tokens the build takes, where its own is longer."""
        return replace(config, context=min(config.context, self.context_max))

    def check(self, config: ModelConfig) -> None:
        """Raise `BuildError` naming the first of the model's sizes that this build cannot hold.

        What packs by rows, as the emulator's own build, takes any multiple; a fabric's units take whole words.
        """
        if self.packing == "tiles":
            for has, what in ((config.grouped, "a scale for each 128 inputs of a row"),
                              (config.grouped_tables, "a ternary embedding and head"),
                              (config.qk_norm, "norms of the heads of q and k")):
                if has:
                    raise BuildError(f"the model has {what}, which boards lack and the emulator runs")
            for what, size, unit in (("hidden size", config.hidden_size, CHANNEL_UNIT),
                                     ("feed-forward size", config.ffn_size, CHANNEL_UNIT),
                                     ("head size", config.head_dim, HEAD_UNIT)):
                if size % unit:
                    raise BuildError(f"the model's {what} of {size} is not a multiple of {unit}, as boards need")
        linear_max = max(config.hidden_size, config.heads * config.head_dim, config.ffn_size)
        sizes = (("hidden size", config.hidden_size, self.hidden_max),
                 ("linear input", linear_max, self.inputs_max),
                 ("head count", config.heads, self.heads_max),
                 ("query heads per key-value head", config.heads // config.kv_heads, self.group_max),
                 ("head size", config.head_dim, self.head_dim_max),
                 ("attention's channels", config.heads * config.head_dim, self.attention_channels),
                 ("queries' words", self.query_places(config.heads, config.head_dim), self.query_words),
                 ("context", config.context, self.context_max),
                 ("accumulator use", self.accumulator_use(config), self.batch_words))
        for what, size, limit in sizes:
            if size > limit:
                raise BuildError(f"the model's {what} of {size} exceeds the {limit} of build {self.name}")


CPU = BuildParameters(
    name="cpu", clock_mhz=0, ports=1, rows=128, outputs_per_step=1, weight_buffer_steps=0, accumulator_words=65535,
    hidden_max=16384, inputs_max=65535, heads_max=255, group_max=255, head_dim_max=256, context_max=4096, head_rows=128,
    top_k=128, packing="rows")
"""The emulator's own program format: weights as the checkpoint has them, limits those of docs/numerics.md and of
the descriptors' fields."""
