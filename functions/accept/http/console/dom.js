"use strict";
// Small helpers to build the page.

const byId = (id) => document.getElementById(id);

/** Make an element: properties by name, `on…` for listeners, `data-…`, `aria-…` and others with a dash as attributes. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "for" || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Redraw a part of the page; what had the focus in it has it again: the button of the same job, or of the same name. */
function keepingFocus(part, redraw) {
  const name = (button) => button.dataset.job || button.getAttribute("aria-label") || button.textContent;
  const focused = part.contains(document.activeElement) ? name(document.activeElement) : "";
  redraw();
  if (focused) [...part.querySelectorAll("button, input")].find((button) => name(button) === focused)?.focus({ preventScroll: true });
}

function say(text) {
  byId("announce").textContent = text;
}

function showProblem(element, text) {
  element.textContent = text || "";
  element.hidden = !text;
}

const STATES = {
  queued: "queued", running: "running", completed: "completed", completed_with_errors: "with errors",
  failed: "failed", cancelled: "cancelled", erased: "erased",
};
const OPERATIONS = { base64: "One picture", url: "One picture", batch: "Batch" };
const ENDED = new Set(["completed", "completed_with_errors", "failed", "cancelled", "erased"]);

/** What a job is, for a person. An estimate is a batch as well: the job itself tells it, the list does not. */
function kindOf(job) {
  return job.estimate || remembered(job.job_id).isEstimate ? "Estimate" : OPERATIONS[job.operation];
}

function stateOf(job) {
  return make("span", { className: `state ${job.status}` }, STATES[job.status] || job.status);
}

function ago(time) {
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });
}

function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function dollars(amount) {
  if (amount === undefined) return "";
  return amount === 0 ? "$0" : `$${amount.toFixed(amount < 1 ? 4 : 2)}`;
}

/** A message of the API as a person reads it: without the name of an error's class, and with a capital if it begins with a word. */
function plain(message) {
  return message.replace(/^(\w+Error: )+/, "").replace(/^[a-z]+(?=[\s,:])/, (word) => word[0].toUpperCase() + word.slice(1));
}

function bytes(count) {
  if (count < 1e6) return `${Math.max(1, Math.round(count / 1e3))} KB`;
  return `${(count / 1e6).toFixed(1)} MB`;
}

/** A picture by URL, or its name where the browser cannot show it (HEIC, TIFF). */
function thumbnail(url, name) {
  const stand = () => make("span", { className: "thumb" }, name.split(".").pop().toUpperCase());
  if (!url) return stand();
  const picture = make("img", { className: "thumb", src: url, alt: "", loading: "lazy" });
  picture.addEventListener("error", () => picture.replaceWith(stand()), { once: true });
  return picture;
}

/** Before and after on top of each other, with a slider between them; the result alone where there is no before. */
function comparison(before, after, name) {
  if (!before) return make("div", { className: "compare" }, make("img", { src: after, alt: `The result of ${name}` }));
  const slider = make("input", {
    type: "range", min: 0, max: 100, value: 50, "aria-label": `How much of ${name} is shown as it was before, in percent`,
  });
  const first = make("img", { className: "before", src: before, alt: `${name} before` });
  const rule = make("span", { className: "rule" });
  const frame = make(
    "div", { className: "compare" }, make("img", { src: after, alt: `${name} after` }), first, slider, rule,
    make("span", { className: "tag left" }, "before"), make("span", { className: "tag right" }, "after"),
  );
  slider.addEventListener("input", () => frame.style.setProperty("--at", `${slider.value}%`));
  first.addEventListener("error", () => [first, slider, rule, ...frame.querySelectorAll(".tag")].forEach((one) => one.remove()));
  return frame;
}

/** Hand a file to the person. */
function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
