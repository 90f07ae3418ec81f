// Where the time of a token goes, as tables whose bars repeat their figures.

import { counted, element, figure } from "./element.js";

/** Shows what /v1/status has counted since the last answer began; before the first, since the server started. */
export class Device {
  #before = null;
  #status = null;

  constructor(place) {
    this.place = place;
  }

  /** From here on counts what `show` shows. */
  begin() {
    this.#before = this.#status;
  }

  show(status) {
    if (status.uptime_s < this.#before?.uptime_s) this.#before = null;  // the server started anew
    this.#status = status;
    const before = status.tokens.generated > (this.#before?.tokens.generated ?? Infinity) ? this.#before : null;
    const { running, waiting } = status.requests;
    const engines = shares(status.time, before?.time);
    const work = times(status.time, before?.time);
    const tokens = status.tokens.generated - (before?.tokens.generated ?? 0);
    const made = [];
    if (work.total > 0) {
      made.push(
        element("p", { className: "hint" }, `${before ? "Since your last message" : "Since the server started"}: ${
          counted(tokens, "new token")}${tokens ? `, ${figure(1000 * work.decode / tokens)} ms each` : ""}.`),
        table("Seconds", work.rows.map(([name, seconds]) => [name, seconds / work.total, `${figure(seconds)} s`]),
          "Choosing is a part of both."));
    }
    made.push(engines.length
      ? table("Engines at work", engines.map(([name, share]) => [name, share, `${figure(100 * share)} %`]),
        "Of the device’s cycles; several engines work at once.")
      : element("p", { className: "hint" },
        `The ${status.device} counts no cycles: engines have bars on rtl and on boards.`));
    made.push(element("p", { className: "hint" }, `${status.board}: ${running} of ${
      counted(status.sequences, "sequence")} at work, ${waiting} waiting.`));
    const text = made.map((part) => part.textContent).join();
    if (text === this.place.textContent) return;  // nothing new for whoever reads it
    this.place.replaceChildren(...made);
  }
}

/** Seconds by what they went to: rows of name and seconds, their sum, and that of new tokens alone. */
function times(now, before) {
  const since = (name) => now[name] - (before?.[name] ?? 0);
  const decode = since("decode_s");
  const total = since("prefill_s") + decode;
  // The host chooses in both kinds of passes; how much in each is not counted.
  return { total, decode, rows: [["Prompts", total - decode], ["New tokens", decode],
    ["Choosing", since("choosing_s")]] };
}

/** The share of cycles in which each engine worked: rows of name and share. */
function shares(now, before) {
  const cycles = now.cycles - (before?.cycles ?? 0);
  return Object.entries(now.engines).map(([name, share]) => [name, cycles > 0
    ? (share * now.cycles - (before?.engines[name] ?? 0) * (before?.cycles ?? 0)) / cycles : share]);
}

/** rows: name, share from 0 to 1, figure. */
function table(caption, rows, note = "") {
  return element("table", { className: "times" },
    element("caption", {}, caption, note && element("span", { className: "hint" }, ` ${note}`)),
    element("tbody", {}, rows.map(([name, share, value]) => {
      const bar = element("span");
      bar.style.width = `${Math.min(100, 100 * share)}%`;
      return element("tr", {}, element("th", { scope: "row" }, name),
        element("td", { className: "bar", "aria-hidden": "true" }, bar), element("td", {}, value));
    })));
}
