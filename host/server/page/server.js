// The server's API: requests with the key, errors with their cause.

import { events } from "./events.js";

const KEY = "tritloom.key";

/**
 * What went wrong, for a person. kind: "gone" (no answer), "key" (401), "busy" (429), "context" (the text is too
 * long), "refused" (any other 4xx), "failed" (5xx or an error within a stream). wait: seconds, where the server says.
 */
export class ServerError extends Error {
  constructor(kind, message, wait = null) {
    super(message);
    this.kind = kind;
    this.wait = wait;
  }
}

let given = null;

/** The key that goes with requests, "" for none. It stays in this tab, or in this browser where that was asked for. */
export function key() {
  try {
    given ??= sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
  } catch { /* a browser that keeps nothing */ }
  return given ?? "";
}

export function setKey(value, remembered) {
  given = value;
  try {
    sessionStorage.removeItem(KEY);
    localStorage.removeItem(KEY);
    if (value) (remembered ? localStorage : sessionStorage).setItem(KEY, value);
  } catch { /* it holds as long as the page */ }
}

export function keyIsRemembered() {
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}

/** The JSON of a path. Raises `ServerError`. */
export async function get(path) {
  const response = await request(path, {});
  try {
    return await response.json();
  } catch {
    throw new ServerError("failed", `The server's answer to ${path} is no JSON.`);
  }
}

/** Posts a body and yields each event of the answer as an object, until "[DONE]". Raises `ServerError`. */
export async function* stream(path, body, signal) {
  const response = await request(path, {
    method: "POST", body: JSON.stringify(body), signal, headers: { "Content-Type": "application/json" },
  });
  let whole = false;
  try {
    for await (const data of events(response.body)) {
      if (data === "[DONE]") {
        whole = true;
        return;
      }
      const event = JSON.parse(data);
      if (event.error) throw failure(response, event);
      yield event;
    }
  } catch (error) {
    if (error instanceof ServerError || error.name === "AbortError") throw error;
    throw new ServerError("gone", "The connection to the server broke off.");
  }
  if (!whole) throw new ServerError("gone", "The server ended the answer before its end.");
}

async function request(path, options) {
  const headers = { ...options.headers };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("gone", "The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  let body = null;
  try {
    body = await response.json();
  } catch { /* an error without JSON has its status */ }
  throw failure(response, body);
}

function failure(response, body) {
  const said = body?.error?.message ?? body?.detail ?? "";
  const code = body?.error?.code ?? body?.error?.type ?? "";
  const status = response.status;
  if (status === 401) {
    return new ServerError("key", key() ? "The server does not take this API key." : "The server asks for an API key.");
  }
  if (status === 429) {
    const wait = Number(response.headers.get("Retry-After")) || null;
    return new ServerError("busy", "The server is busy: its queue is full.", wait);
  }
  if (/context/.test(code) || (status === 400 && /context/.test(said))) {
    return new ServerError("context", sentence(said) || "The text is too long for the model's context.");
  }
  if (status >= 400 && status < 500) return new ServerError("refused", sentence(said) || `Refused (${status}).`);
  return new ServerError("failed", sentence(said) || `The server failed (${status}).`);
}

function sentence(text) {
  const said = String(typeof text === "string" ? text : JSON.stringify(text)).trim();
  return said && said[0].toUpperCase() + said.slice(1) + (/[.!?]$/.test(said) ? "" : ".");
}
