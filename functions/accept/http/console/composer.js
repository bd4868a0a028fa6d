"use strict";
// The form: pictures, prompt and options become one job, or a batch.

// Base64 in a request passes up to about 4 MB; larger files go through an upload.
const MOST_IN_A_REQUEST = 3_000_000;
const FORMS_AT_ONCE = 100;
const SENT_AT_ONCE = 4;
const TYPES = { heic: "image/heic", heif: "image/heic", avif: "image/avif", tif: "image/tiff", tiff: "image/tiff", bmp: "image/bmp" };

let chosen = [];
let models = [];
// What was tried last and has no answer yet: { what, key }. The same again has the same key, so that it never pays twice.
let tried = null;
// Where the chosen pictures were uploaded: { pictures, folder }.
let uploaded = null;

function addFiles(files) {
  const pictures = [...files].filter((file) => typeOf(file).startsWith("image/") && !file.name.startsWith("."));
  const known = new Set(chosen.map((one) => one.name));
  for (const file of pictures) {
    // A batch's folder has one file of a name.
    let name = file.name;
    for (let count = 2; known.has(name); count++) name = file.name.replace(/(\.[^.]*)?$/, `-${count}$1`);
    known.add(name);
    chosen.push({ file, name, url: URL.createObjectURL(file) });
  }
  const others = files.length - pictures.length;
  const leftOut = others === 1 ? "1 file is not a picture and is left out." : `${others} files are not pictures and are left out.`;
  showProblem(byId("problem"), others ? leftOut : "");
  drawChosen();
}

function typeOf(file) {
  if (file.type === "image/heif") return TYPES.heif;
  return file.type || TYPES[file.name.split(".").pop().toLowerCase()] || "";
}

function drawChosen() {
  byId("chosen").replaceChildren(...chosen.map((one) => make(
    "li", {}, thumbnail(one.url, one.name), make("span", { className: "name", title: one.name }, one.name),
    make("button", { type: "button", "aria-label": `Remove ${one.name}`, onclick: () => removeFile(one) }, "×"),
  )));
  const many = chosen.length > 1;
  byId("submit").textContent = many ? `Edit ${chosen.length} pictures` : "Edit";
  for (const part of document.querySelectorAll(".for-batch")) part.hidden = !many;
}

function removeFile(one) {
  chosen = chosen.filter((other) => other !== one);
  URL.revokeObjectURL(one.url);
  drawChosen();
  byId("files").focus();
}

async function readModels() {
  try {
    ({ models } = await call("GET", "models"));
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 404) throw error;
  }
  // What needs a mask, references or a thing to look for is not asked for here.
  models = models.filter((model) => (model.needs || []).every((need) => need === "size"));
  const choices = models.map((model) => make("option", { value: model.default ? "" : model.name }, model.default ? `${model.name} (default)` : model.name));
  byId("model").replaceChildren(...(choices.length ? choices : [make("option", { value: "" }, "default")]));
  drawOptions();
}

function currentModel() {
  const name = byId("model").value;
  return models.find((model) => (name ? model.name === name : model.default));
}

function drawOptions() {
  const model = currentModel();
  const fields = Object.entries(model?.options || {}).filter(([name]) => FIELD_TEXTS[name]).map(([name, taken]) => {
    const id = `option-${name}`;
    return make("div", {}, make("label", { for: id }, FIELD_TEXTS[name]), optionField(id, name, taken));
  });
  byId("options").replaceChildren(...fields);
  byId("model-help").textContent = model ? about(model) : "";
}

function optionField(id, name, taken) {
  if (name === "output_compression") return make("input", { id, name, type: "number", min: 0, max: 100, placeholder: `with ${taken.join(" or ")}` });
  if (name === "size") return make("input", { id, name, type: "text", placeholder: "auto", "aria-describedby": "model-help" });
  return make("select", { id, name }, make("option", { value: "" }, "default"), ...taken.map((value) => make("option", { value }, value)));
}

function about(model) {
  const sizes = model.options.size ? ` Sizes: ${model.options.size}.` : "";
  const price = model.price?.edit ? ` ${dollars(model.price.edit)} for an edit.` : "";
  return `Edited by ${model.engine}.${price}${sizes}`;
}

function options() {
  const picked = { model: byId("model").value };
  for (const field of byId("options").querySelectorAll("select, input")) picked[field.name] = field.value.trim();
  if (picked.output_compression) picked.output_compression = Number(picked.output_compression);
  return Object.fromEntries(Object.entries(picked).filter(([, value]) => value !== ""));
}

/** Post what the form says; with `dryRun` a batch is only counted and priced. */
async function submit(dryRun) {
  const prompt = byId("prompt").value.trim();
  const missing = !chosen.length ? "Choose a picture first." : !prompt ? "Say what should change." : "";
  showProblem(byId("problem"), missing);
  if (missing) return byId(chosen.length ? "prompt" : "files").focus();
  const buttons = [byId("submit"), byId("estimate")];
  buttons.forEach((button) => { button.disabled = true; });
  try {
    const sent = chosen;
    const accepted = sent.length > 1 ? await postBatch(sent, prompt, dryRun) : await postOne(sent[0], prompt);
    remember(accepted.job_id, { prompt: prompt.slice(0, 500), isEstimate: dryRun && sent.length > 1 });
    sentPictures.set(accepted.job_id, Object.fromEntries(sent.map((one) => [one.name, one.url])));
    if (!dryRun) {
      chosen = [];
      drawChosen();
    }
    say("The job is accepted.");
    await listJobs();
    showJob(accepted.job_id);
  } catch (error) {
    showProblem(byId("problem"), error.message);
    if (error.status === 401 || error.status === 403) askForAccess(error.message);
  } finally {
    byId("sending").textContent = "";
    buttons.forEach((button) => { button.disabled = false; });
  }
}

async function postOne({ file, name }, prompt) {
  const body = { prompt, filename: name, ...options() };
  if (file.size <= MOST_IN_A_REQUEST) body.image_base64 = await base64Of(file);
  else body.image_key = await uploadOne(file, name);
  return post("process-image-async", body);
}

async function postBatch(pictures, prompt, dryRun) {
  const folder = uploaded?.pictures === pictures ? uploaded.folder : await uploadAll(pictures);
  uploaded = { pictures, folder };
  const most = byId("max-cost").value;
  const bound = most ? { max_cost_usd: Number(most) } : {};
  return post("batch-process-images", { prompt, folder, ...options(), ...bound, ...(dryRun ? { dry_run: true } : {}) });
}

async function uploadAll(pictures) {
  let folder;
  let sent = 0;
  for (let first = 0; first < pictures.length; first += FORMS_AT_ONCE) {
    const part = pictures.slice(first, first + FORMS_AT_ONCE);
    const files = part.map(({ file, name }) => ({ filename: name, size: file.size }));
    const forms = await call("POST", "uploads", { body: { files, ...(folder ? { folder } : {}) } });
    folder = forms.folder;
    const waiting = part.map(({ file }, index) => ({ file, form: forms.uploads[index] }));
    const work = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        await sendFile(next.form, next.file);
        byId("sending").textContent = `Sent ${++sent} of ${pictures.length}`;
      }
    };
    await Promise.all(Array.from({ length: SENT_AT_ONCE }, work));
  }
  return folder;
}

async function post(path, body) {
  byId("sending").textContent = "Sending …";
  const what = path + JSON.stringify(body);
  if (tried?.what !== what) tried = { what, key: crypto.randomUUID() };
  const accepted = await call("POST", path, { body, prefer: "respond-async", key: tried.key });
  tried = null;
  return accepted;
}

async function uploadOne(file, name) {
  byId("sending").textContent = "Uploading …";
  const form = await call("POST", "uploads", { body: { filename: name, content_type: typeOf(file), size: file.size } });
  await sendFile(form, file);
  return form.image_key;
}

function base64Of(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(new Refused(0, `${file.name} cannot be read.`));
    reader.readAsDataURL(file);
  });
}
