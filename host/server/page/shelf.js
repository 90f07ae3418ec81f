// Where conversations are kept: in this browser's storage, one entry each, and in memory while the page is open.

import { conversationFrom, newConversation, path } from "./conversation.js";

const PREFIX = "tritloom.conversation.";
const DRAFT = "tritloom.draft.";
const CURRENT = "tritloom.current";

/**
 * conversations: by id. damaged: how many were found so and left where they are. `onproblem` is called with a sentence
 * where the browser keeps nothing, `onother` with the id of a conversation that another tab changed or deleted, unless
 * `isHeld(id)`: what this one is writing to stays its own.
 */
export class Shelf {
  conversations = new Map();
  onproblem = () => {};
  onother = () => {};
  isHeld = () => false;
  damaged = 0;

  constructor() {
    for (const name of names(PREFIX)) this.#read(name.slice(PREFIX.length));
    addEventListener("storage", ({ key }) => {
      if (!key?.startsWith(PREFIX)) return;
      const id = key.slice(PREFIX.length);
      if (this.isHeld(id)) return;
      this.#read(id);
      this.onother(id);
    });
  }

  /** The newest first. */
  get listed() {
    return [...this.conversations.values()].sort((one, other) => other.changed - one.changed);
  }

  /** The conversation that was open last, or the newest, or a new one. */
  last() {
    return this.conversations.get(read(CURRENT)) ?? this.listed[0] ?? this.add(newConversation());
  }

  open(conversation) {
    this.#write(CURRENT, conversation.id);
  }

  add(conversation) {
    this.conversations.set(conversation.id, conversation);
    return conversation;
  }

  /** Whether there is something in it that a person would miss. */
  isWorthKeeping(conversation) {
    return Boolean(path(conversation).length || conversation.title || this.draft(conversation));
  }

  /** Keeps a conversation; an empty one leaves no trace. */
  save(conversation) {
    if (!this.conversations.has(conversation.id)) return;
    if (this.isWorthKeeping(conversation) || conversation.system) {
      this.#write(PREFIX + conversation.id, JSON.stringify(conversation));
    }
  }

  delete(conversation) {
    this.conversations.delete(conversation.id);
    for (const name of [PREFIX + conversation.id, ...names(DRAFT + conversation.id)]) remove(name);
  }

  /** What was typed and not sent: at a conversation's end, or in place of one of its messages. */
  draft(conversation, message = null) {
    return read(draftName(conversation, message)) ?? "";
  }

  setDraft(conversation, message, text) {
    if (text) this.#write(draftName(conversation, message), text);
    else remove(draftName(conversation, message));
  }

  /** A file's text of conversations, all of them or some. */
  exported(conversations = this.listed) {
    return JSON.stringify({ format: "tritloom-conversations", version: 1, conversations }, null, 1);
  }

  /** Takes the conversations of a file's text in, beside those that are there; raises `Error` for what holds none. */
  import(text) {
    let data;
    try {
      data = JSON.parse(text);
    } catch {
      throw new Error("it is no JSON");
    }
    const found = Array.isArray(data) ? data : data?.conversations ?? [data];
    const made = Array.isArray(found) ? found.map((one) => conversationFrom(one)) : [];
    if (!made.length || made.some((one) => !one || !path(one).length)) {
      throw new Error("it holds something that is no conversation");
    }
    for (const conversation of made) this.save(this.add(conversation));
    return made;
  }

  #read(id) {
    const text = read(PREFIX + id);
    if (text === null) {
      this.conversations.delete(id);
      return;
    }
    let conversation = null;
    try {
      conversation = conversationFrom(JSON.parse(text), id);
    } catch { /* damaged, as is one that is none */ }
    if (conversation) this.conversations.set(id, conversation);
    else this.damaged += 1;
  }

  #write(name, text) {
    try {
      localStorage.setItem(name, text);
    } catch (error) {
      this.onproblem(error.name === "QuotaExceededError"
        ? "This browser's storage is full: what comes is not kept. Export conversations and delete some."
        : "This browser keeps nothing for this page: conversations end with it. Export what you need.");
    }
  }
}

function draftName(conversation, message) {
  return `${DRAFT}${conversation.id}.${message?.id ?? ""}`;
}

function names(prefix) {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}

function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function remove(name) {
  try {
    localStorage.removeItem(name);
  } catch { /* nothing is kept anyway */ }
}
