"""Small models of every family the project reads, for tests that need no real weights."""

from models.config import ModelConfig

__all__ = ["FAMILIES", "GROUPED"]


def _family(name: str, **changes: object) -> ModelConfig:
    shape = dict(name=name, vocab_size=130, hidden_size=96, ffn_size=160, layers=2, heads=4, kv_heads=2, head_dim=24,
                 activation="relu2", sub_norms=True, tied_head=True, rope_theta=1e4, rms_eps=1e-5, context=64)
    return ModelConfig(**(shape | changes))


FAMILIES = {
    config.name: config
    for config in (
        _family("relu2 grouped heads"),
        _family("silu full heads", activation="silu", kv_heads=4, rope_theta=5e5),
        _family("llama plain", activation="silu", sub_norms=False, tied_head=False, head_dim=32, rms_eps=1e-6),
        _family("one head", heads=1, kv_heads=1, head_dim=64, layers=1, hidden_size=52, ffn_size=44, vocab_size=33),
    )
}

GROUPED = {
    config.name: config
    for config in (
        _family("bonsai", hidden_size=256, ffn_size=384, head_dim=64, heads=2, kv_heads=1, activation="silu",
                sub_norms=False, rms_eps=1e-6, qk_norm=True, grouped=True, grouped_tables=True),
        _family("grouped, sub-norms, head of its own", hidden_size=128, ffn_size=640, heads=4, head_dim=32,
                tied_head=False, grouped=True, grouped_tables=True),
        _family("norms of heads alone", qk_norm=True),
    )
}
"""Those that the emulator alone runs, on its own build."""
