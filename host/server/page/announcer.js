// What a screen reader is told. An answer is told once, when it is whole: not token by token.

const LONGEST = 1200;

export class Announcer {
  constructor(region) {
    this.region = region;
  }

  /** Says a sentence when the reader is free. */
  say(text) {
    // The same sentence twice is a change only if the region was empty in between.
    this.region.textContent = "";
    setTimeout(() => { this.region.textContent = text; }, 60);
  }

  /** Says an answer, the start of a long one. */
  answer(text) {
    const whole = text.length <= LONGEST;
    this.say(whole ? `Answer: ${text}` : `Answer: ${text.slice(0, LONGEST)}… The rest stands in the conversation.`);
  }
}
