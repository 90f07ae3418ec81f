"""Shapes small enough for tests, one for each way in which families differ."""

from models.config import ModelConfig

__all__ = ["PLAIN", "SMALL"]

SMALL = ModelConfig(name="small", vocab_size=41, hidden_size=24, ffn_size=44, layers=2, heads=4, kv_heads=2, head_dim=8,
                    activation="relu2", sub_norms=True, tied_head=True, rope_theta=1e4, rms_eps=1e-5, context=16,
                    bos_id=0, eos_ids=(1, 2))
"""As 2B-4T: ReLU², grouped-query heads, sub-norms, tied; heads * head_dim is not the hidden size."""

PLAIN = ModelConfig(name="plain", vocab_size=37, hidden_size=24, ffn_size=44, layers=2, heads=3, kv_heads=3, head_dim=8,
                    activation="silu", sub_norms=False, tied_head=False, rope_theta=1e6, rms_eps=1e-6, context=16)
"""Llama-shaped: SiLU, all heads, no sub-norms, a head of its own."""
