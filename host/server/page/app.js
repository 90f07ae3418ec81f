// The page: its elements, and who tells whom.

import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { path } from "./conversation.js";
import { ConversationList } from "./conversation_list.js";
import { Device } from "./device.js";
import { wireFiles } from "./files.js";
import { listenToKeys } from "./keys.js";
import { Panel } from "./panels.js";
import { keyForm, Trouble } from "./problem.js";
import { Sampling } from "./sampling.js";
import { key, keyIsRemembered, setKey } from "./server.js";
import { Service } from "./service.js";
import { Settings } from "./settings.js";
import { Shelf } from "./shelf.js";
import { showState, Word } from "./state.js";
import { Steering } from "./steering.js";
import { Talk } from "./talk.js";
import { Transcript } from "./transcript.js";
import { welcome } from "./welcome.js";

const at = (id) => document.getElementById(id);

const settings = new Settings();
const shelf = new Shelf();
const announcer = new Announcer(at("announcer"));
const device = new Device(at("device"));
const sampling = new Sampling(at("sampling"), settings.sampling, () => settings.keep());
const steering = new Steering(at("steering"), settings.strengths, () => settings.keep());
const service = new Service(() => talk.answering.size > 0, () => showService());
const talk = new Talk(shelf, { request, onrender, ongrow, onend });
const list = new ConversationList(at("list"), (id) => {
  if (listPanel.covers) listPanel.close();
  open(shelf.conversations.get(id));
});
const transcript = new Transcript(at("messages"), at("scroller"), {
  shelf, refresh: () => render(),
  again: (message) => {
    talk.again(message);
    composer.focus();
  },
  write: (message, text) => {
    const taken = talk.write(message, text);
    if (taken) composer.focus();
    return taken;
  },
  show: (message) => talk.show(message),
  copy: async (message) => {
    await navigator.clipboard.writeText(message.content);
    announcer.say("Copied.");
  },
  settle: () => composer.focus(),
});
const composer = new Composer({
  form: at("composer"), field: at("prompt"), label: at("prompt-label"), send: at("send"), stop: at("stop"),
  gauge: at("gauge"), pace: at("pace"), rest: at("scroller"),
}, {
  send: (text) => {
    const taken = talk.send(text);
    if (taken) transcript.toEnd();
    return taken;
  },
  stop: () => talk.stop(),
  typed: (text) => {
    shelf.setDraft(talk.current, null, text);
    if (!path(talk.current).length) shelf.save(talk.current);
  },
  editLast: () => {
    const last = path(talk.current).findLast(({ role }) => role === "user");
    if (last) transcript.edit(last);
    return Boolean(last);
  },
});
const trouble = new Trouble({
  retry: () => retry(() => (talk.unanswered ? talk.retry() : talk.again())),
  leaveOut: () => retry(() => {
    if (!talk.leaveOut(service.plain)) say("Nothing older is left to leave out: edit your message.");
  }),
  useKey: (text, remembered) => {
    useKey(text, remembered);
    trouble.acts.retry();
  },
});
const listPanel = new Panel("list", at("list-panel"), at("show-list"), settings.panels, () => settings.keep());
const settingsPanel = new Panel("settings", at("settings-panel"), at("show-settings"), settings.panels,
  () => settings.keep());

/** What an answer needs beside its messages; null, with a word why, where it cannot be asked for. */
function request() {
  const sampled = sampling.settings();
  if (!sampled) {
    settingsPanel.open();
    sampling.settings();
    announcer.say("A sampling field holds what cannot be sent.");
    return null;
  }
  device.begin();
  return { context: service.context, plain: service.plain, settings: sampled, stages: steering.strengths() };
}

function onrender(conversation) {
  if (conversation === talk.current) render();
  else showList();
}

function ongrow(run) {
  if (run.conversation !== talk.current) return;
  transcript.grow(run.message, service.plain);
  composer.showPace(run.speed, true);
  showJump();
}

function onend(run, problem) {
  if (run.conversation === talk.current) {
    if (problem) announcer.say(problem.message);
    else if (run.stopped) announcer.say("Stopped.");
    else announcer.answer(run.message.content);
  }
  service.ask();
}

function render() {
  const { current } = talk;
  const { plain } = service;
  const run = talk.run();
  const shown = path(current);
  transcript.render(current, { run, plain, problem: trouble.row(talk) });
  composer.settle({ plain, begun: shown.length > 0, answering: run !== null });
  const usage = shown.findLast(({ info }) => info?.usage)?.info.usage;
  composer.showContext(usage?.total_tokens ?? null, service.context);
  composer.showPace(run?.speed ?? 0, run !== null);
  if (document.activeElement !== at("title")) at("title").value = current.title;
  if (document.activeElement !== at("system")) at("system").value = current.system;
  at("welcome").hidden = shown.length > 0;
  for (const id of ["export", "delete"]) at(id).disabled = !shown.length && !current.title;
  document.title = current.title ? `${current.title} · Tritloom` : "Tritloom";
  showList();
  showJump();
}

function retry(act) {
  act();
  composer.focus();
}

function showList() {
  list.render(talk.listed, talk.current, talk.answering);
}

function showJump() {
  at("to-end").hidden = transcript.atEnd;
}

/** Ends what is being changed in a field, before another conversation is open: it belongs to the one before. */
function leaveField() {
  document.activeElement?.blur();
}

function open(conversation) {
  leaveField();
  talk.open(conversation);
  composer.text = shelf.draft(conversation);
  transcript.toEnd();
  showJump();
  composer.focus();
}

function showService() {
  const { status, error, plain } = service;
  showState(service);
  if (status) device.show(status);
  steering.show(service.stages);
  welcome(at("welcome"), { status, error, plain, useKey });
  render();
}

function useKey(text, remembered) {
  setKey(text, remembered);
  if (shelf.damaged) say("A conversation kept in this browser is damaged and was left out.");
showKey();
  service.ask();
}

function showKey() {
  at("key").replaceChildren(keyForm(useKey, { value: key(), remembered: keyIsRemembered() }));
}

const word = new Word(announcer, () => composer.focus());
const say = (text) => word.say(text);

shelf.onproblem = say;
shelf.isHeld = (id) => talk.answering.has(id);
shelf.onother = (id) => {
  if (id === talk.current.id) {
    const now = shelf.conversations.get(id);
    if (now) talk.current = now;
    else open(shelf.last());
  }
  render();
};
wireFiles({ shelf, talk, open, say });
at("new").addEventListener("click", () => begin());
at("title").addEventListener("change", ({ target }) => {
  talk.setTitle(target.value.trim());
  showList();
});
at("title").addEventListener("keydown", (event) => {
  if (event.key === "Enter") composer.focus();
});
at("system").addEventListener("input", ({ target }) => talk.setSystem(target.value));
at("to-end").addEventListener("click", () => {
  transcript.toEnd();
  composer.focus();
});
at("scroller").addEventListener("scroll", showJump, { passive: true });
at("show-shortcuts").addEventListener("click", () => at("shortcuts").showModal());
addEventListener("pagehide", () => talk.keep());
listenToKeys({
  stop: () => {
    const running = talk.run() !== null;
    talk.stop();
    return running;
  },
  close: () => {
    const panel = [listPanel, settingsPanel].find(({ covers }) => covers);
    panel?.close();
    if (panel) return true;
    const edited = transcript.endEdit();
    if (edited) composer.focus();
    return edited;
  },
  again: () => talk.again(),
  new: () => begin(),
  step: (by) => {
    const next = talk.listed[talk.listed.indexOf(talk.current) + by];
    if (next) open(next);
  },
  settings: () => at("show-settings").click(),
  list: () => at("shortcuts").showModal(),
});

function begin() {
  if (listPanel.covers) listPanel.close();
  leaveField();
  talk.new();
  open(talk.current);
}

if (shelf.damaged) say("A conversation kept in this browser is damaged and was left out.");
showKey();
open(talk.current);
service.ask();
