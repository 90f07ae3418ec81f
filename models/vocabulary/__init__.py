"""Tokenizers and chat templates found in the wild, brought to `tokenizer.json` and `chat.json`."""

from models.vocabulary.folder import read_folder
from models.vocabulary.gguf import read_gguf
from models.vocabulary.parts import ChatFormat, TextParts

__all__ = ["ChatFormat", "TextParts", "read_folder", "read_gguf"]
