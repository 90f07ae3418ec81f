// What people do with conversations: send, stop, answer again, write anew. The page is told what changed.

import { Run } from "./answering.js";
import { add, choose, leaveOut, newConversation, path, remove } from "./conversation.js";
import { ServerError } from "./server.js";

/**
 * The conversations of a shelf and their answers under way, one a conversation, several at once.
 *
 * request(): what an answer needs beside the messages, null where it cannot be asked for now. onrender(conversation) is
 * called when messages changed, ongrow(run) when an answer has more text, onend(run, error) when it has ended.
 */
export class Talk {
  #runs = new Map();
  #problems = new Map();

  constructor(shelf, { request, onrender, ongrow, onend }) {
    Object.assign(this, { shelf, request, onrender, ongrow, onend });
    this.current = shelf.last();
  }

  /** The answer under way in a conversation, or null. */
  run(conversation = this.current) {
    return this.#runs.get(conversation.id) ?? null;
  }

  get answering() {
    return new Set(this.#runs.keys());
  }

  /** The error that the last answer of the open conversation ended with; null for none. */
  get problem() {
    return this.#problems.get(this.current.id) ?? null;
  }

  /** The conversations that are worth a place in a list, the newest first: not those begun and left empty. */
  get listed() {
    return this.shelf.listed.filter((one) => one === this.current || this.shelf.isWorthKeeping(one));
  }

  /** Whether the open conversation ends with something that nobody answered. */
  get unanswered() {
    return !this.run() && path(this.current).at(-1)?.role === "user";
  }

  open(conversation) {
    this.current = conversation;
    this.shelf.open(conversation);
    this.onrender(conversation);
  }

  /** Opens an empty conversation: the one there is, or a new one with the system prompt of the open one. */
  new() {
    const empty = this.shelf.listed.find((one) => !this.shelf.isWorthKeeping(one));
    this.open(empty ?? this.shelf.add(newConversation(this.current.system)));
  }

  delete() {
    this.run()?.stop();
    this.#problems.delete(this.current.id);
    this.shelf.delete(this.current);
    this.open(this.shelf.last());
  }

  /** Adds a message and asks for its answer; false, with nothing changed, where none can be asked for. */
  send(text) {
    return !this.run() && this.#ask(path(this.current).at(-1)?.id ?? "", text);
  }

  /**
   * A message anew: of a user, sent in place of the one before; of the model, what it is taken to have said. False,
   * with nothing changed, where that cannot be now.
   */
  write(message, text) {
    if (this.run()) return false;
    if (message.role === "user") return this.#ask(message.parent, text);
    add(this.current, message.parent, message.role, text).info = { finish: "edited" };
    this.#changed();
    return true;
  }

  /** Asks again for an answer, beside those there are. */
  again(message = path(this.current).findLast(({ role }) => role === "assistant")) {
    if (!message || this.run()) return;
    const request = this.request();
    if (request) this.#answer(this.current, message.parent, request);
  }

  /** Asks for the answer that is missing. */
  retry() {
    const last = path(this.current).at(-1);
    const request = last?.role === "user" && !this.run() && this.request();
    if (request) this.#answer(this.current, last.id, request);
  }

  /** Shows another message in the place of one. */
  show(message) {
    choose(this.current, message);
    this.#changed();
  }

  /** Leaves the older half out of what the model gets, and asks again; false where there is nothing to leave out. */
  leaveOut(plain) {
    const some = leaveOut(this.current, plain);
    if (some) this.retry();
    return some;
  }

  setTitle(title) {
    this.current.title = title;
    this.shelf.save(this.current);
  }

  setSystem(system) {
    this.current.system = system;
    this.shelf.save(this.current);
  }

  stop() {
    this.run()?.stop();
  }

  /** Keeps all answers under way as far as they came: the page may be about to go. */
  keep() {
    for (const run of this.#runs.values()) this.shelf.save(run.conversation);
  }

  #ask(parent, text) {
    const request = this.request();
    if (!request || !(request.plain || text.trim())) return false;
    this.#answer(this.current, add(this.current, parent, "user", text).id, request);
    return true;
  }

  #changed() {
    this.#problems.delete(this.current.id);
    this.shelf.save(this.current);
    this.onrender(this.current);
  }

  async #answer(conversation, parent, request) {
    const message = add(conversation, parent, "assistant", "");
    const run = new Run(conversation, message, {
      onchange: () => this.ongrow(run), onkeep: () => this.shelf.save(conversation),
    });
    this.#runs.set(conversation.id, run);
    this.#problems.delete(conversation.id);
    this.shelf.save(conversation);
    this.onrender(conversation);
    let problem = null;
    try {
      await run.run(request);
    } catch (error) {
      if (!(error instanceof ServerError)) console.error(error);
      problem = error instanceof ServerError ? error : new ServerError("failed", `The page failed: ${error.message}`);
    }
    this.#runs.delete(conversation.id);
    // What never began leaves no trace, and the earlier answer in its place is shown again.
    if (!message.content && (problem || run.stopped)) remove(conversation, message);
    if (problem) this.#problems.set(conversation.id, problem);
    this.shelf.save(conversation);
    this.onrender(conversation);
    this.onend(run, problem);
  }
}
