// A slider for each stage that the server steers with.

import { element } from "./element.js";

/**
 * Builds sliders in `place` as the server names stages. values: the kept object of strengths by name, those alone that
 * differ from the server's own; `onchange` is called when one changes.
 */
export class Steering {
  #stages = [];

  constructor(place, values, onchange) {
    Object.assign(this, { place, values, onchange });
    this.show([]);
  }

  /** stages: {name, kind, method, strength, adjustable} each, as /v1/stages has them. */
  show(stages) {
    if (JSON.stringify(stages) === JSON.stringify(this.#stages) && this.place.children.length) return;
    this.#stages = stages;
    this.place.replaceChildren(...(stages.length ? stages.map((stage) => (
      stage.adjustable ? this.#slider(stage) : this.#fixed(stage))) : [element("p", { className: "hint" },
      "No stages. A server that was started with some has a slider for each here.")]));
  }

  /** What a request says of stages, null where the server's own strengths hold. */
  strengths() {
    const found = this.#stages.filter(({ name, adjustable }) => adjustable && name in this.values)
      .map(({ name }) => ({ stage: name, strength: this.values[name] }));
    return found.length ? found : null;
  }

  #fixed({ name, kind, method, strength }) {
    return element("div", { className: "slider" }, head(name, kind, method),
      element("p", { className: "hint" }, `Acts on every answer, at ${strength}.`));
  }

  #slider({ name, kind, method, strength }) {
    const reach = Math.max(2 * Math.abs(strength), 1);
    const label = `${name}, strength`;
    const now = this.values[name] ?? strength;
    const slider = element("input", {
      type: "range", min: String(-reach), max: String(reach), step: String(reach / 100), "aria-label": label,
      oninput: () => set(Number(slider.value), number),
    });
    const number = element("input", {
      type: "number", step: String(reach / 20), "aria-label": `${label}, as a number`,
      oninput: () => {
        if (number.value !== "" && Math.abs(Number(number.value)) <= 1000) set(Number(number.value), slider);
      },
    });
    const reset = element("button", { type: "button", title: `Back to ${strength}`, "aria-label": `Reset ${name}`,
      onclick: () => {
        slider.value = number.value = strength;
        set(strength, slider);
        slider.focus();
      } }, "Reset");
    const set = (value, other) => {
      const exact = Number(value.toPrecision(4));
      other.value = exact;
      if (exact === strength) delete this.values[name];
      else this.values[name] = exact;
      reset.disabled = exact === strength;
      this.onchange();
    };
    slider.value = number.value = now;
    reset.disabled = now === strength;
    return element("div", { className: "slider" },
      head(name, kind, method), element("div", { className: "slider-row" }, slider, number, reset));
  }
}

function head(name, kind, method) {
  return element("div", { className: "slider-head" }, element("strong", {}, name),
    element("span", { className: "hint" }, `${kind}, ${method}`));
}
