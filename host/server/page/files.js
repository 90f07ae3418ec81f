// Conversations as files, and their end.

import { path } from "./conversation.js";

const at = (id) => document.getElementById(id);

/** Wires the buttons for export, import and deletion. `open(conversation)` shows one, `say(text)` tells a person. */
export function wireFiles({ shelf, talk, open, say }) {
  at("export").addEventListener("click", () => {
    download(fileName(talk.current.title), shelf.exported([talk.current]));
  });
  at("export-all").addEventListener("click", () => {
    download("tritloom-conversations.json", shelf.exported(shelf.listed.filter((one) => path(one).length)));
  });
  at("import").addEventListener("click", () => at("import-file").click());
  at("import-file").addEventListener("change", async ({ target }) => {
    const [file] = target.files;
    target.value = "";
    if (!file) return;
    try {
      const made = shelf.import(await file.text());
      open(made[0]);
      say(made.length === 1 ? "One conversation taken in." : `${made.length} conversations taken in.`);
    } catch (error) {
      say(`${file.name} was not taken in: ${error.message}.`);
    }
  });
  at("delete").addEventListener("click", async () => {
    const { title } = talk.current;
    if (!await confirmed(`“${title || "New conversation"}” goes from this browser for good.`)) return;
    talk.delete();
    open(talk.current);
    say("Deleted.");
  });
}

function fileName(title) {
  const plain = title.normalize("NFKD").replace(/[^\w -]/g, "").trim().replace(/\s+/g, "-").toLowerCase();
  return `${plain.slice(0, 40) || "conversation"}.json`;
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function confirmed(question) {
  const dialog = at("confirm");
  at("confirm-text").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
