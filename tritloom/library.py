"""Models from Python, text in and text out: `import tritloom`, then `load`, `generate`, `stream`, `chat`.

    model = tritloom.load()                                # the shipped one; or a folder, a GGUF file, hf:ORG/NAME
    print(model.generate("It was a truth", max_new_tokens=40))
    for piece in model.stream("The whole"): print(piece, end="", flush=True)
    chat = model.chat()
    print(chat("In the beginning"))

Errors are `tritloom.TritloomError`s (`models.errors`), whose text is one line.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence

from host.command_line import add_model_options, open_model, start_session
from host.control_tokens import control_token
from host.conversation import Answer, Conversation
from host.engine.engine import Engine
from host.engine.request import Request
from host.runtime import Session
from host.stage_options import chosen_stages
from host.text import Text
from models.checkpoint import load_generation
from models.errors import OptionError, TritloomError
from tritloom.generation_options import GenerationOptions

__all__ = ["Chat", "LanguageModel", "TritloomError", "chat", "generate", "load", "stream"]


def load(model: str | os.PathLike[str] = "demo", *, device: str = "emulator", board: str | None = None,
         context: int | None = None, threads: int | None = None, kernels: str = "auto", dense: bool = False,
         stages: Sequence[str] = (), place: str = "auto", methods: str | None = None, **generation: object
         ) -> LanguageModel:
    """A model by any name that `--model` takes, on a device; options as of `tritloom generate --help`.

    A checkpoint of another format is converted, once. stages: ARTEFACT[:STRENGTH] each. Other names are defaults of
    generation (`GenerationOptions`), before which go the model's own.
    """
    parser = argparse.ArgumentParser()
    add_model_options(parser)  # what is not given here has the commands' defaults
    options = parser.parse_args([])
    vars(options).update(model=os.fspath(model), device=device, board=board, context=context, threads=threads,
                         kernels=kernels, dense=dense, stage=list(stages), place=place, methods=methods)
    GenerationOptions().changed(generation)  # refuses at once
    return LanguageModel(options, generation)


class LanguageModel:
    """A loaded model. `load` makes it; several may be there at once, on one device each. `defaults`: of generation."""

    def __init__(self, options: argparse.Namespace, generation: Mapping[str, object]):
        self._options = options
        self._model = open_model(options)
        self.defaults = GenerationOptions(**load_generation(self._model.folder)).changed(generation)
        self._chosen = chosen_stages(options, self._model)
        self._session = self._new_session()
        self._text = Text(self._model.folder)
        self._engine = Engine(self._session, self._text)

    @property
    def name(self) -> str:
        """The model's own."""
        return self._model.config.name

    @property
    def context(self) -> int:
        """Tokens that prompt and answer may take together."""
        return self._session.context

    def generate(self, prompt: str, **options: object) -> str:
        """What follows a prompt."""
        return "".join(self.stream(prompt, **options))

    def stream(self, prompt: str, **options: object) -> Iterator[str]:
        """The same piece by piece, as it comes; closing the iterator ends it. What cannot run is refused at once."""
        chosen = self.defaults.changed(options)
        request = Request(self._text.prompt(prompt), chosen.sampler(), chosen.n, stops=chosen.stops(),
                          drafts=chosen.drafts(), magic=control_token(self._model.folder, chosen.magic))
        request.check(self._session)

        def pieces() -> Iterator[str]:
            reply = self._engine.add(request)
            try:
                for _ in self._engine.run(reply):
                    if piece := reply.take_text():
                        yield piece
            finally:
                self._engine.cancel(reply)

        return pieces()

    def chat(self, system: str | None = None, magic: str | None = None) -> Chat:
        """A conversation, with a cache of its own."""
        token = control_token(self._model.folder, magic)
        return Chat(self, Conversation(self._new_session(), system, token))

    def _new_session(self) -> Session:
        return start_session(self._options, self._model, self._chosen, progress=True)

    def close(self) -> None:
        """Give the device back."""
        self._session.device.close()

    def __enter__(self) -> LanguageModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        config = self._model.config
        return (f"<{config.name}: {config.layers} layers of {config.hidden_size} channels, {config.vocab_size} words, "
                f"context {self.context}, on {self._options.device}>")


class Chat:
    """Turns with a model; `LanguageModel.chat` begins one. A model without a chat template continues plain text."""

    def __init__(self, model: LanguageModel, conversation: Conversation):
        self._model, self._conversation = model, conversation

    @property
    def messages(self) -> list[dict[str, str]]:
        """role and content of each so far; a copy."""
        return [dict(message) for message in self._conversation.messages]

    def __call__(self, text: str, **options: object) -> str:
        """The answer to a message. Options as of `LanguageModel.generate`, but for drafts and control tokens."""
        return "".join(self.stream(text, **options))

    def stream(self, text: str, **options: object) -> Iterator[str]:
        """The same piece by piece; closing the iterator ends the answer, and what was said stays."""
        chosen, defaults = self._model.defaults.changed(options), self._model.defaults
        if (chosen.speculate, chosen.magic) != (defaults.speculate, defaults.magic):
            raise OptionError("an answer takes no drafts, and its control token is the chat's: chat(magic=NAME)")
        return self._conversation.ask(text, chosen.sampler(), Answer(), count=chosen.n, stops=chosen.stops())

    def undo(self) -> str | None:
        """Take back the last message and its answer; returns the message, None where there was none."""
        return self._conversation.undo()

    def reset(self) -> None:
        """Forget all turns, not the system message."""
        self._conversation.reset()

    def __repr__(self) -> str:
        return f"<chat with {self._model.name}, {len(self._conversation.messages)} messages>"


def generate(model: LanguageModel | str | os.PathLike[str], prompt: str, **options: object) -> str:
    """What follows a prompt, by a model or, loaded for this call, by what `load` takes."""
    return _opened(model).generate(prompt, **options)


def stream(model: LanguageModel | str | os.PathLike[str], prompt: str, **options: object) -> Iterator[str]:
    """The same piece by piece."""
    return _opened(model).stream(prompt, **options)


def chat(model: LanguageModel | str | os.PathLike[str] = "chat", system: str | None = None) -> Chat:
    """A conversation with a model."""
    return _opened(model).chat(system)


def _opened(model: LanguageModel | str | os.PathLike[str]) -> LanguageModel:
    return model if isinstance(model, LanguageModel) else load(model)
