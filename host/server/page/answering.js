// One answer: the request, its stream, what comes of it.

import { asRequest } from "./conversation.js";
import { stream } from "./server.js";

const SAVED_EVERY_MS = 1000;

/**
 * An answer under way. conversation, message: where it is written to; message.info says in the end what it took.
 * `onchange` is called when there is more text, at most once a frame; `onkeep` about once a second.
 */
export class Run {
  #abort = new AbortController();
  #first = 0;
  #last = 0;
  #frame = 0;
  pieces = 0;
  stopped = false;

  constructor(conversation, message, { onchange, onkeep }) {
    Object.assign(this, { conversation, message, onchange, onkeep });
  }

  /** Ends the answer; what came stays. */
  stop() {
    this.stopped = true;
    this.#abort.abort();
  }

  /** Tokens a second since the first: pieces of text until the server has counted. */
  get speed() {
    const seconds = (this.#last - this.#first) / 1000;
    const tokens = this.message.info?.usage?.completion_tokens ?? this.pieces;
    return seconds > 0 && tokens > 1 ? (tokens - 1) / seconds : 0;
  }

  /** Runs it to its end. Raises `ServerError`; the message then holds what came before. */
  async run({ context, plain, settings, stages }) {
    const { message } = this;
    const body = { messages: asRequest(this.#before(), plain), stream: true,
      stream_options: { include_usage: true }, ...settings, ...(stages ? { stages } : {}) };
    message.info = { settings, stages: (stages ?? []).filter(({ strength }) => strength !== 0),
      finish: "interrupted" };
    let kept = performance.now();
    try {
      for await (const event of stream("v1/chat/completions", body, this.#abort.signal)) {
        this.#take(event, context);
        if (performance.now() - kept > SAVED_EVERY_MS) {
          kept = performance.now();
          this.onkeep();
        }
      }
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      message.info.finish = "stopped";
    } finally {
      cancelAnimationFrame(this.#frame);
      message.info.speed = message.info.timings?.tokens_per_s || this.speed;
      if (!plain) message.content = message.content.trim();
    }
  }

  /** The conversation without the message that is being written. */
  #before() {
    const { conversation, message } = this;
    const chosen = { ...conversation.chosen };
    delete chosen[message.parent];
    return { ...conversation, chosen };
  }

  #take(event, context) {
    const { info } = this.message;
    if (event.model) info.model = event.model;
    if (event.usage) info.usage = counts(event.usage);
    if (event.timings) info.timings = event.timings;
    // To OpenAI's clients both limits are "length".
    if (info.finish === "length" && info.usage?.total_tokens >= context) info.finish = "context";
    const choice = event.choices?.[0];
    if (!choice) return;
    if (choice.finish_reason) info.finish = choice.finish_reason;
    const piece = choice.delta?.content ?? "";
    if (!piece) return;
    this.#last = performance.now();
    this.#first ||= this.#last;
    this.pieces += 1;
    this.message.content += piece;
    if (!this.#frame) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.onchange();
      });
    }
  }
}

/** The counts of a `usage` that are shown. */
function counts({ prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details: before,
  completion_tokens_details: after }) {
  return { prompt_tokens, completion_tokens, total_tokens, cached: before?.cached_tokens ?? 0,
    drafted: after?.drafted_tokens ?? 0, accepted: after?.accepted_tokens ?? 0 };
}
