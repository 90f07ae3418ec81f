"""Conversations with the shipped model and with random ones, and settings of theirs."""

import numpy as np
import pytest

from host.conversation import Conversation
from host.devices.emulator import EmulatorDevice
from host.pipeline.artefact import save_artefact
from host.pipeline.loading import load_stages
from host.pipeline.placement import host_steps, place
from host.runtime import Session
from host.sampler import Sampler
from host.stage_options import Chosen
from host.terminal.settings import Settings
from models.checkpoint import load_model
from models.machine.build import CPU
from models.model_hash import model_hash
from tests.host.test_conversation import models  # noqa: F401  a fixture


@pytest.fixture
def conversation(models):  # noqa: F811
    return Conversation(Session(load_model(models["ChatML"]), EmulatorDevice(CPU, threads=1)))


@pytest.fixture
def settings(conversation):
    return Settings(conversation, Sampler(0.7, seed=3), Chosen([], place([], conversation.session.model)), None, [], 9)


@pytest.fixture
def staged(conversation, tmp_path):
    """Settings of a conversation with two stages, `one` at strength 2 and `two`, whose effects are opposite."""
    model = conversation.session.model
    vectors = np.random.default_rng(0).standard_normal((model.config.layers, model.config.hidden_size))
    for name, sign in (("one", 1), ("two", -1)):
        save_artefact(tmp_path / f"{name}.safetensors", "steering", "difference-of-means", ["residual"],
                      {"vectors": sign * vectors}, model=model_hash(model), fit={})
    stages = load_stages(model, [f"{tmp_path}/one.safetensors:2", f"{tmp_path}/two.safetensors"])
    placement = place([stage for _, stage in stages], model)
    session = Session(model, EmulatorDevice(CPU, threads=1), taps=placement.taps,
                      host_steps=host_steps(placement, model))
    return Settings(Conversation(session), Sampler(), Chosen(stages, placement), None, [], 9)
