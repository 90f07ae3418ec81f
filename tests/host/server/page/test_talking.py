"""What people do on the page, in a browser: talk, stop, edit, ask again, steer, reload, carry conversations about."""

import json

from tests.host.server.page.tab import answer

PROMPT = "It was a truth"


def test_an_answer_is_the_servers_and_says_what_it_took(tab, chat):
    tab.send(PROMPT)
    assert tab.messages() == [PROMPT, expected := answer(chat, f"user: {PROMPT}", temperature=0, max_tokens=12)]
    assert len(expected) > 20 and tab.said() == f"Answer: {expected}"
    took = tab.text(".took")
    assert took.startswith("12 tokens · ") and "tok/s" in took and took.endswith("ended at the token limit")
    assert " of 512 tokens of context" in tab.text("#gauge")
    assert "12 new tokens" in tab.text("#device") and tab.page.locator("#device .bar span").count() == 3
    assert tab.page.evaluate("document.activeElement.id") == "prompt"


def test_the_whole_conversation_is_sent_and_the_system_prompt(tab, chat):
    tab.page.fill("#system", "In the beginning")
    tab.send(PROMPT)
    tab.page.fill("#prompt", "And")
    tab.page.press("#prompt", "Shift+Enter")
    tab.page.type("#prompt", "so")
    tab.page.press("#prompt", "Enter")
    tab.answered()
    first = tab.messages()[1]
    assert tab.messages()[2] == "And\nso"
    assert tab.messages()[3] == answer(chat, "system: In the beginning", f"user: {PROMPT}", f"assistant: {first}",
                                      "user: And\nso", temperature=0, max_tokens=12)


def test_an_answer_is_told_once_and_not_by_tokens(tab):
    tab.page.evaluate("""() => {
        window.told = [];
        new MutationObserver(() => told.push(announcer.textContent)).observe(announcer, {childList: true});
    }""")
    tab.send(PROMPT)
    answer = tab.messages()[1]
    tab.until("told.some(Boolean)")
    assert [told for told in tab.page.evaluate("told") if told] == [f"Answer: {answer}"]
    assert tab.page.get_attribute("#scroller", "aria-live") is None


def test_escape_stops_an_answer_and_the_server(tab, chat, slow):
    tab.set(max_tokens="")
    tab.send(PROMPT, wait=False)
    tab.until("document.querySelector('.running .content')?.textContent.length > 5")
    assert tab.page.is_visible("#stop") and not tab.page.is_visible("#send")
    tab.page.fill("#prompt", "kept while it runs")
    tab.page.press("#prompt", "Enter")
    tab.page.press("#prompt", "Escape")
    tab.answered()
    slow.set()
    assert tab.text(".took").endswith("stopped by you") and tab.messages()[1]
    assert tab.said() == "Stopped." and tab.page.input_value("#prompt") == "kept while it runs"
    tab.until("async () => (await (await fetch('v1/status')).json()).requests.running == 0")
    assert chat.served.worker.load == 0


def test_a_message_written_anew_keeps_the_one_before(tab):
    tab.send(PROMPT)
    before = tab.messages()
    tab.page.press("#prompt", "ArrowUp")
    assert tab.page.evaluate("document.activeElement.value") == PROMPT
    tab.page.keyboard.press("Escape")
    assert tab.messages() == before and tab.page.evaluate("document.activeElement.id") == "prompt"
    tab.press("Edit", ".message.user")
    field = tab.page.get_by_label("Edit your message")
    field.fill("In the beginning")
    field.press("Enter")
    tab.answered()
    after = tab.messages()
    assert after[0] == "In the beginning" and after[1] != before[1] and len(after) == 2
    assert "2/2" in tab.text(".message.user .versions")
    tab.press("Earlier version", ".message.user")
    assert tab.messages() == before


def test_an_answer_made_again_keeps_the_one_before(tab, chat):
    tab.send(PROMPT)
    before = tab.messages()
    tab.set(temperature=2, seed=3)
    tab.press("Again")
    tab.answered()
    again = answer(chat, f"user: {PROMPT}", temperature=2, seed=3, max_tokens=12)
    assert tab.messages() == [PROMPT, again] and again != before[1]
    tab.page.keyboard.press("Alt+r")
    tab.page.wait_for_selector(".versions:text('3/3')")
    tab.answered()
    tab.press("Earlier version")
    tab.press("Earlier version")
    assert tab.messages() == before


def test_an_answer_can_be_corrected_by_hand(tab, chat):
    tab.send(PROMPT)
    tab.press("Edit", ".message.assistant")
    tab.page.get_by_label("Edit the answer").fill("universally")
    tab.press("Keep")
    tab.send("acknowledged")
    assert tab.messages()[-1] == answer(chat, f"user: {PROMPT}", "assistant: universally", "user: acknowledged",
                                         temperature=0, max_tokens=12)


def test_a_slider_steers(tab, chat):
    tab.send(PROMPT)
    slider = tab.page.get_by_label("leaning, strength", exact=True)
    slider.fill("0.5")
    assert tab.page.get_by_label("leaning, strength, as a number").input_value() == "0.5"
    tab.press("Again")
    tab.answered()
    steered = answer(chat, f"user: {PROMPT}", temperature=0, max_tokens=12,
                     stages=[{"stage": "leaning", "strength": 0.5}])
    assert tab.messages()[1] == steered != answer(chat, f"user: {PROMPT}", temperature=0, max_tokens=12)
    assert "leaning 0.5" in tab.text(".took")
    tab.open()
    assert slider.input_value() == "0.5"
    tab.press("Reset leaning")
    assert slider.input_value() == "0"


def test_everything_is_there_after_a_reload(tab):
    tab.page.fill("#system", "In the beginning")
    tab.send(PROMPT)
    tab.press("Edit", ".message.user")
    tab.page.get_by_label("Edit your message").fill("half of a thought")
    tab.page.fill("#prompt", "half of another")
    before = tab.text(".assistant .content"), tab.text(".took")
    tab.open()
    assert (tab.text(".assistant .content"), tab.text(".took")) == before
    assert tab.page.input_value("#prompt") == "half of another"
    assert tab.page.input_value("#system") == "In the beginning"
    assert tab.page.input_value("#sampling-max_tokens") == "12"
    tab.press("Edit", ".message.user")
    assert tab.page.get_by_label("Edit your message").input_value() == "half of a thought"


def test_a_thought_in_an_empty_conversation_is_there_after_a_reload(tab):
    tab.page.fill("#prompt", "not yet sent")
    tab.open()
    assert tab.page.input_value("#prompt") == "not yet sent"
    tab.page.keyboard.press("Alt+n")
    assert tab.page.input_value("#prompt") == ""
    tab.page.keyboard.press("Alt+ArrowDown")
    assert tab.page.input_value("#prompt") == "not yet sent"


def test_a_field_that_is_being_changed_belongs_to_its_conversation(tab):
    tab.send(PROMPT)
    tab.page.fill("#system", "Be brief.")
    tab.page.fill("#title", "A truth")
    tab.page.keyboard.press("Alt+n")
    assert tab.page.input_value("#title") == "" and tab.page.input_value("#system") == "Be brief."
    tab.page.fill("#system", "Be long.")
    tab.page.keyboard.press("Alt+ArrowDown")
    assert tab.page.input_value("#title") == "A truth" and tab.page.input_value("#system") == "Be brief."


def test_an_answer_that_a_reload_cuts_stays_as_far_as_it_came(tab, slow):
    tab.set(max_tokens="")
    tab.send(PROMPT, wait=False)
    tab.until("document.querySelector('.running .content')?.textContent.length > 5")
    tab.open()
    assert tab.messages()[1] and tab.text(".took").endswith("broke off")


def test_conversations_stand_side_by_side_and_answer_at_once(tab, slow):
    tab.send(PROMPT, wait=False)
    tab.page.wait_for_selector(".running")
    tab.press("New conversation")
    tab.send("In the beginning", wait=False)
    tab.until("document.querySelectorAll('#list .when').length == 2 && "
                               "[...document.querySelectorAll('#list .when')].every(e => e.textContent == 'answering')")
    slow.set()
    tab.answered()
    assert tab.messages()[0] == "In the beginning"
    tab.page.fill("#prompt", "of this one")
    tab.page.keyboard.press("Alt+ArrowDown")
    tab.answered()
    first = tab.messages()
    assert first[0] == PROMPT and len(first[1]) > 20 and tab.page.input_value("#prompt") == ""
    tab.page.locator("#list button").first.click()
    assert tab.page.input_value("#prompt") == "of this one"


def test_conversations_go_out_come_in_and_end(tab, tmp_path):
    tab.send(PROMPT)
    before = tab.messages()
    tab.page.fill("#title", "A truth")
    tab.page.press("#title", "Enter")
    with tab.page.expect_download() as found:
        tab.press("Export")
    file = tmp_path / found.value.suggested_filename
    found.value.save_as(file)
    assert file.name == "a-truth.json" and json.loads(file.read_text())["conversations"][0]["title"] == "A truth"
    tab.press("Delete", "#heading")
    tab.press("Keep", "#confirm")
    assert tab.messages() == before
    tab.press("Delete", "#heading")
    tab.press("Delete", "#confirm")
    tab.page.wait_for_selector(".message", state="detached")
    assert tab.page.evaluate("Object.keys(localStorage).filter(name => name.includes('conversation'))") == []
    tab.page.set_input_files("#import-file", file)
    tab.page.wait_for_selector("#word-text:text('One conversation taken in.')")
    assert tab.messages() == before and tab.page.input_value("#title") == "A truth"
    (tmp_path / "foreign.json").write_text(json.dumps([{"messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]}]))
    tab.page.set_input_files("#import-file", tmp_path / "foreign.json")
    tab.page.wait_for_selector("#messages :text('Hello')")
    assert tab.page.input_value("#system") == "Be brief."
    for text in ("no JSON", "{}", '[{"messages": {"a": {"role": "user"}}}]'):
        (tmp_path / "bad.json").write_text(text)
        tab.page.set_input_files("#import-file", tmp_path / "bad.json")
        tab.page.wait_for_selector("#word-text:text('bad.json was not taken in')")
        tab.press("Put away")
    assert tab.page.locator("#list li").count() == 2


def test_another_tab_sees_what_this_one_did(tab, tabs, chat):
    other = tabs(chat, like=tab)
    tab.page.bring_to_front()
    tab.send(PROMPT)
    other.until(f"list.textContent.includes('{PROMPT}')")
    tab.press("Delete", "#heading")
    tab.press("Delete", "#confirm")
    other.until(f"!list.textContent.includes('{PROMPT}')")
