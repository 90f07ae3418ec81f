"""Whole prompts and whole chats of Hugging Face folders, against transformers' own tokenizers.

Each folder says one thing in one place; a prompt is a text with names of special tokens inside, a chat has three turns.
"""

import json
import os
from pathlib import Path

import pytest
from tokenizers import AddedToken, processors

from host.chat_template import ChatTemplate
from host.text import Text
from models.checkpoint import load_around, save_model
from models.config import ModelConfig
from models.errors import ModelError
from models.synth import synthetic_model
from models.vocabulary import read_folder
from tests.host.templates import TEMPLATES
from tests.models.vocabulary.samples import CORPUS, SAMPLES
from tests.models.vocabulary.test_gguf import byte_level
from tests.models.vocabulary.test_sentencepiece import BYTES, train

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
transformers = pytest.importorskip("transformers", reason="pip install transformers")

START, END, TURN, TOOL = "<|begin|>", "<|end|>", "<|im_start|>", "<tool>"  # the first two are in the vocabulary
SIZE = 500  # ids of the vocabulary that every folder here starts from
MODEL = ModelConfig(name="tiny", vocab_size=640, hidden_size=16, ffn_size=16, layers=1, heads=1, kv_heads=1,
                    head_dim=16, activation="silu", sub_norms=False, tied_head=True, rope_theta=1e4, rms_eps=1e-5,
                    context=512, bos_id=0)
TEXTS = [*SAMPLES[:40], CORPUS[0], f"{TURN}user\nHi{END}", f"a {START} b{TOOL} c {TURN}", f"x{TOOL}\n {END}{END}",
         "<s>[INST] Hi [/INST]</s> and", " two  spaces"]


def token(content: str, **flags) -> dict:
    names = ("lstrip", "rstrip", "normalized", "single_word")
    return {"content": content, "special": True} | dict.fromkeys(names, False) | flags


def with_start(*names: str) -> str:
    """The vocabulary with a post-processor that puts these tokens first."""
    tokenizer = byte_level()
    ids = [(name, tokenizer.token_to_id(name)) for name in names]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[*names, "$A"], pair=[*names, "$A", "$B"], special_tokens=ids)
    return tokenizer.to_str()


def limited() -> str:
    tokenizer = byte_level()
    tokenizer.enable_truncation(max_length=8)
    tokenizer.enable_padding(length=16, pad_id=2)
    return tokenizer.to_str()


def with_own(*added: AddedToken) -> str:
    tokenizer = byte_level()
    tokenizer.add_tokens(list(added))
    return tokenizer.to_str()


PLAIN = {"bos_token": START, "eos_token": END}
DECODER = {"added_tokens_decoder": {"500": token(TURN), "501": token(TOOL, special=False, rstrip=True)}}
FOLDERS = {
    "nothing beside it": {},
    "a start in the post-processor": {"tokenizer.json": with_start(START)},
    "two starts": {"tokenizer.json": with_start(START, END)},
    "a start asked for in vain": {"tokenizer_config.json": PLAIN | {"add_bos_token": True}},
    "a start refused in vain": {"tokenizer.json": with_start(START),
                                "tokenizer_config.json": PLAIN | {"add_bos_token": False}},
    "truncation and padding": {"tokenizer.json": limited()},
    "added_tokens_decoder": {"tokenizer_config.json": PLAIN | DECODER},
    "added_tokens.json": {"tokenizer_config.json": PLAIN, "added_tokens.json": {TOOL: 501, TURN: 500}},
    "added_tokens.json, a special one": {"tokenizer_config.json": PLAIN | {"additional_special_tokens": [TURN]},
                                         "added_tokens.json": {TOOL: 501, TURN: 500}},
    "special_tokens_map.json": {"tokenizer_config.json": {}, "special_tokens_map.json": {
        "bos_token": token(TURN, rstrip=True), "eos_token": END, "pad_token": TOOL}},
    "roles without ids": {"tokenizer_config.json": PLAIN | {"pad_token": TURN, "unk_token": TOOL}},
    "a role of the model's own": {"tokenizer_config.json": PLAIN | {"image_token": TOOL}},
    "extra special tokens": {"tokenizer_config.json": PLAIN | {"extra_special_tokens": [TOOL, TURN]}},
    "other flags in the configuration": {"tokenizer_config.json": PLAIN | {
        "added_tokens_decoder": {"0": token(START, lstrip=True, rstrip=True), "1": token(END)}}},
    "a special token that was none": {
        "tokenizer.json": with_own(AddedToken(TURN, special=False, normalized=True)),
        "tokenizer_config.json": PLAIN | {"eos_token": TURN}},
}


def write_folder(folder: Path, files: dict) -> Path:
    folder.mkdir()
    for name, content in ({"tokenizer.json": byte_level().to_str()} | files).items():
        if content is not None:
            data = content if isinstance(content, bytes) else (
                content if isinstance(content, str) else json.dumps(content)).encode()
            (folder / name).write_bytes(data)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "bos_token_id": 0, "eos_token_id": 1}))
    return folder


def converted(source: Path, target: Path) -> Text:
    """The tokenizer as a converted model has it."""
    save_model(synthetic_model(MODEL), target, text=read_folder(source, MODEL.vocab_size))
    return Text(target)


def assert_equal(text: Text, oracle, texts=TEXTS) -> None:
    for sample in texts:
        ids = oracle(sample).input_ids
        if text.before and ids[len(text.before):2 * len(text.before)] == text.before:
            continue  # a start token that the text names itself is not doubled here
        assert text.prompt(sample) == ids, sample


@pytest.mark.parametrize("name", FOLDERS)
def test_prompts_of_a_tokenizer_json(tmp_path, name):
    source = write_folder(tmp_path / "source", FOLDERS[name])
    oracle = transformers.AutoTokenizer.from_pretrained(source)
    assert_equal(converted(source, tmp_path / "model"), oracle)


@pytest.mark.parametrize("config", [
    {}, {"add_bos_token": True}, {"add_bos_token": False, "add_eos_token": True}, {"legacy": False}, {"legacy": True},
    {"tokenizer_class": "LlamaTokenizer"}, {"tokenizer_class": "LlamaTokenizer", "legacy": True, "add_bos_token": True},
    {"added_tokens_decoder": {"600": token(TURN), "601": token(TOOL, special=False)}, "add_bos_token": True},
], ids=str)
def test_prompts_of_a_sentencepiece_model(tmp_path, config):
    pytest.importorskip("google.protobuf", reason="pip install protobuf")
    source = write_folder(tmp_path / "source", {
        "tokenizer.json": None, "tokenizer.model": train(model_type="bpe", **BYTES), "tokenizer_config.json": config})
    llamas_own = config.get("legacy") and "tokenizer_class" in config  # leaves out a space that SentencePiece puts
    texts = [text for text in TEXTS if not (llamas_own and (text[:1] == " " or "> " in text))]
    assert_equal(converted(source, tmp_path / "model"), transformers.AutoTokenizer.from_pretrained(source), texts)


@pytest.mark.parametrize("kind", ["GPT2Tokenizer", "Qwen2Tokenizer"])
@pytest.mark.parametrize("config", [{}, {"add_bos_token": True}, DECODER], ids=["plain", "start", "added"])
def test_prompts_of_a_vocabulary_and_merges(tmp_path, kind, config):
    model = json.loads(byte_level().to_str())["model"]
    merges = "#version: 0.2\n" + "".join(f"{first} {second}\n" for first, second in model["merges"])
    source = write_folder(tmp_path / "source", {
        "tokenizer.json": None, "vocab.json": model["vocab"], "merges.txt": merges,
        "tokenizer_config.json": PLAIN | {"tokenizer_class": kind, "unk_token": END, "pad_token": END} | config})
    assert_equal(converted(source, tmp_path / "model"), transformers.AutoTokenizer.from_pretrained(source))


NAMES = ["<s>", "</s>", TURN, "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
TURNS = [{"role": "user", "content": "Hello \"you\", 12?"}, {"role": "assistant", "content": "Hi!"},
         {"role": "user", "content": "More?"}, {"role": "assistant", "content": " Well,\nno."},
         {"role": "user", "content": "Bye <|eot_id|> now"}]


@pytest.mark.parametrize("start", [False, True], ids=["no start", "start"])
@pytest.mark.parametrize("kind", TEMPLATES)
def test_chats_of_three_turns(tmp_path, kind, start):
    """The template's text is the whole prompt, whatever the post-processor puts around other prompts."""
    names = {str(SIZE + at): token(name) for at, name in enumerate(NAMES)}
    source = write_folder(tmp_path / "source", {
        "tokenizer.json": with_start(START) if start else byte_level().to_str(),
        "tokenizer_config.json": {"bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATES[kind],
                                  "added_tokens_decoder": names}})
    oracle = transformers.AutoTokenizer.from_pretrained(source)
    text, chat = converted(source, tmp_path / "model"), read_folder(source, MODEL.vocab_size).chat
    expected = oracle.apply_chat_template(TURNS, add_generation_prompt=True, return_dict=False)
    assert not chat.framed and text.encode(ChatTemplate(chat).render(TURNS), special=True) == expected


def test_the_end_token_of_the_tokenizer_ends_a_text(tmp_path):
    source = write_folder(tmp_path / "source", FOLDERS["added_tokens_decoder"])
    assert read_folder(source, MODEL.vocab_size).ends == (1,)


@pytest.mark.parametrize("decoder, size, message", [
    ({"500": token(TURN), "502": token(TOOL)}, 640, "'<tool>': cannot be added with id 502, as the next "),
    ({"0": token("<other>")}, 640, "'<other>': id 0 is '<|begin|>' in the vocabulary"),
    ({"501": token(START)}, 640, "'<|begin|>': expected id 501, found 0 in the vocabulary"),
    ({"500": token(TURN)}, 500, "expected ids below the model's vocab_size of 500, found 500 ('<|im_start|>')"),
    ({"100000000": token(TURN)}, 640, "expected ids below the model's vocab_size of 640, found 100000000"),
    ({"-1": token(TURN)}, 640, "expected names with ids"), ({"x": token(TURN)}, 640, "expected names with ids"),
    ({"500": "text"}, 640, "expected names with ids"), ([1, 2], 640, "expected names with ids"),
])
def test_a_token_that_cannot_be_added_is_named(tmp_path, decoder, size, message):
    source = write_folder(tmp_path / "source", {"tokenizer_config.json": {"added_tokens_decoder": decoder}})
    with pytest.raises(ModelError) as error:
        read_folder(source, size)
    assert message in str(error.value) and str(source) in str(error.value)


def test_a_special_token_without_room_is_left_out_and_said(tmp_path):
    source = write_folder(tmp_path / "source", {"tokenizer_config.json": PLAIN | {"pad_token": "<none>"}})
    parts = read_folder(source, SIZE)
    assert parts.notes == ("special token '<none>' left out: the model has no id for it",)
    assert read_folder(source, SIZE + 1).notes == ()


def test_an_older_model_folder_starts_with_its_bos_id(tmp_path):
    save_model(synthetic_model(MODEL), tmp_path / "model")
    assert load_around(tmp_path / "model").before == (0,)
    data = json.loads((tmp_path / "model" / "model.json").read_text())
    for wrong in ({"before": [640], "after": []}, {"before": [True], "after": []}, {"before": []}, 7):
        (tmp_path / "model" / "model.json").write_text(json.dumps(data | {"prompt": wrong}))
        with pytest.raises(ModelError, match="model.json: prompt: expected lists before and after of ids below 640"):
            load_around(tmp_path / "model")
