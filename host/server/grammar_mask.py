"""Answers that are JSON of a schema: what does not continue it is forbidden, token by token.

The grammar is llguidance's. Passes of such a request return all logits, so that the best token that fits is chosen
wherever it stands; what a device returns as its best k plays no part.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from host.engine.logits import FORBIDDEN
from host.server.api_error import ApiError
from host.text import Text

__all__ = ["GrammarMask", "Grammars"]

Edit = Callable[[np.ndarray, Sequence[int]], np.ndarray]

_WRITTEN = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""As `json.dumps` writes it: where any white space is allowed, small models write nothing else."""


class Grammars:
    """Checks grammars and makes masks, with one tokenizer, which is read when the first is asked for.

    ends: ids that end an answer.
    """

    def __init__(self, text: Text, vocab: int, ends: Collection[int]):
        self._text, self._vocab, self._ends = text, vocab, sorted(ends)
        self._lock = threading.Lock()  # around reading the tokenizer
        self._tokenizer: Any = None

    def of_format(self, response_format: Mapping[str, Any]) -> str | None:
        """The grammar of a request's `response_format`, None for plain text; `ApiError` for what cannot be held."""
        kind = response_format["type"]
        if kind == "text":
            return None
        schema = response_format["json_schema"]["schema"] if kind == "json_schema" else {"type": "object"}
        return self.checked(self.of_schema(schema), "response_format")

    def of_schema(self, schema: Mapping[str, Any]) -> str:
        """The grammar of a JSON Schema, not checked."""
        return self._matcher_class().grammar_from_json_schema(json.dumps(schema), overrides=_WRITTEN)

    def of_call(self, schema: Mapping[str, Any], before: str, after: str) -> str:
        """That of JSON with texts around it, not checked."""
        written = json.dumps({**schema, "x-guidance": _WRITTEN})
        parts = [json.dumps(before)] * bool(before) + ["call"] + [json.dumps(after)] * bool(after)
        return self._matcher_class().grammar_from_lark(f"start: {' '.join(parts)}\ncall: %json {written}\n")

    def checked(self, grammar: str, param: str) -> str:
        """The same grammar; `ApiError` for one that cannot be held."""
        if wrong := self._matcher_class().validate_grammar(grammar, self._read()):
            raise ApiError(422, f"this JSON schema cannot be held: {wrong[:300]}", param=param, code="invalid_schema")
        return grammar

    def mask(self, grammar: str, prompt: int, bias: Edit | None = None) -> GrammarMask:
        """Of one request whose prompt has so many ids. bias: what changes its logits, too."""
        return GrammarMask(self._matcher_class()(self._read(), grammar, log_level=0), prompt, bias)

    def _read(self) -> Any:
        from llguidance import LLTokenizer

        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = LLTokenizer(self._text.file.read_text("utf-8"), n_vocab=self._vocab,
                                              eos_token=self._ends or None)
        return self._tokenizer

    @staticmethod
    def _matcher_class() -> Any:
        try:
            from llguidance import LLMatcher
        except ImportError:
            raise ApiError(422, "JSON by a schema needs the package llguidance: pip install 'tritloom[json]'",
                           param="response_format", code="not_installed") from None
        return LLMatcher


class GrammarMask:
    """`Request.edit` of one request. failed: why it could not go on, None where it could; the answer ends there."""

    def __init__(self, matcher: Any, prompt: int, bias: Edit | None = None):
        self._matcher, self._seen, self._bias = matcher, prompt, bias
        self.failed: str | None = None

    def __call__(self, logits: np.ndarray, history: Sequence[int]) -> np.ndarray:
        """int64 [vocab], changed in place; all forbidden where the JSON is complete."""
        if self._bias is not None:
            logits = self._bias(logits, history)
        for token in history[self._seen:]:
            self._matcher.consume_token(int(token))
        self._seen = len(history)
        allowed = b"" if self._ended() else self._matcher.compute_bitmask()
        if self._ended():
            logits[:] = FORBIDDEN
            return logits
        bits = np.unpackbits(np.frombuffer(allowed, np.uint8), bitorder="little")[:logits.size]
        logits[np.pad(bits, (0, logits.size - bits.size)) == 0] = FORBIDDEN
        return logits

    def _ended(self) -> bool:
        if self._matcher.is_error():
            self.failed = self._matcher.get_error()
        return self.failed is not None or self._matcher.is_stopped()
