"use strict";
// The calls of the API. The page lies at /console, so that "." is the API's address, whatever host, stage or base path.

const ACCESS = "access";
const SENT = "sent";
// Seconds that a person waits for an answer; what takes longer is told.
const LONGEST_WAIT = 30;
// How the form calls the API's fields. Of the others, such as image_base64, a person knows nothing.
const FIELD_TEXTS = {
  model: "Model", quality: "Quality", size: "Size", output_format: "Format", background: "Background",
  output_compression: "Compression (0–100)", prompt: "What should change", max_cost_usd: "Cost limit",
};

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

/** What this tab knows of its jobs, which the API's list does not tell: { prompt, isEstimate }. */
function remember(jobId, told) {
  const sent = JSON.parse(sessionStorage.getItem(SENT) || "{}");
  sessionStorage.setItem(SENT, JSON.stringify({ ...sent, [jobId]: { ...sent[jobId], ...told } }));
}

function remembered(jobId) {
  return JSON.parse(sessionStorage.getItem(SENT) || "{}")[jobId] || {};
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
  if (Array.isArray(detail)) return detail.map(invalid).join(" ");
  return detail ? plain(detail) : `The service answered ${status}.`;
}

/** One invalid part of a request, by the form's name for it. */
function invalid({ loc, msg }) {
  const field = String(loc.at(-1));
  const told = msg.startsWith(`${field}: `) ? msg.slice(field.length + 2) : msg;
  const text = FIELD_TEXTS[field] ? `${FIELD_TEXTS[field]}: ${told}` : plain(told);
  return text.replace(/\.?$/, ".");
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
