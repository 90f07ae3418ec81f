// The messages of a conversation as they stand on the page.

import { leftOut, path, versions } from "./conversation.js";
import { button, counted, element, figure } from "./element.js";
import { markdown } from "./markdown.js";

const ENDS = {
  length: "ended at the token limit",
  context: "ended where the context is full",
  stopped: "stopped by you",
  interrupted: "broke off",
};

/**
 * Shows a conversation in a list. `acts` has what the buttons do: `again(message)`, `write(message, text)`,
 * whether it was taken, `show(message)`, `copy(message)`, and `shelf` for what is typed in place of a message.
 *
 * A message whose content and place did not change keeps its elements, and with them the focus.
 */
export class Transcript {
  #nodes = new Map();
  #editing = null;

  constructor(list, scroller, acts) {
    this.list = list;
    this.scroller = scroller;
    this.acts = acts;
  }

  /** run: the answer under way, or null; plain: whether text is continued; problem: a row that says what went wrong. */
  render(conversation, { run = null, plain = false, problem = null } = {}) {
    const follows = this.atEnd;
    this.conversation = conversation;
    const shown = path(conversation);
    const wanted = [];
    const nodes = new Map();
    const out = leftOut(conversation, plain);
    shown.forEach((message, index) => {
      const place = versions(conversation, message);
      const now = {
        message, plain, versions: place.length, version: place.indexOf(message) + 1, last: index === shown.length - 1,
        running: run?.message === message, busy: run !== null, editing: this.#editing === message.id,
        out: out.get(message.id) ?? 0,
      };
      const key = JSON.stringify({ ...now, message: now.editing ? "" : now.message });
      const before = this.#nodes.get(message.id);
      const node = before?.key === key ? before.node : this.#message(now);
      nodes.set(message.id, { key, node });
      wanted.push(node);
      if (out.has(message.id) && !out.has(shown[index + 1]?.id)) wanted.push(divider(now));
    });
    if (problem) wanted.push(problem);
    this.#nodes = nodes;
    this.#place(wanted);
    this.list.classList.toggle("plain", plain);
    if (follows) this.toEnd();
  }

  /** Shows the running answer's text as it is now, and nothing else. */
  grow(message, plain) {
    const known = this.#nodes.get(message.id);
    if (!known) return;
    const follows = this.atEnd;
    known.key = "";
    known.node.querySelector(".content").replaceChildren(...content(message, plain));
    if (follows) this.toEnd();
  }

  /** Opens a message for writing; what was typed there before and not sent comes back. */
  edit(message) {
    this.#editing = message.id;
    this.acts.refresh();
    const node = this.#nodes.get(message.id)?.node;
    const field = node?.querySelector("textarea");
    field?.focus();
    field?.setSelectionRange(field.value.length, field.value.length);
    node?.scrollIntoView({ block: "nearest" });
  }

  /** Closes what `edit` opened; whether something was open. */
  endEdit() {
    const open = this.#editing;
    this.#editing = null;
    if (open) this.acts.refresh();
    return open !== null;
  }

  get atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < 48;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #place(wanted) {
    const kept = new Set(wanted);
    for (const node of [...this.list.children]) if (!kept.has(node)) node.remove();
    wanted.forEach((node, index) => {
      if (this.list.children[index] !== node) this.list.insertBefore(node, this.list.children[index] ?? null);
    });
  }

  #message(now) {
    const { message, plain, running, editing, last } = now;
    const mine = message.role === "user";
    const who = plain ? (!mine ? "Continued" : message.content ? "Your text" : "Went on") : (mine ? "You" : "Answer");
    const acts = running || editing ? null : this.#acts(now);
    const state = [now.out && !plain && "out", running && "running", last && "last"].filter(Boolean).join(" ");
    return element("li", { className: `message ${message.role} ${state}`, "data-id": message.id },
    element("div", { className: "head" }, element("h3", { className: "who" }, who), mine ? acts : null),
    editing ? this.#field(message) : element("div", { className: "content" }, content(message, plain, now.out)),
    mine || running ? null : element("div", { className: "foot" }, acts,
      element("p", { className: "took" }, took(message.info))));
  }

  #field(message) {
    const { shelf } = this.acts;
    const mine = message.role === "user";
    const kept = shelf.draft(this.conversation, message);
    const field = element("textarea", {
      value: kept || message.content, rows: 3, "aria-label": mine ? "Edit your message" : "Edit the answer",
      oninput: () => {
        shelf.setDraft(this.conversation, message, field.value);
        fit(field);
      },
      onkeydown: (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing || !mine) return;
        event.preventDefault();
        write();
      },
    });
    const done = () => {
      shelf.setDraft(this.conversation, message, "");
      this.endEdit();
    };
    const write = () => {
      if (this.acts.write(message, field.value)) done();
    };
    requestAnimationFrame(() => fit(field));
    return element("div", { className: "edit" }, field, element("div", { className: "row" },
      button(mine ? "Send" : "Keep", write, { className: "primary" }),
      button("Cancel", () => {
        done();
        this.acts.settle();
      })));
  }

  #acts(now) {
    const { message, versions: count, version, busy } = now;
    const mine = message.role === "user";
    const turn = (step) => button(step < 0 ? "‹" : "›", () => {
      this.acts.show(versions(this.conversation, message)[version - 1 + step]);
    }, { disabled: busy || !(version + step >= 1 && version + step <= count),
      "aria-label": step < 0 ? "Earlier version" : "Later version" });
    return element("div", { className: "acts" },
      count > 1 ? element("span", { className: "versions" }, turn(-1), `${version}/${count}`, turn(1)) : null,
      navigator.clipboard ? button("Copy", () => this.acts.copy(message)) : null,
      button("Edit", () => this.edit(message), { disabled: busy }),
      mine ? null : button("Again", () => this.acts.again(message),
        { disabled: busy, title: "Answer again; this answer is kept (Alt+R)" }));
  }
}

/** out: characters at the front that the model no longer gets. */
function content({ role, content: text }, plain, out = 0) {
  if (!plain && role !== "user") return markdown(text);
  return out && plain ? [element("span", { className: "out" }, text.slice(0, out)), text.slice(out)] : [text];
}

function divider({ plain }) {
  return element("li", { className: "divider" }, plain ? "The grey text is left out from now on: the context is full."
    : "Messages above are left out from now on: the context is full.");
}

function fit(field) {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

/** What an answer took, in words: tokens, speed, drafts, steering, why it ended. */
function took(info) {
  if (!info) return "";
  const { usage = {}, speed, stages = [], finish } = info;
  const parts = [];
  if (usage.completion_tokens >= 0) parts.push(counted(usage.completion_tokens, "token"));
  if (speed) parts.push(`${figure(speed)} tok/s`);
  if (usage.drafted) parts.push(`${usage.accepted} of ${counted(usage.drafted, "draft")} accepted`);
  for (const { stage, strength } of stages) parts.push(`${stage} ${strength}`);
  if (ENDS[finish]) parts.push(ENDS[finish]);
  return parts.join(" · ");
}
