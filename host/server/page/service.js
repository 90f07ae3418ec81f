// What the page knows of the server: asked for at the start and now and then.

import { get, ServerError } from "./server.js";

const EVERY_MS = 5000;
const WHILE_ANSWERING_MS = 1500;

/** status, stages: as the server has them, null before it answered; error: why it did not, null if it did. */
export class Service {
  status = null;
  stages = [];
  error = null;
  #timer = 0;

  /** busy(): whether an answer is under way; `onchange` is called when there is something new. */
  constructor(busy, onchange) {
    Object.assign(this, { busy, onchange });
    document.addEventListener("visibilitychange", () => this.ask());
  }

  /** Tokens that the context holds; null where that is unknown. */
  get context() {
    return this.status?.context ?? null;
  }

  /** Whether the model has no chat template and continues text. */
  get plain() {
    return this.status?.chat_template === false;
  }

  /** Asks now, and again after a while as long as the page is seen. */
  async ask() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    try {
      const status = await get("v1/status");
      // After a silence it may be another server.
      if (this.error || this.status?.model !== status.model) {
        this.stages = (await get("v1/stages")).data;
      }
      this.status = status;
      this.error = null;
    } catch (error) {
      this.error = error instanceof ServerError ? error : new ServerError("failed", String(error));
    }
    this.onchange();
    this.#timer = setTimeout(() => this.ask(), this.busy() ? WHILE_ANSWERING_MS : EVERY_MS);
  }
}
