// Settings that hold for all conversations, kept in this browser.

const NAME = "tritloom.settings";

/** sampling: what was typed, by field; strengths: of stages, by name; panels: which columns are open. */
export class Settings {
  sampling = {};
  strengths = {};
  panels = {};

  constructor() {
    try {
      const kept = JSON.parse(localStorage.getItem(NAME)) ?? {};
      for (const part of ["sampling", "strengths", "panels"]) Object.assign(this[part], kept[part]);
    } catch { /* damaged or not to be had: as at first */ }
  }

  keep() {
    try {
      localStorage.setItem(NAME, JSON.stringify({ ...this }));
    } catch { /* they hold as long as the page */ }
  }
}
