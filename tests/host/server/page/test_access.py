"""The page without a mouse, without sight, in the dark and on a phone."""

import pytest

PROMPT = "It was a truth"
MARKDOWN = "# Five\n\nA *byte*:\n\n- `3^5`\n\n> quoted\n\n```python\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"


def violations(tab):
    """What axe finds in daylight, and of colours in the dark, in words."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: pip install -e '.[browser]'")
    found = []
    for scheme, options in (("light", None), ("dark", {"runOnly": ["color-contrast"]})):
        tab.page.emulate_media(color_scheme=scheme)
        rules = axe.Axe().run(tab.page, options=options).response["violations"]
        found += [f"{scheme}: {rule['id']}: {node['html']}" for rule in rules for node in rule["nodes"]]
    return found


def fill(tab):
    """A conversation with all that messages can have, a slip in the settings, and a trouble at the end."""
    tab.send(PROMPT)
    tab.press("Edit", ".message.assistant")
    tab.page.get_by_label("Edit the answer").fill(MARKDOWN)
    tab.press("Keep")
    tab.page.context.set_offline(True)
    tab.send("And then?")
    tab.page.wait_for_selector(".problem.wrong")
    tab.page.context.set_offline(False)


def test_axe_finds_nothing(tab):
    assert violations(tab) == []
    fill(tab)
    tab.page.hover(".message.assistant")
    tab.set(top_p=7)
    assert violations(tab) == []
    tab.press("Edit", ".message.user")
    tab.page.set_viewport_size({"width": 390, "height": 800})
    assert violations(tab) == []
    tab.press("Settings", "header")
    assert violations(tab) == []


def test_axe_finds_nothing_in_dialogs_and_at_a_closed_door(tabs, plain):
    tab = tabs(plain)
    tab.page.wait_for_selector("#welcome input[type=password]")
    assert violations(tab) == []
    tab.page.keyboard.press("Control+/")
    assert violations(tab) == []


def test_colours_follow_the_system(tab):
    found = []
    for scheme in ("light", "dark"):
        tab.page.emulate_media(color_scheme=scheme)
        found.append(tab.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert found == ["rgb(251, 250, 247)", "rgb(22, 24, 27)"]


def test_nothing_is_wider_than_the_window(tab):
    tab.send("W" * 300)
    fill(tab)
    for width in (320, 390, 700, 1280):
        tab.page.set_viewport_size({"width": width, "height": 700})
        assert tab.page.evaluate("document.documentElement.scrollWidth") == width
        assert tab.page.evaluate("scroller.scrollWidth <= scroller.clientWidth")
        if tab.page.is_hidden("#settings-panel"):
            tab.press("Settings", "header")
        fields = tab.page.evaluate("""[...document.querySelectorAll("#settings-panel :is(input, button)")]
            .map((field) => field.getBoundingClientRect()).map(({ left, right }) => [left, right])""")
        assert fields and all(0 <= left <= right <= width for left, right in fields)
        if width < 1000:
            tab.page.keyboard.press("Escape")


def test_a_sheet_takes_the_keyboard_and_gives_it_back(tabs, chat):
    tab = tabs(chat, viewport={"width": 390, "height": 800})
    for label, panel in (("Conversations", "#list-panel"), ("Settings", "#settings-panel")):
        tab.page.focus(f"header >> role=button[name='{label}']")
        tab.page.keyboard.press("Enter")
        assert tab.page.evaluate(f"document.querySelector('{panel}').contains(document.activeElement)")
        for _ in range(30):
            tab.page.keyboard.press("Tab")
            assert not tab.page.evaluate("document.querySelector('main').contains(document.activeElement)")
        tab.page.keyboard.press("Escape")
        assert not tab.page.is_visible(panel)
        assert tab.page.evaluate("document.activeElement.textContent").startswith(label)


def test_everything_can_be_done_by_keyboard(tab):
    tab.send(PROMPT)
    tab.page.keyboard.press("Control+/")
    assert tab.page.is_visible("#shortcuts")
    tab.page.keyboard.press("Escape")
    assert not tab.page.is_visible("#shortcuts")
    tab.page.keyboard.press("Alt+p")
    assert not tab.page.is_visible("#settings-panel")
    tab.page.keyboard.press("Alt+p")
    tab.page.focus("#prompt")
    tab.page.keyboard.press("Alt+n")
    assert tab.messages() == [] and tab.page.evaluate("document.activeElement.id") == "prompt"
    tab.page.keyboard.press("Alt+ArrowDown")
    assert tab.messages()[0] == PROMPT
    reached = set()
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        reached.add(tab.page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    named = {"new", "import", "export-all", "title", "export", "delete", "scroller", "Copy", "Edit", "Again", "prompt",
             "send", "sampling-seed", "system", "show-shortcuts"}
    assert not named - reached


def test_a_message_being_composed_is_not_sent_by_its_enter(tab):
    """Input methods end a word by Enter."""
    tab.page.fill("#prompt", "にほん")
    tab.page.evaluate("""() => prompt_field.dispatchEvent(
        new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true }))
    """.replace("prompt_field", "document.getElementById('prompt')"))
    assert tab.messages() == [] and tab.page.input_value("#prompt") == "にほん"


def test_on_a_touch_screen_enter_is_a_new_line(tabs, chat):
    tab = tabs(chat, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    tab.page.fill("#prompt", "one")
    tab.page.press("#prompt", "Enter")
    assert tab.page.input_value("#prompt") == "one\n" and tab.messages() == []


def test_the_view_follows_an_answer_unless_someone_reads_above(tab):
    tab.set(max_tokens="")
    tab.send(PROMPT)
    below = "scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight"
    assert tab.page.evaluate("scroller.scrollHeight > scroller.clientHeight") and tab.page.evaluate(below) <= 1
    assert not tab.page.is_visible("#to-end")
    tab.page.evaluate("scroller.scrollTop = 0")
    tab.page.wait_for_selector("#to-end:not([hidden])")
    tab.press("To the end")
    assert tab.page.evaluate(below) <= 1
