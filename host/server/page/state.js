// What stands at the top: whether the server is there, what it runs, and a word that is to be read.

const at = (id) => document.getElementById(id);

/** The state of a `Service`. */
export function showState({ status, error, plain }) {
  at("state").dataset.state = error ? error.kind : "good";
  at("state-text").textContent = error?.kind === "key" ? "Asks for an API key"
    : error?.kind === "gone" ? "The server does not answer" : error ? "The server reports an error"
      : `${status.model} on ${status.device}`;
  at("notice").hidden = !plain;
  at("notice").textContent = plain ? "This model has no chat template: it continues your text." : "";
  at("system-section").hidden = plain;
}

/** A sentence that stays until it is put away; `after()` is called then. */
export class Word {
  constructor(announcer, after) {
    this.announcer = announcer;
    at("word-close").addEventListener("click", () => {
      at("word").hidden = true;
      after();
    });
  }

  say(text) {
    at("word").hidden = false;
    at("word-text").textContent = text;
    this.announcer.say(text);
  }
}
