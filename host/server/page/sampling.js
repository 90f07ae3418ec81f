// The fields of sampling: what is left empty is the server's to choose.

import { element } from "./element.js";

/** name in a request, label, limits, what holds where nothing is given, a sentence. */
const FIELDS = [
  ["temperature", "Temperature", { min: 0, max: 100, step: 0.1 }, "0.7", "0: always the likeliest."],
  ["top_k", "Top k", { min: 0, step: 1, whole: true }, "all", "Only the k likeliest."],
  ["top_p", "Top p", { min: 0, max: 1, step: 0.05, above: true }, "0.95", "The likeliest, p together."],
  ["min_p", "Min p", { min: 0, max: 1, step: 0.01 }, "0", "None below p × the best."],
  ["repeat_penalty", "Repeat penalty", { min: 0, max: 100, step: 0.05, above: true }, "1", "Above 1: fewer repeats."],
  ["seed", "Seed", { min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, whole: true }, "random", "Same seed, same answer."],
  ["max_tokens", "Max tokens", { min: 1, step: 1, whole: true }, "no limit", "The longest answer."],
  ["speculate", "Drafts a pass", { min: 0, step: 1, whole: true }, "as started", "Same text, fewer passes."],
];

/** Builds the fields in `place`; `values` is the kept object that they write to, `onchange` is called then. */
export class Sampling {
  #inputs = new Map();

  constructor(place, values, onchange) {
    for (const [name, label, limits, none, hint] of FIELDS) {
      const input = element("input", {
        id: `sampling-${name}`, type: "number", inputMode: limits.whole ? "numeric" : "decimal", placeholder: none,
        min: limits.min, max: limits.max ?? "", step: limits.step, value: values[name] ?? "",
        "aria-describedby": `hint-${name}`,
        oninput: () => {
          values[name] = input.value;
          this.#check(name);
          onchange();
        },
      });
      const line = element("p", { className: "hint", id: `hint-${name}` }, hint);
      this.#inputs.set(name, { input, line, limits, label, hint });
      place.append(element("div", { className: "field" },
        element("label", { htmlFor: input.id }, label), input, line));
      this.#check(name);
    }
  }

  /** The fields of a request; null where one holds what cannot be sent: it then has the focus. */
  settings() {
    const found = {};
    for (const [name, { input }] of this.#inputs) {
      if (!this.#check(name)) {
        input.focus();
        return null;
      }
      if (input.value !== "") found[name] = Number(input.value);
    }
    return found;
  }

  #check(name) {
    const { input, line, limits, label, hint } = this.#inputs.get(name);
    const { min, max = Infinity, above, whole } = limits;
    const value = Number(input.value);
    const missing = input.value === "" && !input.validity.badInput;
    const fits = missing || (!input.validity.badInput && (above ? value > min : value >= min) && value <= max
      && (!whole || Number.isInteger(value)));
    input.setAttribute("aria-invalid", String(!fits));
    const range = max < 1e6 ? `${above ? "above" : "from"} ${min} to ${max}` : `${min} or more`;
    line.textContent = fits ? hint : `${label} is ${whole ? "a whole number" : "a number"} ${range}.`;
    line.classList.toggle("wrong", !fits);
    return fits;
  }
}
