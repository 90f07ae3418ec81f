"""What a server serves: a model on a device, its text, stages and limits."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from host.board.energy import EnergyMeter
from host.chat_template import ChatTemplate
from host.engine.engine import Engine
from host.runtime import Session
from host.server.adjustable import Adjustable
from host.server.grammar_mask import Grammars
from host.server.token_text import TokenText
from host.server.worker import Worker
from host.text import Text

__all__ = ["Limits", "Served"]


@dataclass(frozen=True)
class Limits:
    """tokens: new ones of a request at most, None for what the context has room for. drafts: of a pass, 0 for none,
    where a request does not say. room: requests that run or wait."""

    tokens: int | None = None
    drafts: int = 0
    room: int = 72


@dataclass
class Served:
    """One model behind one worker. ends: ids that end an answer in a chat; plain completions end at the model's own."""

    name: str
    engine: Engine
    text: Text
    template: ChatTemplate | None
    stages: Adjustable
    limits: Limits
    worker: Worker
    ends: frozenset[int] = frozenset()
    acting: Sequence[Mapping[str, Any]] = ()
    """Stages that act on everybody, as `Chosen.report` has them."""
    device: str = "emulator"
    sampling: Mapping[str, float] = field(default_factory=dict)
    """The model's own defaults, by the sampler's names."""
    meter: EnergyMeter = field(default_factory=lambda: EnergyMeter(None))
    created: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self.token_text = TokenText(self.text)
        self.grammars = Grammars(self.text, self.session.model.config.vocab_size, self.ends)

    @property
    def session(self) -> Session:
        """The engine's; for what does not change."""
        return self.engine.session
