"""What requests may hold, as JSON Schema: the published API and the check of every request are made of it."""

from __future__ import annotations

from typing import Any

__all__ = ["CHAT", "COMPLETION", "LONGEST_PROMPTS", "MOST_CHOICES", "MOST_LOGPROBS"]

Schema = dict[str, Any]

MOST_CHOICES = 16
MOST_LOGPROBS = 20
LONGEST_PROMPTS = 64
"""Prompts of one request."""
_MOST_STOPS = 16


def _maybe(schema: Schema, text: str = "") -> Schema:
    """The same, or null for what is not given."""
    either = {**schema, "type": [schema["type"], "null"]} if "type" in schema else {
        "anyOf": [schema, {"type": "null"}]}
    return {**either, "description": text} if text else either


def _number(low: float, high: float, text: str = "", *, above: bool = False) -> Schema:
    return _maybe({"type": "number", "exclusiveMinimum" if above else "minimum": low, "maximum": high}, text)


def _count(low: int, high: int, text: str = "") -> Schema:
    return _maybe({"type": "integer", "minimum": low, "maximum": high}, text)


_FLAG: Schema = {"type": ["boolean", "null"]}
_TEXT: Schema = {"type": "string"}
_TOKEN: Schema = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_MANY = 2**31 - 1

_STAGE: Schema = {
    "type": "object", "required": ["stage"], "additionalProperties": False,
    "properties": {"stage": {**_TEXT, "description": "a name of /v1/stages"},
                   "strength": {"type": "number", "minimum": -1000, "maximum": 1000}}}

_IGNORED: dict[str, Schema] = {name: {"description": "taken, and of no effect"} for name in (
    "metadata", "parallel_tool_calls", "prompt_cache_key", "safety_identifier", "service_tier", "store", "user")}

_COMMON: dict[str, Schema] = {
    "model": _maybe(_TEXT, "as /v1/models names it, or left out"),
    "stream": _maybe({"type": "boolean"}, "answer with server-sent events"),
    "stream_options": _maybe({"type": "object", "additionalProperties": False, "properties": {
        "include_usage": _FLAG, "include_obfuscation": _FLAG}}),
    "max_tokens": _count(0, _MANY, "new tokens at most"),
    "n": _count(1, MOST_CHOICES, "answers, with seeds from `seed` on"),
    "stop": {"anyOf": [{"type": "null"}, {**_TEXT, "minLength": 1},
                       {"type": "array", "maxItems": _MOST_STOPS, "items": {**_TEXT, "minLength": 1}}],
             "description": "texts, or names of special tokens, that end the answer"},
    "seed": _count(-2**63, 2**63 - 1, "the same seed, the same answer, whoever shares the passes"),
    "temperature": _number(0, 100, "0 is greedy; 0.7 where nothing is given"),
    "top_p": _number(0, 1, "0.95 where nothing is given", above=True),
    "top_k": _count(0, _MANY, "0: all that the device returns"),
    "min_p": _number(0, 1, "relative to the best token's probability"),
    "presence_penalty": _number(-2, 2, "taken from logits of tokens that the answer has"),
    "frequency_penalty": _number(-2, 2, "likewise, for each time"),
    "repeat_penalty": _number(0, 100, "divides logits of the last tokens, of the prompt too", above=True),
    "repeat_last": _count(-1, _MANY, "tokens back that repeat_penalty looks at"),
    "logit_bias": _maybe({"type": "object", "maxProperties": 1024, "propertyNames": {"pattern": "^[0-9]{1,10}$"},
                          "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100}},
                         "added to logits, by token id"),
    "speculate": _count(0, _MANY, "drafts checked in a pass; 0: none"),
    "stages": _maybe({"type": "array", "maxItems": 64, "items": _STAGE},
                     "strengths of steering; what is not named has that of the start"),
    **_IGNORED,
}

_PART: Schema = {"type": "object", "required": ["type", "text"],
                 "properties": {"type": {"enum": ["text"]}, "text": _TEXT}}
_CALL: Schema = {
    "type": "object", "required": ["function"],
    "properties": {"id": _TEXT, "type": {"enum": ["function"]}, "function": {
        "type": "object", "required": ["name", "arguments"], "properties": {"name": _TEXT, "arguments": _TEXT}}}}
_MESSAGE: Schema = {
    "type": "object", "required": ["role"],
    "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
        "content": {"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": _PART}]},
        "name": _maybe(_TEXT), "tool_calls": _maybe({"type": "array", "items": _CALL}), "tool_call_id": _maybe(_TEXT)}}
_TOOL: Schema = {
    "type": "object", "required": ["type", "function"],
    "properties": {"type": {"enum": ["function"]}, "function": {
        "type": "object", "required": ["name"],
        "properties": {"name": _TEXT, "description": _maybe(_TEXT), "parameters": _maybe({"type": "object"}),
                       "strict": _FLAG}}}}
_NAMED_TOOL: Schema = {
    "type": "object", "required": ["type", "function"],
    "properties": {"type": {"enum": ["function"]}, "function": {
        "type": "object", "required": ["name"], "properties": {"name": _TEXT}}}}
_FORMAT: Schema = {"anyOf": [
    {"type": "null"},
    {"type": "object", "required": ["type"], "properties": {"type": {"enum": ["text", "json_object"]}}},
    {"type": "object", "required": ["type", "json_schema"], "properties": {
        "type": {"enum": ["json_schema"]},
        "json_schema": {"type": "object", "required": ["schema"], "properties": {
            "name": _TEXT, "description": _maybe(_TEXT), "schema": {"type": "object"}, "strict": _FLAG}}}}]}

COMPLETION: Schema = {
    "type": "object", "required": ["prompt"], "additionalProperties": False,
    "properties": {
        "prompt": {"anyOf": [
            _TEXT, {"type": "array", "minItems": 1, "maxItems": LONGEST_PROMPTS, "items": _TEXT},
            {"type": "array", "minItems": 1, "items": _TOKEN},
            {"type": "array", "minItems": 1, "maxItems": LONGEST_PROMPTS,
             "items": {"type": "array", "minItems": 1, "items": _TOKEN}}],
            "description": "a text, texts, or token ids"},
        **_COMMON,
        "echo": _maybe({"type": "boolean"}, "the prompt before the answer, with logprobs of its tokens too"),
        "logprobs": _count(0, MOST_LOGPROBS, "of each token, with so many alternatives"),
        "best_of": _count(1, MOST_CHOICES, "as many as n"),
        "response_format": _FORMAT,
        "suffix": _maybe({"type": "string", "maxLength": 0}, "not served"),
    }}

CHAT: Schema = {
    "type": "object", "required": ["messages"], "additionalProperties": False,
    "properties": {
        "messages": {"type": "array", "minItems": 1, "maxItems": 4096, "items": _MESSAGE},
        **_COMMON,
        "max_completion_tokens": _count(0, _MANY, "the newer name of max_tokens"),
        "logprobs": _FLAG,
        "top_logprobs": _count(0, MOST_LOGPROBS),
        "tools": _maybe({"type": "array", "maxItems": 128, "items": _TOOL}),
        "tool_choice": {"anyOf": [{"type": "null"}, {"enum": ["none", "auto", "required"]}, _NAMED_TOOL]},
        "response_format": _FORMAT,
    }}
