"use strict";
// Puts the page together: the list of jobs, access, and what a person does.

const JOB_ID = /^[0-9a-f-]{36}$/;
const LISTED_AT_ONCE = 15;

let listed = [];
let older;
// Whether the service was seen to answer without a key.
let isOpen = false;

async function listJobs(more = false) {
  const status = byId("only").value;
  const query = new URLSearchParams({ limit: String(LISTED_AT_ONCE), ...(status ? { status } : {}), ...(more && older ? { cursor: older } : {}) });
  const page = await call("GET", `jobs?${query}`);
  listed = more ? [...listed, ...page.jobs] : page.jobs;
  older = page.next;
  drawJobs();
}

function drawJobs() {
  keepingFocus(byId("jobs"), () => byId("jobs").replaceChildren(...listed.map((job) => make("li", {}, make(
    "button", { type: "button", "data-job": job.job_id, "aria-current": String(job.job_id === shown?.id), onclick: () => showJob(job.job_id) },
    make("span", { className: "what" }, remembered(job.job_id).prompt || `${kindOf(job)} · ${job.job_id.slice(0, 8)}`),
    make("span", { className: "when" }, [remembered(job.job_id).prompt && kindOf(job), ago(job.created_at)].filter(Boolean).join(", ")), stateOf(job),
  )))));
  byId("no-jobs").hidden = listed.length > 0 || Boolean(older);
  byId("older").hidden = !older;
}

function updateListed(job) {
  const found = listed.find((one) => one.job_id === job.job_id);
  const isNewlyKnown = job.estimate && !remembered(job.job_id).isEstimate;
  if (isNewlyKnown) remember(job.job_id, { isEstimate: true });
  if (!found || (found.status === job.status && !isNewlyKnown)) return;
  found.status = job.status;
  drawJobs();
}

function markCurrent(jobId) {
  for (const button of byId("jobs").querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.job === jobId));
}

/** Connect with what the person gave so far, or ask for it. */
async function connect() {
  const chip = byId("service");
  try {
    await Promise.all([listJobs(), readModels()]);
    isOpen = !Object.keys(access()).length;
    chip.textContent = "connected";
    chip.className = "chip good";
    if (JOB_ID.test(location.hash.slice(1)) && !shown) showJob(location.hash.slice(1));
    return true;
  } catch (error) {
    chip.className = "chip bad";
    isOpen = false;
    const denied = error.status === 401 || error.status === 403;
    chip.textContent = denied ? "needs a key" : "not connected";
    askForAccess(Object.keys(access()).length || !denied ? error.message : "");
    return false;
  }
}

function askForAccess(problem) {
  showProblem(byId("access-problem"), problem);
  const asksForNone = isOpen && !problem;
  byId("access-none").hidden = !asksForNone;
  for (const part of document.querySelectorAll(".access-given")) part.hidden = asksForNone;
  if (!byId("access").open) byId("access").showModal();
  if (!asksForNone) byId("key").focus();
}

byId("access-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const done = event.submitter?.value || "use";
  const dialog = byId("access");
  if (done === "close") return dialog.close();
  const kind = new FormData(byId("access-form")).get("kind");
  const value = byId("key").value.trim();
  if (done === "use" && !value) return showProblem(byId("access-problem"), "Enter the key or token that you were given.");
  if (done === "use") keepAccess(kind, value);
  else forgetAccess();
  byId("key").value = "";
  dialog.close();
  await connect();
});

byId("open-access").addEventListener("click", () => askForAccess(""));
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit(false);
});
byId("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(false);
});
byId("estimate").addEventListener("click", () => submit(true));
byId("files").addEventListener("change", (event) => {
  addFiles(event.target.files);
  event.target.value = "";
});
byId("model").addEventListener("change", drawOptions);
byId("only").addEventListener("change", () => listJobs().catch((error) => say(error.message)));
byId("older").addEventListener("click", () => listJobs(true).catch((error) => say(error.message)));
byId("ideas").addEventListener("click", (event) => {
  if (!event.target.matches("button")) return;
  byId("prompt").value = event.target.textContent;
  byId("prompt").focus();
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    byId("drop").classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === "drop" || !event.relatedTarget) byId("drop").classList.remove("over");
    if (kind === "drop") addFiles(event.dataTransfer.files);
  });
}
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) addFiles(event.clipboardData.files);
});

addEventListener("hashchange", () => {
  const jobId = location.hash.slice(1);
  if (JOB_ID.test(jobId) && jobId !== shown?.id) showJob(jobId);
});
// The list follows jobs that others show, or nobody.
setInterval(() => {
  const running = listed.some((job) => !ENDED.has(job.status) && job.job_id !== shown?.id);
  if (running && !document.hidden && listed.length <= LISTED_AT_ONCE) listJobs().catch(() => {});
}, 10_000);

drawChosen();
connect();
