"""A decoder in float64, from the models' definitions and from nothing of `models`: what file kinds are held to."""

from collections.abc import Mapping

import numpy as np

__all__ = ["reference_logits"]


def reference_logits(weights: Mapping[str, np.ndarray], ids: np.ndarray, *, heads: int, kv_heads: int, theta: float,
                     eps: float, activation: str, int8: bool) -> np.ndarray:
    """Logits [n, vocab] of one sequence.

    weights: float matrices [out, in] and gains by GGUF names, rows of q and k as they meet RoPE over (i, i + dim / 2);
    norms that are absent are left out, `output.weight` is the embedding where it is absent. int8: whether what the
    layers' matrices take is quantised, by its largest magnitude, as BitNet does; else it stays as it is.
    """
    def norm(x, name):
        if name not in weights:
            return x
        return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps) * weights[name]

    def times(x, *names):
        if int8:
            step = np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5) / 127
            x = np.clip(np.rint(x / step), -128, 127) * step
        return [x @ weights[f"{name}.weight"].astype(np.float64).T for name in names]

    def turned(x):  # [n, heads, dim]
        half = x.shape[-1] // 2
        angles = np.outer(np.arange(len(x)), theta ** -(np.arange(half) / half))[:, None]
        low, high = x[..., :half], x[..., half:]
        return np.concatenate([low * np.cos(angles) - high * np.sin(angles),
                               high * np.cos(angles) + low * np.sin(angles)], axis=-1)

    embedding = weights["token_embd.weight"].astype(np.float64)
    h, n = embedding[ids], len(ids)
    for layer in range(sum(name.endswith(".attn_q.weight") for name in weights)):
        at = f"blk.{layer}."
        q, k, v = times(norm(h, f"{at}attn_norm.weight"), f"{at}attn_q", f"{at}attn_k", f"{at}attn_v")
        q = turned(norm(q.reshape(n, heads, -1), f"{at}attn_q_norm.weight"))
        k = turned(norm(k.reshape(n, kv_heads, -1), f"{at}attn_k_norm.weight"))
        k, v = (np.repeat(x.reshape(n, kv_heads, -1), heads // kv_heads, axis=1) for x in (k, v))
        scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(q.shape[-1])
        scores[:, ~np.tri(n, dtype=bool)] = -np.inf
        p = np.exp(scores - scores.max(axis=-1, keepdims=True))
        out = np.einsum("hij,jhd->ihd", p / p.sum(axis=-1, keepdims=True), v).reshape(n, -1)
        h = h + times(norm(out, f"{at}attn_sub_norm.weight"), f"{at}attn_output")[0]
        gate, up = times(norm(h, f"{at}ffn_norm.weight"), f"{at}ffn_gate", f"{at}ffn_up")
        gate = np.maximum(gate, 0) ** 2 if activation == "relu2" else gate / (1 + np.exp(-gate))
        h = h + times(norm(gate * up, f"{at}ffn_sub_norm.weight"), f"{at}ffn_down")[0]
    return norm(h, "output_norm.weight") @ weights.get("output.weight", embedding).astype(np.float64).T
