"""The page's modules by themselves: events out of bytes, Markdown to elements, what a device counted."""

import json

import pytest


@pytest.fixture(scope="module")
def module(browser, chat):
    """Evaluates an expression of the names that a module of the page exports."""
    page = browser.new_page()
    page.goto(chat.url)

    def evaluated(name, expression, argument=None):
        body = f"const it = await import('./{name}.js'); return {expression};"
        return page.evaluate(f"async (given) => {{ {body} }}", argument)

    yield evaluated
    page.close()


@pytest.mark.parametrize("text, expected", [
    ("data: a\n\ndata: b\n\n", ["a", "b"]),
    ("data: a\r\n\r\ndata:b\r\n\r\n", ["a", "b"]),
    ("data: a\r\ndata: b\r\n\r\n", ["a\nb"]),
    ("data: a\rdata: b\r\rdata: c\r\r\n", ["a\nb", "c"]),
    (": a comment\nevent: x\nid: 1\ndata: a\ndata:  b\n\n", ["a\n b"]),
    ("\n\ndata: ä€😀\n\ndata: cut off", ["ä€😀"]),
    ("", []),
])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_events_come_whole_however_the_bytes_are_cut(module, text, expected, size):
    assert module("events", """(async () => {
        const bytes = new TextEncoder().encode(given.text), found = [];
        const stream = new ReadableStream({ start(to) {
            for (let at = 0; at < bytes.length; at += given.size) to.enqueue(bytes.slice(at, at + given.size));
            to.close();
        } });
        for await (const event of it.events(stream)) found.push(event);
        return found;
    })()""", {"text": text, "size": size}) == expected


def html(module, text):
    """What the elements of a Markdown text are, without what is around code and tables."""
    return module("markdown", """it.markdown(given).map((e) => e.className ? e.querySelector("pre, table") : e)
        .map(({ outerHTML }) => outerHTML).join("")""", text)


@pytest.mark.parametrize("text, expected", [
    ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
    ("# A\n### B ##", "<h4>A</h4><h6>B</h6>"),
    ("**a *b* c** and _d_, not e_f_g", "<p><strong>a <em>b</em> c</strong> and <em>d</em>, not e_f_g</p>"),
    ("2 * 3 * 4", "<p>2 * 3 * 4</p>"),
    ("`a*b*` and ``x ` y``", "<p><code>a*b*</code> and <code>x ` y</code></p>"),
    ("- a\n- b\n  - c\n- d", "<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>"),
    ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
    ("- a\n\ntext", "<ul><li>a</li></ul><p>text</p>"),
    ("> a\n> b", "<blockquote><p>a<br>b</p></blockquote>"),
    ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
    ("[here](https://a.example/b)", '<p><a href="https://a.example/b" title="https://a.example/b" target="_blank" '
                                    'rel="noopener noreferrer">here</a></p>'),
    ("", ""),
])
def test_markdown_becomes_elements(module, text, expected):
    assert html(module, text) == expected


@pytest.mark.parametrize("text", [
    "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "[a](javascript:alert(1))",
    "![picture](https://a.example/b.png)", "[a](https://a.example/\" onclick=\"alert(1))", "`<b>`", "**<b>**"])
def test_nothing_that_a_model_says_is_markup_or_a_picture(module, text):
    """Nor asks another machine for anything."""
    found = module("markdown", """(() => {
        const place = document.createElement("div");
        place.append(...it.markdown(given));
        return [...place.querySelectorAll("*")].map((e) => [e.tagName, e.href, e.getAttributeNames()]);
    })()""", text)
    assert {tag for tag, _, _ in found} <= {"P", "CODE", "STRONG", "A"}
    assert all(href.startswith("https://") for _, href, _ in found if href)
    assert {name for _, _, names in found for name in names} <= {"href", "title", "target", "rel"}


def test_code_and_tables_keep_their_text(module):
    code = "```python\nif a < b:\n    print(`x`)\n\n~~~\n```"
    assert html(module, code) == ('<pre tabindex="0" role="group" aria-label="Code, python"><code>'
                                  "if a &lt; b:\n    print(`x`)\n\n~~~</code></pre>")
    assert html(module, "```\nnever closed") .endswith("<code>never closed</code></pre>")
    table = "| a | b |\n|---|--:|\n| 1 | `x` |"
    assert html(module, table) == ("<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td>"
                                   "<td><code>x</code></td></tr></tbody></table>")


def test_long_answers_are_quick_to_show(module):
    """What a pathological answer costs grows no faster than its length."""
    for text in ("*" * 20_000, "[" * 20_000, "`" * 20_000, "a_b " * 5_000, "> " * 500 + "x", "- a\n" * 5_000):
        assert module("markdown", "it.markdown(given).length", text) >= 1


def status(generated, cycles, **shares):
    """What a server of a board says."""
    return {"device": "rtl", "board": "sim-tiny", "uptime_s": cycles, "sequences": 2,
            "requests": {"running": 1, "waiting": 3}, "tokens": {"generated": generated},
            "time": {"prefill_s": cycles / 1000, "decode_s": cycles / 500, "choosing_s": 0.01, "cycles": cycles,
                     "engines": shares}}


def test_the_bars_are_of_what_was_counted_since_the_last_message(module):
    shown = module("device", """(() => {
        const place = document.createElement("div"), device = new it.Device(place);
        device.show(given[0]);
        const first = place.innerText ?? "";
        device.begin();
        device.show(given[1]);
        const rows = [...place.querySelectorAll("tr")].map((row) => [row.cells[0].textContent,
            row.querySelector("span").style.width, row.cells[2].textContent]);
        return { text: place.textContent, rows };
    })()""", [status(10, 1000, linear=0.5, attend=0.5), status(30, 2000, linear=0.7, attend=0.25)])
    assert {name: (width, figure) for name, width, figure in shown["rows"]} == {
        "Prompts": ("33.3333%", "1 s"), "New tokens": ("66.6667%", "2 s"), "Choosing": ("0%", "0 s"),
        "linear": ("90%", "90 %"), "attend": ("0%", "0 %")}
    assert "Since your last message: 20 new tokens, 100 ms each." in shown["text"]
    assert "sim-tiny: 1 of 2 sequences at work, 3 waiting." in shown["text"]


@pytest.mark.parametrize("data, messages", [
    ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, ["a", "b"]),
    ({"messages": {"x": {"parent": "", "role": "user", "content": "a"}}, "chosen": {"": "x"}}, ["a"]),
    ({"messages": {"x": {"parent": "y", "role": "user", "content": "a"}, "y": {"parent": "x", "role": "user",
                   "content": "b"}}, "chosen": {"x": "y", "y": "x"}}, []),
    ({"messages": {"x": {"parent": "gone", "role": "user", "content": "a"}}}, None),
    ({"messages": [{"role": "tool", "content": "a"}]}, None),
    ({"messages": [{"role": "user", "content": 1}]}, None),
    ({"messages": {"__proto__": {"role": "user", "content": "a"}}}, None),
    ({"messages": {"x": {"parent": "", "role": "user", "content": "a", "info": {"usage": 1, "stages": 5}}},
      "chosen": {"": "x"}, "start": "y", "cut": -1, "title": 3}, ["a"]),
    ({"messages": []}, []), ({}, None), (None, None), ([1], None), ("text", None),
])
def test_a_conversation_from_a_file_is_whole_or_refused(module, data, messages):
    found = module("conversation", "((made) => made && it.path(made).map(({ content }) => content))"
                                   "(it.conversationFrom(JSON.parse(given)))", json.dumps(data))
    assert found == messages
