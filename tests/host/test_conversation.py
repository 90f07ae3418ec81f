"""A chat over a random model: what is run, what stays in the cache, what is dropped. Cached equals run anew."""

import dataclasses
import signal

import numpy as np
import pytest
from tokenizers import AddedToken

from host.conversation import Answer, Conversation
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from host.sampler import Sampler
from models.checkpoint import load_model, save_model
from models.errors import ModelError, OptionError
from models.machine.build import CPU
from models.synth import synthetic_model
from models.vocabulary import ChatFormat, TextParts
from tests.families import FAMILIES
from tests.host.templates import TEMPLATES
from tests.models.vocabulary.test_gguf import byte_level

NAMES = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot_id|>"]
BASE = 500  # ids before the names


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with a random model for each kind of template, and one without."""
    tokenizer = byte_level()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in NAMES])
    config = dataclasses.replace(FAMILIES["silu full heads"], vocab_size=520, context=256, bos_id=BASE,
                                 eos_ids=(BASE + 1,))
    model, folders = synthetic_model(config), {}
    for kind in (None, *TEMPLATES):
        chat = ChatFormat(TEMPLATES[kind], "<s>", "</s>") if kind else None
        folders[kind] = tmp_path_factory.mktemp("chat") / "model"
        save_model(model, folders[kind], text=TextParts(tokenizer.to_str(), chat))
    return folders


def session_of(folder):
    return Session(load_model(folder), EmulatorDevice(CPU, threads=1))


class Recorder:
    """A sampler that keeps what it was given, takes one good token after the other and never ends a turn."""

    def __init__(self, *ends):
        self.tops, self.histories, self.ends = [], [], ends

    def __call__(self, top, history):
        self.tops.append(top)
        self.histories.append(list(history))
        return [int(token) for token in top.ids if token not in self.ends][len(self.tops) % 50]


def ask(conversation, question, count=8, sampler=None, **options):
    answer = Answer()
    sampler = sampler or Recorder(*conversation.ends)
    pieces = list(conversation.ask(question, sampler, answer, count=count, **options))
    assert "".join(pieces) == answer.text
    return answer, sampler


def assert_cached_as_anew(conversation, ids):
    """The session's cache is that of a new session that ran `ids`, and so are the logits that follow."""
    fresh = session_of(conversation.session.model.folder)
    fresh.feed(ids)
    assert conversation.session.position == len(ids)
    for layer in range(fresh.model.config.layers):
        old, new = conversation.session.cache(layer), fresh.cache(layer)
        assert all((old[name] == new[name]).all() for name in new)
    assert (conversation.session.score([7]) == fresh.score([7])).all()
    conversation.session.position -= 1


def test_the_prompt_is_what_the_template_says(models):
    conversation = Conversation(session_of(models["ChatML"]), "Be brief.")
    answer, sampler = ask(conversation, "Hello")
    expected = ("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n")
    ids = conversation.text.encode(expected, special=True)
    assert sampler.histories[0] == ids and answer.prompt_tokens == len(ids) and ids.count(BASE + 2) == 3
    assert sampler.histories[-1] == ids + answer.ids[:-1] and len(answer.ids) == 8
    assert [message["role"] for message in conversation.messages] == ["system", "user", "assistant"]


@pytest.mark.parametrize("kind", ["Llama 2", "Mistral", "2B-4T"])
def test_the_start_token_comes_once(models, kind):
    conversation = Conversation(session_of(models[kind]))
    _, sampler = ask(conversation, "Hello")
    assert sampler.histories[0].count(BASE) == 1 and sampler.histories[0][0] == BASE


def test_no_start_token_where_the_template_has_none(models):
    assert BASE not in ask(Conversation(session_of(models["ChatML"])), "Hello")[1].histories[0]


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_cached_turn_equals_one_run_anew(models, kind):
    conversation = Conversation(session_of(models[kind]))
    first, _ = ask(conversation, "well well")
    second, sampler = ask(conversation, "and you?")
    assert first.cached == 0 and first.prompt_tokens <= second.cached + 1 < second.prompt_tokens
    fresh = session_of(models[kind])
    top = fresh.prefill(sampler.histories[0])
    assert np.array_equal(top.logits, sampler.tops[0].logits) and np.array_equal(top.ids, sampler.tops[0].ids)
    assert_cached_as_anew(conversation, [*sampler.histories[0], *second.ids[:-1]])


def test_only_what_is_new_is_run(models):
    conversation = Conversation(session_of(models["ChatML"]))
    ask(conversation, "well well")
    ran = []
    answer, _ = ask(conversation, "and you?", on_tokens=ran.append)
    assert sum(ran) == answer.prompt_tokens - answer.cached and answer.cached > 10


def test_the_same_prompt_again_runs_its_last_token_only(models):
    conversation = Conversation(session_of(models["ChatML"]))
    first, _ = ask(conversation, "well well")
    assert conversation.undo() == "well well" and conversation.messages == []
    again, _ = ask(conversation, "well well")
    assert again.cached == first.prompt_tokens - 1 and again.ids == first.ids


def test_a_changed_start_runs_all(models):
    conversation = Conversation(session_of(models["Llama 3"]))
    ask(conversation, "well well")
    conversation.set_system("Be long.")
    answer, sampler = ask(conversation, "and you?")
    assert answer.cached < 20 and conversation.messages[0] == {"role": "system", "content": "Be long."}
    assert_cached_as_anew(conversation, [*sampler.histories[0], *answer.ids[:-1]])


@pytest.mark.parametrize("said", [1, 3])
def test_an_interrupted_answer_stays_as_far_as_it_came(models, said):
    conversation = Conversation(session_of(models["ChatML"]))
    answer, sampler = Answer(), Recorder(*conversation.ends)
    pieces = conversation.ask("well", sampler, answer, count=20)
    for _ in range(said):
        next(pieces)
    pieces.close()
    assert len(answer.ids) == said
    assert [m["role"] for m in conversation.messages] == ["user", "assistant"]
    assert conversation.messages[1]["content"] == answer.text.strip()
    second, sampler = ask(conversation, "and you?")
    assert second.cached >= answer.prompt_tokens - 1
    assert_cached_as_anew(conversation, [*sampler.histories[0], *second.ids[:-1]])


def test_interrupted_while_the_prompt_runs(models):
    session = session_of(models["ChatML"])
    session.rows = 8
    conversation = Conversation(session)

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(conversation.ask("well " * 20, Recorder(), Answer(), on_tokens=stop))
    assert conversation.messages == [] and session.position == 8
    answer, sampler = ask(conversation, "well " * 20)
    assert answer.cached == 8
    assert_cached_as_anew(conversation, [*sampler.histories[0], *answer.ids[:-1]])


def test_turns_end_where_the_template_ends_them(models):
    conversation = Conversation(session_of(models["ChatML"]))
    assert conversation.ends == {BASE + 1, BASE + 3}
    answer, _ = ask(conversation, "well", sampler=lambda top, history: BASE + 3)
    assert answer.ids == [] and answer.text == "" and not answer.full
    assert conversation.messages == []  # nothing was said


def test_stop_strings(models):
    conversation = Conversation(session_of(models["ChatML"]))
    ids = conversation.text.encode("one two three")
    left = iter(ids)
    answer, _ = ask(conversation, "count", count=len(ids), stops=["wo t"], sampler=lambda top, history: next(left))
    assert answer.text == "one t" and conversation.messages[-1]["content"] == "one t"


def test_stops_that_name_special_tokens(models):
    conversation = Conversation(session_of(models["ChatML"]))
    ids = conversation.text.encode("one two<|eot_id|> three", special=True)
    assert BASE + 4 in ids
    left = iter(ids)
    answer, _ = ask(conversation, "count", count=len(ids), stops=["<|eot_id|>"], sampler=lambda *_: next(left))
    assert answer.text == "one two" and answer.ids == ids[:ids.index(BASE + 4)]
    with pytest.raises(OptionError, match="the special token <|eot_id|> in it is no part of the text"):
        next(conversation.ask("count", lambda *_: 7, Answer(), stops=["two<|eot_id|>"]))
    answer, _ = ask(conversation, "count", count=3, stops=["<|eot"], sampler=Recorder(*conversation.ends))
    assert len(answer.ids) == 3


def test_a_full_context_drops_the_oldest_turns_but_not_the_system_message(models):
    conversation = Conversation(session_of(models["ChatML"]), "Be brief.")
    dropped = []
    for turn in range(12):
        answer, sampler = ask(conversation, f"question {turn} " + "well " * 15, count=30)
        dropped.append(answer.dropped)
        assert len(sampler.histories[0]) + 30 <= conversation.session.context
        assert conversation.messages[0] == {"role": "system", "content": "Be brief."}
        assert conversation.messages[-2]["content"].startswith(f"question {turn} ")
        assert_cached_as_anew(conversation, [*sampler.histories[0], *answer.ids[:-1]])
    assert dropped[0] == 0 and sum(dropped) > 3 and 0 in dropped[dropped.index(max(dropped)) + 1:]
    roles = [message["role"] for message in conversation.messages[1:]]
    assert roles == ["user", "assistant"] * (len(roles) // 2)


def test_an_answer_ends_where_the_context_does(models):
    conversation = Conversation(session_of(models["ChatML"]))
    answer, _ = ask(conversation, "well", count=None)
    assert answer.full and answer.prompt_tokens + len(answer.ids) == conversation.session.context + 1
    answer, _ = ask(conversation, "and you?")
    assert answer.dropped == 1 and not answer.full


def test_a_question_that_cannot_fit_is_refused_and_forgotten(models):
    conversation = Conversation(session_of(models["ChatML"]))
    ask(conversation, "well")
    with pytest.raises(OptionError, match="the message is too long: .* in a context of 256"):
        ask(conversation, "well " * 300)
    assert all("well well" not in message["content"] for message in conversation.messages)
    ask(conversation, "and you?")


def test_a_system_message_that_the_model_does_not_take(models):
    with pytest.raises(ModelError, match="Only user and assistant roles are supported"):
        Conversation(session_of(models["Mistral"]), "Be brief.")
    conversation = Conversation(session_of(models["Mistral"]))
    with pytest.raises(ModelError, match="Only user and assistant"):
        conversation.set_system("Be brief.")
    assert conversation.system is None
    with pytest.raises(ModelError, match="has no chat template: there are no system messages"):
        Conversation(session_of(models[None]), "Be brief.")


def test_without_a_template_the_text_goes_on(models):
    conversation = Conversation(session_of(models[None]))
    first, sampler = ask(conversation, "It was", count=5)
    assert sampler.histories[0] == [BASE, *conversation.text.encode("It was")]
    second, sampler = ask(conversation, "", count=5)
    text = "It was" + first.text
    assert sampler.histories[0] == [BASE, *conversation.text.encode(text)] and second.cached > 2
    _, sampler = ask(conversation, "And", count=5)
    assert sampler.histories[0] == [BASE, *conversation.text.encode(text + second.text + "\nAnd")]
    assert conversation.undo() == "And" and conversation.undo() == ""
    conversation.reset()
    with pytest.raises(OptionError, match="the text is empty"):
        ask(conversation, "")


def test_the_penalty_sees_cached_turns(models):
    conversation = Conversation(session_of(models["ChatML"]))
    first, _ = ask(conversation, "well")
    _, sampler = ask(conversation, "and you?")
    assert set(conversation.text.encode("well", special=True)) <= set(sampler.histories[0])
    answer, _ = ask(conversation, "once more", sampler=Sampler(0.0, repeat_penalty=1e6, repeat_last=-1))
    assert len(set(answer.ids)) == len(answer.ids)


@pytest.fixture
def python_interrupts():
    """Python's own handler of Ctrl-C, also in a job that a shell started in the background, where SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_only_asks(models, python_interrupts):
    from host.terminal.talk import _interrupts

    with _interrupts() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_talk_goes_on_elsewhere(models):
    first = Conversation(session_of(models["ChatML"]), "Be brief.")
    ask(first, "Hello")
    second = Conversation(session_of(models["ChatML"]), "Be long.")
    ask(second, "Something else")
    second.resume(first.messages)
    assert second.messages == first.messages and second.messages is not first.messages
    assert second.system == "Be brief." and second.size() == first.size()
    (one, _), (other, _) = ask(first, "And you?"), ask(second, "And you?")
    assert one.ids == other.ids and one.prompt_tokens == other.prompt_tokens
    second.resume([])
    assert second.messages == [] and second.system is None and second.size() == 0


def test_a_talk_that_the_model_does_not_take_changes_nothing(models):
    talk = [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    for kind in ("Mistral", None):
        conversation = Conversation(session_of(models[kind]))
        conversation.resume(talk[1:])
        with pytest.raises(ModelError, match="system|user and assistant"):
            conversation.resume(talk)
        assert conversation.messages == talk[1:]


def test_the_size_is_what_a_next_prompt_finds(models):
    for kind in ("ChatML", None):
        conversation = Conversation(session_of(models[kind]))
        assert conversation.size() == 0
        answer, _ = ask(conversation, "Hello")
        size = conversation.size()
        again, _ = ask(conversation, "x")
        assert answer.prompt_tokens < size <= again.prompt_tokens and answer.finish == "limit"
    conversation = Conversation(session_of(models["ChatML"]), "Be brief.")
    assert conversation.size() == len(conversation.text.prompt("Be brief."))
