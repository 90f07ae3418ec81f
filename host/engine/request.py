"""What is asked of the engine: a prompt, how the next tokens are chosen, and where it ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import InitVar, dataclass

import numpy as np

from host.pipeline.stage import Stage
from host.runtime import Session, Top
from host.speculation import PromptLookup
from host.stop_strings import StopStrings
from models.errors import OptionError

__all__ = ["Request", "check_room"]


@dataclass
class Request:
    """`ids` continued by what `sampler` chooses. A sampler and drafts belong to one request: both remember.

    sampler: called with the best next tokens and the ids so far, prompt included. limit: new ids at most; None: as far
    as the context goes. ends: ids that end it and are no part of it; None: the model's. stops: strings that end it,
    nothing of them shown, or names of special tokens. drafts: the same ids in fewer passes. stages: what acts on its
    rows alone, on the CPU, behind the stages of the session; passes stop for them as long as it runs. magic: the id of
    a control token that goes before `ids`, and is the first of them from then on.

    logprobs: with each new id its log-probability and those of so many best ones. prompt_logprobs: also of the ids of
    the prompt, but the first; it then runs as a whole, whatever a cache holds. edit: called with all logits of the next
    token, int64 [vocab], and the ids so far; what it returns is chosen from. For these, passes return all logits.
    """

    ids: Sequence[int]
    sampler: Callable[[Top, Sequence[int]], int]
    limit: int | None = None
    ends: Collection[int] | None = None
    stops: Sequence[str] = ()
    drafts: PromptLookup | None = None
    stages: Sequence[Stage] = ()
    magic: InitVar[int | None] = None
    logprobs: int | None = None
    prompt_logprobs: bool = False
    edit: Callable[[np.ndarray, Sequence[int]], np.ndarray] | None = None

    def __post_init__(self, magic: int | None) -> None:
        if magic is not None:
            self.ids = [magic, *self.ids]

    @property
    def whole(self) -> bool:
        """Whether it needs all logits of its next tokens."""
        return self.logprobs is not None or self.edit is not None

    def check(self, session: Session) -> None:
        """`OptionError` where a session could not run it: in a shared pass, others would go down with it."""
        if not len(self.ids):
            raise OptionError("the prompt is empty: there is no token to start from")
        session.checked(self.ids)
        if len(self.ids) > session.context:
            raise OptionError(f"a prompt of {len(self.ids)} tokens exceeds the context of {session.context}")
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"new tokens must be at least 1, got {self.limit}")
        if self.drafts and self.drafts.drafts >= session.rows:
            raise OptionError(f"{self.drafts.drafts} drafts take {self.drafts.drafts + 1} rows of a pass, but build "
                              f"{session.device.build.name} has {session.rows}")
        if (self.whole or self.prompt_logprobs) and session.program.head != "exact":
            raise OptionError(f"log-probabilities and changed logits need --head exact, but it is "
                              f"{session.program.head}")
        StopStrings(self.stops)


def check_room(prompt: int, count: int, context: int, name: str = "a prompt") -> None:
    """`OptionError` unless `count` new tokens behind `prompt` tokens fit: for those who take no fewer."""
    if count < 1:
        raise OptionError(f"new tokens must be at least 1, got {count}")
    if prompt + count - 1 > context:
        raise OptionError(f"{name} of {prompt} tokens and {count} new ones exceed the context of {context}")
