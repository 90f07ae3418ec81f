// A conversation: a tree of messages, since an answer made again and a message written anew keep those before them.

const ROOT = "";

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

/** How many characters of each message shown are left out, by its id: all of those before `start`, or the text's first. */
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

/** A conversation as it was read from a file, under a name of its own; null where it is none. */
export function conversationFrom(data) {
  if (typeof data !== "object" || data === null || typeof data.messages !== "object" || data.messages === null) {
    return null;
  }
  const made = newConversation(text(data.system));
  made.title = text(data.title);
  made.created = Number(data.created) || made.created;
  made.changed = Number(data.changed) || made.changed;
  // A list of {role, content}, as others write conversations, is a chain.
  const listed = Array.isArray(data.messages);
  let last = ROOT;
  for (const [id, message] of Object.entries(data.messages)) {
    if (!["user", "assistant", "system"].includes(message?.role) || typeof message.content !== "string") return null;
    if (!/^[0-9a-z]{1,64}$/i.test(id)) return null;
    if (listed && message.role === "system") {
      made.system = message.content;
      continue;
    }
    const place = listed ? { id: newId(), parent: last } : { id, parent: text(message.parent) };
    if (!made.title && message.role === "user") made.title = titleFrom(message.content);
    const { role, content, info } = message;
    made.messages[place.id] = { ...place, role, content, created: Number(message.created) || made.created };
    if (typeof info === "object" && info !== null) made.messages[place.id].info = info;
    last = place.id;
    if (listed) made.chosen[place.parent] = place.id;
  }
  if (!listed) {
    if (Object.values(made.messages).some(({ parent }) => parent !== ROOT && !made.messages[parent])) return null;
    for (const [parent, child] of Object.entries(data.chosen ?? {})) {
      if (made.messages[child]?.parent === parent) made.chosen[parent] = child;
    }
    if (made.messages[data.start]) made.start = data.start;
    made.cut = Math.max(0, Math.floor(Number(data.cut))) || 0;
  }
  return Object.keys(made.messages).length ? made : null;
}

function text(value) {
  return typeof value === "string" ? value : "";
}
