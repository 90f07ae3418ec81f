// What went wrong with an answer, and what can be done about it.

import { button, element } from "./element.js";

/**
 * A row for the end of the conversation. error: a `ServerError`, or null where an answer is merely missing. acts:
 * `retry()`, `leaveOut()`, null where there is nothing to leave out, and `useKey(text)`.
 */
export function problemRow(error, { retry, leaveOut, useKey }) {
  const again = button(error ? "Try again" : "Answer", retry);
  const row = element("li", { className: `problem ${error ? "wrong" : ""}` }, element("p", {},
    error ? error.message : "Not answered yet."));
  if (error?.kind === "key") row.append(keyForm(useKey));
  else if (error?.kind === "context") {
    row.append(element("p", {}, leaveOut ? "The model can go on without the older half; here it stays to be read."
      : "Shorten your message: Edit is above."));
    if (leaveOut) row.append(button("Leave out the older half", leaveOut, { className: "primary" }));
  } else row.append(again);
  if (error?.kind === "busy") {
    row.firstChild.append(` Try again in ${error.wait ?? "a few"} second${error.wait === 1 ? "" : "s"}.`);
  }
  if (error) row.append(element("p", { className: "hint" }, "Nothing you wrote is lost."));
  return row;
}

/** A field for the key; `use(text, remembered)` is called with what was typed. */
export function keyForm(use, { value = "", remembered = false } = {}) {
  const field = element("input", { type: "password", value, autocomplete: "off", "aria-label": "API key", name: "key" });
  const keep = element("input", { type: "checkbox", checked: remembered });
  return element("form", { className: "key", onsubmit: (event) => {
    event.preventDefault();
    use(field.value.trim(), keep.checked);
  } },
  element("div", { className: "row" }, field, element("button", { type: "submit" }, "Use")),
  element("label", { className: "check" }, keep, " Remember in this browser"));
}
