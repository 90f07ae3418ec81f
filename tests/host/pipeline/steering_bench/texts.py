"""Two made-up manners that the shipped model half knows, as files and as material."""

from host.pipeline.steering_bench.material import read_material
from models.checkpoint import load_model

MODEL = load_model("demo")
NOVEL = "".join(f"Miss Price had the carriage waiting for her on day {i}, which pleased her. " for i in range(400))
BIBLE = "".join(f"And it came to pass in year {i}, that the LORD spake unto Moses, saying. " for i in range(400))


def write_texts(folder):
    """Paths by name: bible, novel, held_bible, held_novel."""
    paths = {}
    for name, text in (("novel", NOVEL), ("bible", BIBLE), ("held_novel", NOVEL), ("held_bible", BIBLE)):
        paths[name] = folder / f"{name}.txt"
        paths[name].write_text(text)
    return paths


def material(texts, **other):
    settings = {"prompts": 5, "windows": 2, "tokens": 600} | other
    return read_material(MODEL, texts["bible"], texts["novel"], (texts["held_bible"], texts["held_novel"]), **settings)
