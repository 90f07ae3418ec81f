// The list of conversations.

import { path } from "./conversation.js";
import { button, element } from "./element.js";

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const HOUR = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** Shows conversations in a list; `open(id)` is called for the one that was chosen. */
export class ConversationList {
  #shown = "";

  constructor(list, open) {
    this.list = list;
    this.open = open;
  }

  /** answering: the ids of conversations with an answer under way. */
  render(conversations, current, answering) {
    const shown = JSON.stringify(conversations.map((one) => [one.id, one.title, when(one), answering.has(one.id),
      one === current]));
    if (shown === this.#shown) return;
    this.#shown = shown;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    this.list.replaceChildren(...conversations.map((conversation) => {
      const running = answering.has(conversation.id);
      const item = button([
        element("span", { className: "name" }, conversation.title || "New conversation"),
        element("span", { className: "when" }, running ? "answering" : when(conversation)),
      ], () => this.open(conversation.id), { title: conversation.title, "data-id": conversation.id,
        "aria-current": conversation === current ? "true" : null });
      return element("li", {}, item);
    }));
    if (focused) [...this.list.querySelectorAll("button")].find((item) => item.dataset.id === focused)?.focus();
  }
}

function when(conversation) {
  if (!path(conversation).length) return "";
  const changed = new Date(conversation.changed);
  return changed.toDateString() === new Date().toDateString() ? HOUR.format(changed) : DAY.format(changed);
}
