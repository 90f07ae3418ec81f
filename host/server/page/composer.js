// The field in which messages are written, and what stands below it.

import { counted, element, figure } from "./element.js";

const TOUCH = matchMedia("(pointer: coarse)");

/** `acts`: `send(text)`, whether it was taken; `stop()`, `typed(text)`, `editLast()`. */
export class Composer {
  constructor({ form, field, label, send, stop, gauge, pace, rest }, acts) {
    Object.assign(this, { form, field, label, send, stop, gauge, pace, rest, acts });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    stop.addEventListener("click", () => acts.stop());
    field.addEventListener("input", () => {
      this.#fit();
      acts.typed(field.value);
    });
    field.addEventListener("keydown", (event) => this.#key(event));
  }

  get text() {
    return this.field.value;
  }

  set text(text) {
    this.field.value = text;
    this.#fit();
  }

  /** Where the keyboard goes when something is done; on a touch screen the field would bring its own up. */
  focus() {
    (TOUCH.matches ? this.rest : this.field).focus({ preventScroll: true });
  }

  /** plain: whether text is continued; begun: whether there is some already; answering: whether an answer runs. */
  settle({ plain, begun, answering }) {
    this.answering = answering;
    this.emptyGoesOn = plain && begun;
    this.field.placeholder = !plain ? "Message" : begun ? "More text, or nothing to go on" : "The beginning of a text";
    this.label.textContent = plain ? "Text to continue" : "Message";
    const hadFocus = document.activeElement === (answering ? this.send : this.stop);
    this.send.textContent = plain ? "Continue" : "Send";
    this.send.hidden = answering;
    this.stop.hidden = !answering;
    if (hadFocus) this.focus();
  }

  /** used: tokens in the context, null where unknown; context: how many it holds. */
  showContext(used, context) {
    const share = used && context ? used / context : 0;
    this.gauge.classList.toggle("near", share > 0.85);
    this.gauge.replaceChildren(...(used && context ? [
      element("progress", { max: context, value: Math.min(used, context), "aria-hidden": "true" }),
      `${Math.min(used, context).toLocaleString("en")} of ${counted(context, "token")} of context`] : []));
  }

  showPace(speed, answering) {
    this.pace.textContent = speed ? `${figure(speed)} tok/s` : answering ? "Reading…" : "";
  }

  #submit() {
    if (this.answering || (!this.text.trim() && !this.emptyGoesOn)) return;
    const { text } = this;
    if (!this.acts.send(text)) return;
    this.text = "";
    this.acts.typed("");
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && !TOUCH.matches) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "ArrowUp" && !event.altKey && !this.text && !this.answering && this.acts.editLast()) {
      event.preventDefault();
    }
  }

  #fit() {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }
}
