// The keyboard, beside what fields and buttons do by themselves.

/**
 * acts: `stop()` and `close()`, each whether there was something to stop or to close; `again`, `new`, `step(by)`,
 * `settings`, `list`.
 */
export function listenToKeys(acts) {
  addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const { code, key, altKey, ctrlKey, metaKey, shiftKey } = event;
    let act = null;
    if (key === "Escape" && !document.querySelector("dialog[open]")) act = () => acts.close() || acts.stop();
    else if (key === "/" && (ctrlKey || metaKey)) act = acts.list;
    else if (altKey && !ctrlKey && !metaKey && !shiftKey) {
      // By place on the keyboard: with Alt, some layouts give other letters.
      act = { KeyR: acts.again, KeyN: acts.new, KeyP: acts.settings, ArrowUp: () => acts.step(-1),
        ArrowDown: () => acts.step(1) }[code] ?? null;
    }
    if (!act) return;
    if (act() !== false) event.preventDefault();
  });
}
