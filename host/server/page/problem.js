// What went wrong with an answer, and what can be done about it.

import { path } from "./conversation.js";
import { button, element } from "./element.js";

/**
 * The row at the end of a conversation whose last answer failed or is missing; the same as long as that is the same, so
 * that what is typed in it stays. acts: `retry()`, `leaveOut()`, `useKey(text, remembered)`.
 */
export class Trouble {
  #about = [];
  #row = null;

  constructor(acts) {
    this.acts = acts;
  }

  /** For the open conversation of a `Talk`; null where all is well. */
  row({ problem, unanswered, current }) {
    if (!problem && !unanswered) return null;
    const shown = path(current);
    const about = [problem, current, shown.at(-1)];
    if (!this.#row || about.some((part, index) => part !== this.#about[index])) {
      this.#about = about;
      this.#row = row(problem, shown.length > 1, this.acts);
    }
    return this.#row;
  }
}

/** error: a `ServerError`, or null where an answer is merely missing; more: whether there are older messages. */
function row(error, more, { retry, leaveOut, useKey }) {
  const made = element("li", { className: `problem ${error ? "wrong" : ""}` },
    element("p", {}, error ? error.message : "Not answered yet."));
  if (error?.kind === "key") made.append(keyForm(useKey));
  else if (error?.kind === "context") {
    made.append(element("p", {}, more ? "The model can go on without the older half; here it stays to be read."
      : "Shorten your message: Edit is above."));
    if (more) made.append(button("Leave out the older half", leaveOut, { className: "primary" }));
  } else made.append(button(error ? "Try again" : "Answer", retry));
  if (error?.kind === "busy") {
    made.firstChild.append(` Try again in ${error.wait ?? "a few"} second${error.wait === 1 ? "" : "s"}.`);
  }
  if (error) made.append(element("p", { className: "hint" }, "Nothing you wrote is lost."));
  return made;
}

/** A field for the key; `use(text, remembered)` is called with what was typed. */
export function keyForm(use, { value = "", remembered = false } = {}) {
  const field = element("input", { type: "password", value, autocomplete: "off", "aria-label": "API key" });
  const keep = element("input", { type: "checkbox", checked: remembered });
  return element("form", { className: "key", onsubmit: (event) => {
    event.preventDefault();
    use(field.value.trim(), keep.checked);
  } },
  element("div", { className: "row" }, field, element("button", { type: "submit" }, "Use")),
  element("label", { className: "check" }, keep, " Remember in this browser"));
}
