"""Templates against the text they must make; refusals, damage, what ends a turn."""

import gc
import json

import pytest
from tokenizers import AddedToken, Tokenizer

from host.chat_template import LONGEST_TEMPLATE, ChatTemplate, load_chat_template
from host.text import Text
from models.errors import ModelError
from models.vocabulary import ChatFormat
from tests.host.templates import EXPECTED, MESSAGES, TEMPLATES
from tests.models.vocabulary.test_gguf import byte_level


def template(source, bos="<s>", eos="</s>"):
    return ChatTemplate(ChatFormat(source, bos, eos), "chat.json")


@pytest.mark.parametrize("kind", EXPECTED)
def test_messages_become_the_expected_text(kind):
    assert template(TEMPLATES[kind]).render(MESSAGES) == EXPECTED[kind]


def test_without_an_answer_to_come():
    whole = template(TEMPLATES["Llama 3"]).render(MESSAGES[:3], answer_next=False)
    assert whole.endswith("Hi!<|eot_id|>") and EXPECTED["Llama 3"].startswith(whole)


def test_mistral_refuses_a_system_message():
    mistral = template(TEMPLATES["Mistral"])
    assert mistral.render(MESSAGES[1:]) == "<s>[INST]  Hello \"you\"  [/INST]Hi!</s>[INST] More? [/INST]"
    with pytest.raises(ModelError, match="^chat.json: the chat template refuses these messages: Only user and "
                                         "assistant roles are supported!$"):
        mistral.render(MESSAGES)


def test_roles_that_do_not_alternate_are_refused():
    with pytest.raises(ModelError, match="roles must alternate"):
        template(TEMPLATES["Llama 2"]).render([MESSAGES[1], MESSAGES[1]])


@pytest.mark.parametrize("source, text", [
    ("{{ {'b': '<é>', 'a': [1]} | tojson }}", '{"b": "<é>", "a": [1]}'),
    ("{{ [1] | tojson(indent=1) }}", "[\n 1\n]"),
    ("{% for i in [1, 2, 3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "1"),
    ("{% generation %}{{ messages[0].content }}{% endgeneration %}!", "Be brief.!"),
    ("{{ strftime_now('%Y') | length }}", "4"),
    ("{% if tools is none %}none{% endif %}{{ missing }}", "none"),
    ("{%- set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "4"),
    ("<{{ bos_token }}{{ eos_token }}>", "<<s></s>>"),
], ids=["tojson", "tojson indented", "break", "generation", "time", "no tools", "namespace", "tokens"])
def test_what_templates_rely_on(source, text):
    assert template(source).render(MESSAGES) == text


@pytest.mark.parametrize("source, message", [
    ("{{ 1 / 0 }}", "division by zero"), ("{{ nothing.at.all }}", "'nothing' is undefined"),
    ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
    ("{{ messages.append(1) }}", "access to attribute 'append' of 'list' object is unsafe"),
    ("{{ raise_exception('two\nlines') }}", "two lines"),
])
def test_a_template_that_fails_is_one_line(source, message):
    with pytest.raises(ModelError) as error:
        template(source).render(MESSAGES)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_template_that_is_none_is_one_line():
    with pytest.raises(ModelError, match="^chat.json: template line 2: .*endfor"):
        template("{% for m in messages %}\n{% endif %}")


@pytest.mark.parametrize("source, message", [
    ("{% continue %}", "template: 'continue' not properly in loop"),
    ("{{ cycler(a=1, b=2, a=3) }}", "template: keyword argument repeated: a"),
    ("{{ " + "[" * 2000 + "]" * 2000 + " }}", "template: nested too deeply, or too large"),
    ("{% if a %}" * 1500 + "{% endif %}" * 1500, "template: nested too deeply, or too large"),
    ("{{ " + "not " * 50_000 + "a }}", "template: nested too deeply, or too large"),
    ("{% for a in b %}" * 25 + "{% endfor %}" * 25, "template: too many statically nested blocks"),
    ("{{ 1" + "0" * 6000 + " }}", "template: Exceeds the limit"),
    ("{{ (7 ** (10 ** 9)) is even }}", "the chat template takes more than 2 seconds"),  # computed when compiled
    ("x" * (LONGEST_TEMPLATE + 1), "template: expected at most 1,048,576 characters, found 1,048,577"),
], ids=["continue", "argument twice", "brackets", "ifs", "nots", "loops", "number", "constant", "long"])
def test_a_template_that_does_not_compile_is_one_line(source, message):
    with pytest.raises(ModelError) as error:
        template(source)
    assert str(error.value).startswith(f"chat.json: {message}") and "\n" not in str(error.value)


@pytest.mark.parametrize("source, message", [
    ("{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}", "takes more than 2 seconds"),
    ("{% set ns = namespace(x=[bos_token]) %}{% for i in range(50) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
     "{{ ns.x == ns.x|list and ns.x|string|length }}", "takes more than 2 seconds"),
    ("{{ (bos_token * 2 * 10**9)|length }}", "takes more than 512 MiB of memory"),
    ("{{ bos_token|center(2 * 10**9) }}", "takes more than 512 MiB of memory"),
    ("{{ '%1000000000s' % bos_token }}", "takes more than 512 MiB of memory"),
    ("{% set ns = namespace(x=bos_token) %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
     "takes more than 512 MiB of memory"),
    ("{% for i in range(90000) %}{{ bos_token * 40 }}{% endfor %}", "makes more than 8,388,608 characters"),
], ids=["loops", "sharing", "product", "filter", "format", "doubling", "output"])
def test_a_template_beyond_the_limits_is_one_line(source, message):
    endless = template(source)
    with pytest.raises(ModelError, match=f"^chat.json: the chat template {message}$"):
        endless.render(MESSAGES)


def test_a_template_ends_in_all_its_calls():
    recursive = template("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}")
    with pytest.raises(ModelError, match="^chat.json: the chat template refuses these messages: maximum recursion"):
        recursive.render(MESSAGES)


def test_a_template_beyond_the_limits_is_refused_when_a_chat_begins(text):
    """Other messages would not mend it, so it does not count as one that refuses these."""
    with pytest.raises(ModelError, match="the chat template takes more than 512 MiB of memory"):
        template("{{ bos_token * 10**9 }}").end_ids(text)


def test_a_long_conversation_is_rendered():
    messages = MESSAGES[:1] + [{"role": role, "content": "Ünï😀 " * 20_000} for role in ("user", "assistant")] * 20
    whole = template(TEMPLATES["ChatML"]).render(messages)
    assert len(whole) > 4_000_000 and whole.count("<|im_start|>user") == 20


def test_half_a_surrogate_pair_stays_itself():
    assert template("{{ messages[0].content }}").render([{"role": "user", "content": "a\udcff"}]) == "a\udcff"


def test_messages_stay_as_they_are():
    messages = [dict(message) for message in MESSAGES]
    template(TEMPLATES["Llama 2"]).render(messages)
    assert messages == MESSAGES


NAMES = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    tokenizer: Tokenizer = byte_level()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in NAMES])
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    return Text(folder)


@pytest.mark.parametrize("kind, ends", [("ChatML", ["</s>", "<|im_end|>"]), ("Llama 2", ["</s>"]),
                                        ("Llama 3", ["</s>", "<|eot_id|>"]), ("2B-4T", ["</s>", "<|eot_id|>"]),
                                        ("Mistral", ["</s>"])])
def test_what_ends_a_turn(text, kind, ends):
    assert template(TEMPLATES[kind]).end_ids(text) == {text.encode(name, special=True)[0] for name in ends}


def test_a_template_without_an_end(text):
    assert template("{{ messages[-1].content }} and more", eos="").end_ids(text) == set()
    assert template("{{ raise_exception('never') }}", eos="no token").end_ids(text) == set()


@pytest.fixture
def uncollected():
    """No garbage is collected meanwhile: others' finalizers would run in the depth of a recursion."""
    gc.disable()
    yield
    gc.enable()


def test_chat_json_of_a_folder(tmp_path, uncollected):
    assert load_chat_template(tmp_path) is None
    (tmp_path / "chat.json").write_text(json.dumps(ChatFormat("{{ bos_token }}", "<s>", "").to_json()))
    assert load_chat_template(tmp_path).render(MESSAGES) == "<s>"
    for content, message in (("{", "cannot be read as JSON"), ("{}", "expected an object with the strings template"),
                             ('{"template": "{{", "bos_token": "", "eos_token": ""}', "template line 1"),
                             ('{"a":' * 50_000, "cannot be read as JSON: nested too deeply"),
                             ('{"template": ' + "9" * 5000 + "}", "cannot be read as JSON: Exceeds the limit"),
                             ('{"template": [], "bos_token": "", "eos_token": ""}', "expected an object with")):
        (tmp_path / "chat.json").write_text(content)
        with pytest.raises(ModelError, match=f"chat.json: {message}"):
            load_chat_template(tmp_path)
