"use strict";
// The calls of the API. The page lies at /console, so that "." is the API's address, whatever host, stage or base path.

const ACCESS = "access";
const NAMES = "names";
// Seconds that a person waits for an answer; what takes longer is told.
const LONGEST_WAIT = 30;

/** A refusal of the API: its status, and a message for a person. */
class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** What a person gave as key and tokens, for this tab alone: values by header. A stack may ask for two of them. */
function access() {
  return JSON.parse(sessionStorage.getItem(ACCESS) || "{}");
}

function keepAccess(header, value) {
  sessionStorage.setItem(ACCESS, JSON.stringify({ ...access(), [header]: value }));
}

function forgetAccess() {
  sessionStorage.removeItem(ACCESS);
}

/** What this tab knows of its jobs, which the API does not tell: their prompts. */
function remember(jobId, prompt) {
  const names = JSON.parse(sessionStorage.getItem(NAMES) || "{}");
  names[jobId] = prompt.slice(0, 500);
  sessionStorage.setItem(NAMES, JSON.stringify(names));
}

function remembered(jobId) {
  return JSON.parse(sessionStorage.getItem(NAMES) || "{}")[jobId] || "";
}

/** Call a route; gives its JSON, or throws Refused. `prefer` is for RFC 7240, `signal` ends the call early. */
async function call(method, path, { body, prefer, key, signal } = {}) {
  const headers = { ...access() };
  if (headers.Authorization) headers.Authorization = `Bearer ${headers.Authorization}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (prefer) headers.Prefer = prefer;
  if (key) headers["Idempotency-Key"] = key;
  const sent = { method, headers, signal, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body) };
  for (let attempt = 1; ; attempt++) {
    const answer = await fetchOnce(path, sent);
    const busy = answer.status === 429 || answer.status === 503;
    const wait = Number(answer.headers.get("Retry-After")) || attempt;
    if (!busy || attempt === 4 || wait > LONGEST_WAIT) return understood(answer);
    await pause(wait, signal);
  }
}

async function fetchOnce(path, sent) {
  try {
    return await fetch(path, sent);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The service cannot be reached. Check your connection, then try again.");
  }
}

async function understood(answer) {
  const text = await answer.text();
  let parsed = null;
  try {
    parsed = text ? JSON.parse(text) : null;
  } catch {
    throw new Refused(answer.status, `The service answered ${answer.status} in a form that this page does not know.`);
  }
  if (!answer.ok) throw new Refused(answer.status, reason(answer.status, parsed));
  return parsed;
}

function reason(status, parsed) {
  const detail = parsed && (parsed.detail ?? parsed.message);
  if (Array.isArray(detail)) return detail.map((one) => `${one.loc.slice(1).join(".") || "request"}: ${one.msg}`).join("; ");
  return detail || `The service answered ${status}.`;
}

function pause(seconds, signal) {
  return new Promise((done, stopped) => {
    const timer = setTimeout(done, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      stopped(new DOMException("stopped", "AbortError"));
    });
  });
}

/** Send a file to where a form of POST /uploads says. */
async function sendFile(form, file) {
  let sent;
  if (form.method === "PUT") {
    // Without its type, which a browser would send as a header that the link was not signed for.
    sent = { method: "PUT", body: new Blob([file]), headers: form.fields || {} };
  } else {
    const data = new FormData();
    for (const [name, value] of Object.entries(form.fields)) data.append(name, value);
    data.append("file", file);
    sent = { method: "POST", body: data };
  }
  const answer = await fetchOnce(form.url, sent);
  if (!answer.ok) throw new Refused(answer.status, `The storage refused ${file.name} (${answer.status}).`);
}
