"""When things go wrong: the page says so, nothing that was typed is lost, and there is a way on."""

from tests.host.server.page.tab import answer

PROMPT = "It was a truth"


def trouble(tab):
    """What the conversation ends with."""
    tab.page.wait_for_selector(".problem.wrong")
    return tab.text(".problem.wrong")


def test_a_full_queue(tab, chat, slow, monkeypatch):
    monkeypatch.setattr(chat.served.worker, "room", 1)
    tab.send("In the beginning", wait=False)
    tab.until("document.querySelector('.running .content')?.textContent")
    tab.page.keyboard.press("Alt+n")
    tab.send(PROMPT)
    assert "its queue is full. Try again in 1 second." in trouble(tab)
    assert tab.messages() == [PROMPT] and tab.said() == "The server is busy: its queue is full."
    slow.set()
    tab.until("document.querySelectorAll('#list .when')[1].textContent != 'answering'")
    tab.press("Try again")
    tab.answered()
    assert len(tab.messages()) == 2 and tab.page.locator(".problem, .versions").count() == 0


def test_a_server_that_is_gone(tab):
    tab.send(PROMPT)
    before = tab.messages()
    tab.page.context.set_offline(True)
    tab.send("And then?")
    assert "The server does not answer." in trouble(tab)
    tab.page.wait_for_selector("#state-text:text('The server does not answer')")
    tab.press("Try again")
    tab.answered()
    assert tab.messages() == [*before, "And then?"]
    tab.page.fill("#prompt", "what comes next")
    tab.page.context.set_offline(False)
    tab.open()
    assert tab.text(".problem") == "Not answered yet.Answer" and tab.page.input_value("#prompt") == "what comes next"
    tab.press("Answer")
    tab.answered()
    assert len(tab.messages()) == 4


def test_messages_that_nobody_answered_go_out_as_one(tab, chat):
    """Some templates refuse two messages of one role in succession."""
    tab.page.context.set_offline(True)
    tab.send(PROMPT)
    trouble(tab)
    tab.page.context.set_offline(False)
    tab.send("universally")
    assert tab.messages() == [PROMPT, "universally", answer(chat, f"user: {PROMPT}\n\nuniversally", temperature=0,
                                                            max_tokens=12)]


def test_an_answer_that_breaks_off(tab):
    """The server ends a stream before its end, or with an error in it."""
    start = 'data: {"choices": [{"index": 0, "delta": {"content": "Half an "}}]}\n\n'
    for end, said in (("", "The server ended the answer before its end."),
                      ('data: {"error": {"message": "the device stopped"}}\n\n', "The device stopped."),
                      ("data: {", "The server ended the answer before its end.")):
        body = start + end
        tab.page.route("**/v1/chat/completions", lambda route, _, body=body: route.fulfill(
            status=200, content_type="text/event-stream", body=body))
        tab.send(PROMPT)
        assert said in trouble(tab) and "Nothing you wrote is lost." in trouble(tab)
        assert tab.messages()[-1] == "Half an" and tab.text(".message:last-of-type .took, .last .took") == "broke off"
        tab.page.unroute("**/v1/chat/completions")
    tab.press("Try again")
    tab.answered()
    assert len(tab.messages()[-1]) > 20


def test_what_the_server_refuses_is_said_in_its_words(tab, chat):
    tab.set(speculate=1000)
    tab.send(PROMPT)
    assert "1000 drafts" in trouble(tab) and tab.messages() == [PROMPT]
    tab.set(speculate=2)
    tab.press("Try again")
    tab.answered()
    assert tab.messages()[1] == answer(chat, f"user: {PROMPT}", temperature=0, max_tokens=12)


def test_a_field_that_cannot_be_sent_is_shown(tab):
    for name, wrong in (("top_p", "0"), ("temperature", "-1"), ("seed", "1.5"), ("max_tokens", "0")):
        tab.set(**{name: wrong})
        tab.send(PROMPT)
        assert tab.messages() == [] and tab.page.input_value("#prompt") == PROMPT
        assert tab.page.evaluate("document.activeElement.id") == f"sampling-{name}"
        assert "number" in tab.text(f"#hint-{name}")
        assert tab.page.get_attribute(f"#sampling-{name}", "aria-invalid") == "true"
        tab.set(**{name: ""})
    tab.send(PROMPT)
    assert len(tab.messages()) == 2
    tab.set(top_p=7)
    tab.press("Edit", ".message.user")
    field = tab.page.get_by_label("Edit your message")
    for text in ("a better thought", " "):
        field.fill(text)
        field.press("Enter")
        assert field.input_value() == text
        tab.set(top_p="")


def test_a_chat_that_fills_the_context_goes_on_without_its_older_half(tab):
    long = "And it came to pass. " * 48
    tab.set(max_tokens=2)
    for text in (long, "And then?", long):
        tab.send(text)
    assert "exceed the context of 512" in trouble(tab)
    tab.press("Leave out the older half")
    tab.answered()
    assert len(tab.messages()) == 6 and tab.page.locator(".out .content").count() == 2
    assert "Messages above are left out" in tab.text(".divider")
    tab.open()
    assert tab.page.locator(".out .content").count() == 2
    tab.page.keyboard.press("Alt+n")
    tab.send(long * 4)
    assert "exceed the context" in trouble(tab)
    tab.press("Edit")
    assert tab.page.get_by_label("Edit your message").input_value() == long * 4
    tab.page.keyboard.press("Escape")
    tab.send(long * 4)
    for _ in range(2):  # the message before it, then nothing
        tab.press("Leave out the older half")
        tab.answered()
    assert "Nothing older is left" in tab.text("#word-text")


def test_a_model_without_a_template_continues_text_behind_a_key(tabs, plain):
    tab = tabs(plain)
    tab.page.wait_for_selector("#state-text:text('Asks for an API key')")
    tab.page.fill("#prompt", PROMPT)
    for key in ("wrong", "open sesame"):
        tab.page.locator("#welcome").get_by_label("API key").fill(key)
        tab.press("Use", "#welcome")
        if key == "wrong":
            tab.page.wait_for_selector("#welcome :text('does not take this API key')")
    tab.page.wait_for_selector("#notice:text('no chat template')")
    assert tab.page.input_value("#prompt") == PROMPT and not tab.page.is_visible("#system")
    tab.set(temperature=0, max_tokens=5)
    tab.press("Continue")
    tab.answered()
    tab.page.press("#prompt", "Enter")  # with nothing in it
    tab.answered()
    first = tab.messages()
    tab.press("New conversation")
    tab.set(max_tokens=10)
    tab.send(PROMPT)
    assert tab.messages() == [PROMPT, first[1] + first[3]] and first[2] == ""
    tab.page.evaluate("sessionStorage.clear()")
    tab.open()
    tab.send("More")
    assert "asks for an API key" in trouble(tab)
    tab.page.locator(".problem").get_by_label("API key").fill("open sesame")
    tab.page.locator(".problem").get_by_label("Remember in this browser").check()
    tab.press("Use", ".problem")
    tab.page.wait_for_selector(".problem", state="detached")
    tab.answered()
    assert len(tab.messages()) == 4 and tab.page.evaluate("localStorage.getItem('tritloom.key')") == "open sesame"


def test_a_text_that_fills_the_context_goes_on_without_its_older_half(tabs, plain):
    tab = tabs(plain)
    tab.page.evaluate("localStorage.setItem('tritloom.key', 'open sesame')")
    tab.open()
    tab.set(temperature=0)
    tab.send(PROMPT)
    assert tab.text(".took").endswith("ended where the context is full")
    tab.send("And it came to pass. " * 20)
    assert "exceed the context" in trouble(tab)
    tab.set(max_tokens=20)
    tab.press("Leave out the older half")
    tab.answered()
    whole, out = "".join(tab.messages()[:3]), "".join(tab.page.locator(".content .out").all_text_contents())
    assert whole.startswith(out) and len(whole) / 2 <= len(out) < len(whole) / 2 + 40 and tab.messages()[3]


def test_a_browser_that_keeps_nothing_says_so(tab):
    tab.page.evaluate("""() => {
        Storage.prototype.setItem = () => { throw new DOMException("", "QuotaExceededError"); };
    }""")
    tab.send(PROMPT)
    assert len(tab.messages()) == 2
    assert "storage is full" in tab.text("#word-text") and tab.page.is_visible("#word")


def test_a_browser_that_refuses_storage_still_talks(tabs, chat):
    tab = tabs(chat)
    tab.page.add_init_script("""
        for (const name of ["localStorage", "sessionStorage"]) {
            Object.defineProperty(window, name, { get() { throw new DOMException("", "SecurityError"); } });
        }
    """)
    tab.open()
    tab.set(max_tokens=4)
    tab.send(PROMPT)
    assert len(tab.messages()) == 2 and "keeps nothing" in tab.text("#word-text")
    tab.press("New conversation")
    tab.page.locator("#list button").last.click()
    assert tab.messages()[0] == PROMPT


def test_what_is_typed_into_a_trouble_stays_when_the_page_asks_the_server_again(tabs, plain):
    tab = tabs(plain)
    tab.send(PROMPT)
    field = tab.page.locator(".problem").get_by_label("API key")
    field.fill("open sesa")
    with tab.page.expect_response("**/v1/status"):
        tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    tab.page.wait_for_timeout(50)
    assert field.input_value() == "open sesa"


def test_a_damaged_conversation_is_left_out_and_the_others_are_there(tab):
    tab.send(PROMPT)
    tab.page.evaluate("""() => {
        for (const text of ["{", "7", '{"messages": {"a": {"role": "user", "content": 1}}}']) {
            localStorage.setItem(`tritloom.conversation.${Math.random()}`, text);
        }
    }""")
    tab.open()
    assert tab.messages()[0] == PROMPT and "damaged" in tab.text("#word-text")
