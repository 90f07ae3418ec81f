"""Which file of a folder is the model."""

import pytest

from models.store.gguf_choice import choose_gguf


@pytest.mark.parametrize(("names", "chosen"), [
    ([], None), (["README.md"], None), (["x.gguf"], "x.gguf"), (["X.GGUF", "README.md"], "X.GGUF"),
    (["m-TQ1_0.gguf", "m-TQ2_0.gguf", "m-F16.gguf"], "m-TQ2_0.gguf"), (["ggml-model-i2_s.gguf", "f16.gguf"],
                                                                        "ggml-model-i2_s.gguf"),
    (["m-Q2_0.gguf", "m-PQ2_0.gguf"], "m-Q2_0.gguf"), (["m-Q4_K.gguf", "m-Q2_K.gguf"], None),
    (["a-TQ2_0.gguf", "b-TQ2_0.gguf"], None), (["m-TQ2_0.gguf", "mmproj-F16.gguf"], "m-TQ2_0.gguf"),
    (["m-BF16-00001-of-00002.gguf", "m-BF16-00002-of-00002.gguf"], None), (["m-mtq2_0x.gguf", "m.gguf"], None)])
def test_the_choice(names, chosen):
    assert choose_gguf(names) == chosen
