// Making elements. Text is always text: nothing here reads markup, so nothing that a model says can become any.

/**
 * An element with properties and children; `null` and `false` among the children are left out.
 * Properties are the element's own (`className`, `onclick`, …); names with a dash are set as attributes.
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** A button that does not send its form. */
export function button(label, onclick, properties = {}) {
  return element("button", { type: "button", onclick, ...properties }, ...[label].flat());
}

/** A number for reading: three digits that count, thousands apart. */
export function figure(value) {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: 0, maximumFractionDigits: digits });
}

/** "1 token", "2 tokens". */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
