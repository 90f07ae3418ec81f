// A conversation: a tree of messages, since an answer made again and a message written anew keep those before them.

const ROOT = "";
const ROLES = ["user", "assistant", "system"];

/** A name that no other has. `crypto.randomUUID` is missing where a page comes over plain HTTP from another machine. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * messages: all of them by id, each with its parent's id. chosen: of the messages behind one parent, which is shown.
 * What the model no longer gets, as its context was full: messages before `start`, the id of one; of a text that is
 * continued, its first `cut` characters.
 */
export function newConversation(system = "") {
  const now = Date.now();
  return { id: newId(), title: "", system, created: now, changed: now, start: ROOT, cut: 0, messages: {}, chosen: {} };
}

/** The messages shown, oldest first. */
export function path(conversation) {
  const found = [];
  let id = conversation.chosen[ROOT];
  while (id && conversation.messages[id]) {
    found.push(conversation.messages[id]);
    id = conversation.chosen[id];
  }
  return found;
}

/** Adds a message behind another ("" for the first) and shows it. */
export function add(conversation, parent, role, content) {
  const message = { id: newId(), parent, role, content, created: Date.now() };
  conversation.messages[message.id] = message;
  conversation.chosen[parent] = message.id;
  touch(conversation);
  if (!conversation.title && role === "user" && content.trim()) conversation.title = titleFrom(content);
  return message;
}

/** Takes a message without followers away; what stood in its place before is shown again. */
export function remove(conversation, message) {
  const others = versions(conversation, message).filter((other) => other !== message);
  delete conversation.messages[message.id];
  delete conversation.chosen[message.parent];
  if (others.length) conversation.chosen[message.parent] = others.at(-1).id;
}

/** The messages that stand in one place, oldest first, this one among them. */
export function versions(conversation, message) {
  return Object.values(conversation.messages).filter((other) => other.parent === message.parent);
}

/** Shows a message instead of the others in its place. */
export function choose(conversation, message) {
  conversation.chosen[message.parent] = message.id;
  touch(conversation);
}

export function touch(conversation) {
  conversation.changed = Date.now();
}

/** Leaves the older half of what is sent out from now on; false where there is nothing to leave out. */
export function leaveOut(conversation, plain) {
  if (plain) {
    const text = path(conversation).map(({ content }) => content).join("");
    const middle = conversation.cut + Math.ceil((text.length - conversation.cut) / 2);
    const space = text.slice(middle).search(/\s/);
    const cut = middle + Math.max(space, 0);
    if (cut <= conversation.cut || cut >= text.length) return false;
    conversation.cut = cut;
  } else {
    const users = sent(conversation).filter(({ role }) => role === "user");
    if (users.length < 2) return false;
    conversation.start = users[Math.floor(users.length / 2)].id;
  }
  touch(conversation);
  return true;
}

/** How many characters of each message shown are left out, by its id; those of which nothing is are not there. */
export function leftOut(conversation, plain) {
  const found = new Map();
  let { cut } = conversation;
  let before = !plain && conversation.messages[conversation.start] !== undefined;
  const shown = path(conversation);
  before &&= shown.some(({ id }) => id === conversation.start);
  for (const { id, content } of shown) {
    before &&= id !== conversation.start;
    const out = plain ? Math.min(cut, content.length) : before ? content.length : 0;
    cut -= plain ? out : 0;
    if (out || before) found.set(id, out);
  }
  return found;
}

function sent(conversation) {
  const out = leftOut(conversation, false);
  return path(conversation).filter(({ id }) => !out.has(id));
}

/**
 * The messages as a request has them. plain: for a model without a chat template, whose text they are; it knows no
 * system message, and an empty message goes on where the text stopped.
 */
export function asRequest(conversation, plain) {
  if (plain) {
    const out = leftOut(conversation, true);
    return path(conversation).map(({ id, role, content }) => ({ role, content: content.slice(out.get(id) ?? 0) }));
  }
  const messages = [];
  for (const { role, content } of sent(conversation).filter((message) => message.content)) {
    // Templates may want the roles to alternate: what nobody answered goes with what follows.
    if (messages.at(-1)?.role === role) messages.at(-1).content += `\n\n${content}`;
    else messages.push({ role, content });
  }
  return conversation.system.trim() ? [{ role: "system", content: conversation.system }, ...messages] : messages;
}

function titleFrom(content) {
  const line = content.trim().split("\n", 1)[0];
  return line.length > 48 ? `${line.slice(0, 47).trimEnd()}…` : line;
}

/**
 * A conversation of data that may be anything: what this page wrote, or a list of {role, content} as others write it;
 * null where it is none. id: what it is called from now on.
 */
export function conversationFrom(data, id = newId()) {
  if (typeof data !== "object" || data === null || typeof data.messages !== "object" || data.messages === null) {
    return null;
  }
  const made = { ...newConversation(text(data.system)), id, title: text(data.title), cut: count(data.cut) };
  made.created = count(data.created) || made.created;
  made.changed = count(data.changed) || made.changed;
  const listed = Array.isArray(data.messages);
  for (const [name, message] of Object.entries(data.messages)) {
    if (!ROLES.includes(message?.role) || typeof message.content !== "string" || !/^[0-9a-z]{1,64}$/i.test(name)) {
      return null;
    }
    const { role, content, created } = message;
    if (listed && role === "system") made.system = content;
    else if (listed) add(made, path(made).at(-1)?.id ?? ROOT, role, content);
    else {
      made.messages[name] = { id: name, parent: text(message.parent), role, content, created: count(created) };
      if (message.info) made.messages[name].info = infoFrom(message.info);
    }
  }
  if (!listed) {
    if (Object.values(made.messages).some(({ parent }) => parent !== ROOT && !made.messages[parent])) return null;
    for (const [parent, child] of Object.entries(data.chosen ?? {})) {
      if (made.messages[child]?.parent === parent) made.chosen[parent] = child;
    }
    if (made.messages[data.start]) made.start = data.start;
  }
  return made;
}

function infoFrom({ model, finish, speed, usage, settings, stages }) {
  const numbers = (of) => Object.fromEntries(Object.entries(of ?? {}).filter(([, value]) => Number.isFinite(value)));
  return { model: text(model), finish: text(finish), speed: Number(speed) || 0, usage: numbers(usage),
    settings: numbers(settings), stages: Array.isArray(stages)
      ? stages.filter((one) => typeof one?.stage === "string" && Number.isFinite(one.strength)) : [] };
}

function text(value) {
  return typeof value === "string" ? value : "";
}

function count(value) {
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}
