// The two panels beside the conversation: columns where there is room, else sheets over it.

const WIDE = matchMedia("(min-width: 68rem)");

/** A panel with the button that opens it. `kept`: an object whose `name` remembers whether the column is open. */
export class Panel {
  constructor(name, panel, toggle, kept, onkeep) {
    Object.assign(this, { name, panel, toggle, kept, onkeep });
    toggle.addEventListener("click", () => (panel.hidden ? this.open() : this.close()));
    panel.querySelector(".close").addEventListener("click", () => this.close());
    WIDE.addEventListener("change", () => this.settle());
    this.settle();
  }

  /** Whether it covers the conversation now. */
  get covers() {
    return !this.panel.hidden && !WIDE.matches;
  }

  settle() {
    this.#show(WIDE.matches && this.kept[this.name] !== false);
  }

  open() {
    this.#show(true);
    this.#keep(true);
    if (this.covers) this.panel.querySelector("button").focus();
  }

  close() {
    const had = this.panel.contains(document.activeElement);
    this.#keep(false);
    this.#show(false);
    if (had) this.toggle.focus();
  }

  #keep(open) {
    if (!WIDE.matches) return;
    this.kept[this.name] = open;
    this.onkeep();
  }

  #show(open) {
    this.panel.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
    // Under a sheet nothing can be reached by keyboard.
    for (const other of document.body.children) {
      if (other.tagName !== "DIALOG" && other.id !== "announcer") other.inert = this.covers && other !== this.panel;
    }
  }
}
