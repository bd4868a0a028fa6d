"use strict";
// One job: how it stands, before and after, a batch's gallery, and what can be done with it.

// Pictures that this tab sent, by job: { name: object URL }. The API gives the others' links.
const sentPictures = new Map();
const MOST_IN_A_ZIP = 1e9;
let shown = null;

/** Show a job and keep it up to date until another one is shown. */
function showJob(jobId) {
  shown?.stop.abort();
  shown = { id: jobId, stop: new AbortController(), job: null, images: [], next: undefined, began: Date.now() };
  location.hash = jobId;
  markCurrent(jobId);
  const panel = byId("job");
  const reading = make("p", { className: "hint" }, "Reading …");
  panel.replaceChildren(make("div", { className: "head" }, make("h2", { id: "job-title" }, "Job"), closeButton()), reading);
  panel.hidden = false;
  panel.focus({ preventScroll: true });
  panel.scrollIntoView({ block: "start", behavior: "smooth" });
  follow(shown).catch((error) => {
    if (error.name === "AbortError" || shown?.id !== jobId) return;
    reading.remove();
    panel.append(make("p", { className: "problem", role: "alert" }, error.message));
  });
}

async function follow(view) {
  const { signal } = view.stop;
  let prefer;
  for (let failures = 0; ;) {
    let job;
    try {
      job = await call("GET", `jobs/${view.id}`, { prefer, signal });
      failures = 0;
    } catch (error) {
      // A person's connection comes back; a refusal stays.
      if (error.name === "AbortError" || (error.status > 0 && error.status < 500)) throw error;
      await pause(Math.min(30, 2 ** ++failures), signal);
      continue;
    }
    // An answer may be older than one that came before it.
    if (!view.job || !job.as_of || job.as_of >= view.job.as_of) {
      if (view.job && view.job.status !== job.status) say(`The job is ${job.status.replaceAll("_", " ")}.`);
      view.job = job;
      drawJob(view);
      updateListed(job);
      if (job.operation === "batch" && job.status !== "erased") await readFirstImages(view, signal);
    }
    if (ENDED.has(job.status)) return;
    prefer = "wait=20";
    await pause(0.5, signal);
  }
}

/** Read a batch's first images anew: while it runs, those that have an edit by now. */
async function readFirstImages(view, signal) {
  Object.assign(view, { images: [], next: undefined });
  try {
    await readImages(view, signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    say(error.message);
  }
  drawJob(view);
}

async function readImages(view, signal) {
  const query = new URLSearchParams({ limit: "60", ...(view.next ? { cursor: view.next } : {}) });
  const page = await call("GET", `jobs/${view.id}/images?${query}`, { signal });
  view.images.push(...page.images);
  view.next = page.next;
}

function drawJob(view) {
  const { job } = view;
  const isBatch = job.operation === "batch";
  const { prompt } = remembered(job.job_id);
  keepingFocus(byId("job"), () => byId("job").replaceChildren(
    make("div", { className: "head" }, make("h2", { id: "job-title" }, `${kindOf(job)} · ${job.job_id.slice(0, 8)}`), stateOf(job), closeButton()),
    prompt ? make("blockquote", { className: "quote" }, prompt) : "",
    facts(job),
    ...(isBatch ? [meter(view)] : waiting(job)),
    job.note ? make("p", { className: "hint" }, `Note: ${job.note}.`) : "",
    job.estimate ? make("p", {}, ...(job.result?.errors || []).map(plain)) : "",
    failure(job),
    isBatch ? gallery(view) : picture(view),
    actions(view),
  ));
}

function closeButton() {
  return make("button", { type: "button", className: "quiet", onclick: hideJob }, "Close");
}

function hideJob() {
  shown?.stop.abort();
  const listed = byId("jobs").querySelector('[aria-current="true"]');
  shown = null;
  byId("job").hidden = true;
  history.replaceState(null, "", location.pathname);
  markCurrent("");
  listed?.focus();
}

function facts(job) {
  const usage = job.usage || {};
  const made = (usage.images || []).map((one) => `${one.model || one.engine}${one.images > 1 ? ` × ${one.images}` : ""}`);
  const ended = job.finished_at ? Date.parse(job.finished_at) : Date.now();
  const rows = {
    Started: new Date(job.created_at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
    Took: ENDED.has(job.status) ? span((ended - Date.parse(job.created_at)) / 1000) : undefined,
    "Made by": made.join(", ") || undefined,
    "Estimated cost": dollars(job.estimate ? job.estimate.cost_usd : usage.cost_usd) || undefined,
    "Would edit": job.estimate ? `${job.estimate.images} pictures` : undefined,
    "Callback": job.delivery && job.delivery.status !== "not_requested" ? job.delivery.status.replace("_", " ") : undefined,
  };
  const shownRows = Object.entries(rows).filter(([, value]) => value !== undefined);
  return make("dl", { className: "facts" }, ...shownRows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function waiting(job) {
  if (ENDED.has(job.status)) return [];
  const text = job.waiting ? `${plain(job.waiting.reason)} since ${new Date(job.waiting.since).toLocaleTimeString()}` : "Being edited: this takes from seconds to minutes.";
  return [make("div", { className: "meter unknown", "aria-hidden": "true" }, make("i", { className: "ok" })), make("p", { className: "hint" }, text)];
}

/** A running batch's progress, or the counts that a finished one ended with. */
function progressOf({ progress, result }) {
  if (progress || !result?.total_files) return progress;
  return { total: result.total_files, succeeded: result.processed, failed: result.failed };
}

function meter(view) {
  const { status, created_at } = view.job;
  const progress = progressOf(view.job);
  if (!progress) return ENDED.has(status) ? "" : make("p", { className: "hint" }, "Listing the pictures …");
  const { total, succeeded, failed } = progress;
  const done = succeeded + failed;
  const share = (count) => `${total ? (100 * count) / total : 0}%`;
  const bar = make(
    "div",
    { className: "meter", role: "progressbar", "aria-label": "Pictures done", "aria-valuemin": "0", "aria-valuemax": String(total), "aria-valuenow": String(done) },
    make("i", { className: "ok" }), make("i", { className: "no" }),
  );
  // A style attribute would need 'unsafe-inline'; the style object does not.
  bar.children[0].style.width = share(succeeded);
  bar.children[1].style.width = share(failed);
  const seconds = (Date.now() - Date.parse(created_at)) / 1000;
  const left = done && !ENDED.has(status) ? `, about ${span((seconds / done) * (total - done))} to go` : "";
  return make("div", {}, bar, make("p", { className: "hint" }, `${done} of ${total} done${failed ? `, ${failed} failed` : ""}${left}`));
}

function failure(job) {
  const error = job.error || job.result?.error;
  if (!error || job.status === "cancelled") return "";
  return make("p", { className: "problem" }, plain(error));
}

function picture(view) {
  const after = view.job.result?.result_url;
  if (!after) return "";
  const [name, before] = beforeOf(view, view.job.result.filename || "picture");
  return comparison(before, after, name);
}

function beforeOf(view, fallback) {
  const pictures = sentPictures.get(view.id) || {};
  const [name, url] = Object.entries(pictures)[0] || [fallback, undefined];
  return [name, url];
}

function gallery(view) {
  const tiles = view.images.map((image) => tile(view, image));
  const more = async () => {
    await readImages(view, view.stop.signal);
    drawJob(view);
  };
  const further = view.next && make("button", { type: "button", onclick: (event) => acting(event.target, more) }, "More pictures");
  return make("div", {}, make("ul", { className: "gallery" }, ...tiles), make("div", { className: "actions" }, further || "", make("span", { className: "hint", role: "status" })));
}

function tile(view, image) {
  const name = image.file.split("/").pop();
  const before = image.before_url || (sentPictures.get(view.id) || {})[name];
  if (image.status === "failed") {
    return make(
      "li", { className: "tile failed" }, make("span", { className: "thumb" }, "Not edited"),
      make("span", { className: "name", title: image.file }, name), make("p", { className: "why" }, plain(image.error || "failed")),
    );
  }
  const open = make("button", { type: "button", "aria-label": `Compare ${name} before and after`, onclick: () => openViewer(name, before, image) }, thumbnail(image.after_url, name));
  return make("li", { className: "tile" }, open, make("span", { className: "name", title: image.file }, name));
}

function openViewer(name, before, image) {
  byId("viewer-title").textContent = name;
  const told = [image.model || image.engine, dollars(image.cost_usd), image.bytes_out && bytes(image.bytes_out), image.note].filter(Boolean);
  byId("viewer-body").replaceChildren(comparison(before, image.after_url, name), make("p", { className: "hint" }, told.join(" · ")));
  byId("viewer").showModal();
}

function actions(view) {
  const { job } = view;
  const buttons = [];
  const add = (text, act, className = "") => buttons.push(make("button", { type: "button", className, onclick: (event) => acting(event.target, act) }, text));
  if (!ENDED.has(job.status)) add("Cancel", () => call("DELETE", `jobs/${view.id}`), "bad");
  if (job.result?.result_url) buttons.push(downloadLink(job.result));
  if (view.images.some((image) => image.after_url) && job.operation === "batch") add("Download all", (tell) => downloadAll(view, tell), "primary");
  if (job.operation === "batch" && job.status === "completed_with_errors") add("Retry the failed ones", () => retry(view));
  return make("div", { className: "actions" }, ...buttons, make("span", { className: "hint", role: "status" }));
}

async function acting(button, act) {
  const told = button.parentElement.lastElementChild;
  button.disabled = true;
  try {
    await act((text) => { told.textContent = text; });
  } catch (error) {
    if (error.name !== "AbortError") told.textContent = error.message;
  } finally {
    button.disabled = false;
  }
}

function downloadLink(result) {
  return make("a", { className: "button", href: result.result_url, target: "_blank", rel: "noopener", download: "" }, "Download");
}

async function retry(view) {
  const accepted = await call("POST", `jobs/${view.id}/retry`, { prefer: "respond-async", key: crypto.randomUUID() });
  remember(accepted.job_id, { prompt: remembered(view.id).prompt });
  sentPictures.set(accepted.job_id, sentPictures.get(view.id));
  await listJobs();
  showJob(accepted.job_id);
}

async function downloadAll(view, tell) {
  while (view.next) await readImages(view, view.stop.signal);
  const wanted = view.images.filter((image) => image.after_url);
  const size = wanted.reduce((sum, image) => sum + (image.bytes_out || 0), 0);
  if (size > MOST_IN_A_ZIP) throw new Refused(0, `These are ${bytes(size)}, too much for a browser: use \`imagejobs watch ${view.id} --out results\`.`);
  const files = [];
  for (const image of wanted) {
    tell(`${files.length + 1} of ${wanted.length} …`);
    const answer = await fetch(image.after_url, { signal: view.stop.signal });
    if (!answer.ok) throw new Refused(answer.status, "A link has expired: open the job again.");
    files.push({ name: nameIn(files, image), data: new Uint8Array(await answer.arrayBuffer()) });
  }
  save(zip(files), `${view.id.slice(0, 8)}.zip`);
  tell(`${files.length} pictures saved`);
}

function nameIn(files, image) {
  const type = new URL(image.after_url).pathname.split(".").pop();
  const stem = image.file.replace(/^\/+/, "");
  const name = `${stem.replace(/\.[^./]+$/, "")}_modified.${type}`;
  return files.some((file) => file.name === name) ? `${stem}_modified.${type}` : name;
}
