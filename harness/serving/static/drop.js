// The page where one drops a clip: a video or pictures are posted to `predict` at once, and the answer is shown in words
// and on the ruler of 125 frames. Nothing is asked of any other server. All text of an answer is text, never markup.

"use strict";

const { frames: FRAMES, rate: RATE, fewest: FEWEST, most: MOST } = Object.fromEntries(Object.entries(document.body.dataset).map(([name, value]) => [name, Number(value)]));
const byId = (id) => document.getElementById(id);
let files = [], request = null, shown = [], info = null;

// What a refusal means for the person at this page; the server's own words follow below it.
const REFUSALS = {
  0: ["The server does not answer", "Is it still running? Ask again when it is."],
  400: ["The server cannot read this request", ""],
  401: ["The server wants its token", "Write it into the field below the clip, and ask again."],
  403: ["The server does not take this request", "Open this page under the address that the server was started with."],
  408: ["The clip took too long to arrive", "Ask again, or send a smaller file."],
  413: ["The clip is too large", "Cut or shrink it: five seconds at a few hundred pixels are enough."],
  415: ["This is no clip that the server reads", "It takes an mp4, or PNG, JPEG and WebP pictures."],
  422: ["The clip cannot be used", ""],
  429: ["Too many clips are waiting", ""],
  500: ["The model failed", "The clip got no answer. Whoever runs the server finds the reason in its log."],
  503: ["The server is not ready", "It is loading its model or about to stop. Ask again in a moment."],
  504: ["No answer in time", "The server gave up on this clip. Ask again when it has less to do."],
};

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const seconds = (frame) => `${(frame / RATE).toFixed(2)} s`;
const natural = (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true });
const isPicture = (file) => file.type.startsWith("image/") || /\.(png|jpe?g|webp)$/i.test(file.name);

// Frames 0 to 124, spread evenly, as seconds.
const spread = (count) => Array.from({ length: count }, (_, i) => Math.floor((i * (FRAMES - 1)) / (count - 1)) / RATE);

function choose(list) {
  files = [...list].sort(natural);
  const many = files.length > 0 && files.every(isPicture);
  for (const url of shown) URL.revokeObjectURL(url);
  shown = files.map((file) => URL.createObjectURL(file));
  byId("times-field").hidden = !many || files.length < 2;
  byId("times").value = many && files.length > 1 ? spread(files.length).join(", ") : "";
  preview(many);
  send();
}

// Asks about what is chosen, unless it is plain that it cannot be asked about.
function send() {
  request?.abort();
  const size = files.reduce((sum, file) => sum + file.size, 0), most = info?.limits?.body_bytes ?? Infinity;
  const fault = files.length ? unusable(files.every(isPicture)) : "No clip is chosen yet.";
  if (fault) refuse(422, fault);
  else if (size > most) refuse(413, `${megabytes(size)}, and the server takes ${megabytes(most)} at most.`);
  else ask();
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e6 ? 2 : 1)} MB`;

// What can be said of the choice without the server, or "".
function unusable(many) {
  const pictures = files.filter(isPicture).length;
  if (pictures && !many) return "Videos and pictures together are no clip: choose one mp4, or pictures alone.";
  if (many && (files.length < FEWEST || files.length > MOST)) return `${files.length === 1 ? "One picture is" : `${files.length} pictures are`} no clip: it takes ${FEWEST} to ${MOST}.`;
  return !many && files.length > 1 ? `${files.length} videos at once: this page takes one.` : "";
}

function preview(many) {
  const video = byId("video");
  byId("unseen").hidden = true;
  video.hidden = many || files.length !== 1;
  if (video.hidden) video.removeAttribute("src");
  else video.src = shown[0];
  byId("pictures").hidden = !many;
  byId("pictures").replaceChildren(...(many ? files.slice(0, MOST).map((file, i) => element("li", {}, element("img", { src: shown[i], alt: file.name }), element("span", {}))) : []));
  label();
}

const times = () => byId("times").value.split(/[\s,;]+/).filter(Boolean);

// The times stand below their pictures, as they are in the field.
function label() {
  for (const [i, one] of [...byId("pictures").children].entries()) one.lastChild.textContent = times()[i] ? `${times()[i]} s` : "";
}

function body() {
  const form = new FormData();
  if (files.length === 1) form.append("video", files[0]);
  else {
    for (const file of files) form.append("pictures", file);
    form.append("times_s", times().join(","));
  }
  return form;
}

// The header with the server's token, where one was written down.
const access = () => (byId("token").value ? { Authorization: `Bearer ${byId("token").value}` } : {});

async function ask() {
  const mine = (request = new AbortController());
  const began = performance.now();
  clear("Asking the model …");
  byId("answer").setAttribute("aria-busy", "true");
  const waiting = setInterval(() => { byId("waiting").textContent = `waiting for ${Math.round((performance.now() - began) / 1000)} s`; }, 1000);
  try {
    const reply = await fetch("predict", { method: "POST", body: body(), signal: mine.signal, headers: access() });
    const said = await reply.json().catch(() => null);
    if (reply.ok && said) show(said, performance.now() - began);
    else refuse(reply.status, reason(said), reply.headers);
    if (reply.ok && !info) about();
  } catch (error) {
    if (!mine.signal.aborted) refuse(0, "");
  } finally {
    clearInterval(waiting);
    if (request === mine) {
      byId("answer").removeAttribute("aria-busy");
      byId("waiting").textContent = "";
      byId("send").textContent = "Ask again";
    }
  }
}

// The server's words, after what they are about.
const PARTS = { video: "the video", pictures: "the pictures", times_s: "the times" };
function reason(said) {
  const { message, param } = said?.error ?? {};
  const part = PARTS[param?.split(".")[0]];
  return !message ? "" : part && !message.startsWith("the ") ? `${part}: ${message}` : message;
}

function clear(status) {
  byId("said").hidden = true;
  byId("error").replaceChildren();
  byId("status").textContent = status;
  byId("status").className = "explain";
}

function refuse(status, detail, headers) {
  const [title, advice] = REFUSALS[status] ?? [`The server answers with ${status}`, ""];
  const after = Number(headers?.get("Retry-After"));
  const again = after ? `Ask again in ${after} second${after === 1 ? "" : "s"}.` : advice;
  clear("");
  byId("error").replaceChildren(element("div", { class: "error" }, element("b", {}, title), ...[status === 401 ? "" : detail, again].filter(Boolean).map((text) => element("p", {}, text))));
  const id = headers?.get("X-Request-ID");
  if (id) byId("error").firstChild.append(element("p", { class: "explain" }, `request ${id}`));
  if (status === 401) {
    byId("token-field").hidden = false;
    byId("token").focus();
  }
}

const confident = (share) => (typeof share === "number" ? `confidence ${(100 * share).toFixed(0)}%` : "");
const SOURCES = {
  model: "as the model said it",
  repaired: "read from a text that had to be repaired",
  fallback: "no whole answer could be read in the model's words; the rest does not come from the model",
};

function show(line, took) {
  const { start_frame: start, end_frame: end } = line.temporal_segment ?? {};
  const isSegment = Number.isInteger(start) && Number.isInteger(end) && start < end;
  clear("");
  byId("said").hidden = false;
  byId("operation").textContent = line.dominant_operation ?? "no operation";
  byId("sure").textContent = confident(line.confidence) || "without a confidence";
  byId("segment").setAttribute("x", `${isSegment ? (100 * start) / FRAMES : 0}%`);
  byId("segment").setAttribute("width", `${isSegment ? (100 * (end - start)) / FRAMES : 0}%`);
  const segment = isSegment ? [`frames ${start} to ${end - 1}`, `${seconds(start)} to ${seconds(end)}, ${end - start} of ${FRAMES} frames`] : ["none", ""];
  const rows = [
    ["segment", ...segment],
    ["next operation", line.next_operation ?? "none", confident(line.next_confidence)],
    ["time", `${Math.round(line.latency_ms)} ms`, `${(took / 1000).toFixed(2)} s with the way to the server and back`],
    ["source", line.source ?? "", SOURCES[line.source] ?? ""],
  ];
  byId("facts").replaceChildren(...rows.flatMap(([name, value, more]) => [element("dt", {}, name), element("dd", name === "source" ? { class: line.source === "fallback" ? "warn" : "" } : {}, element("span", { class: "strong" }, value), ...(more ? [" ", element("small", {}, more)] : []))]));
  byId("raw").textContent = line.raw_output ?? "";
  byId("raw").parentElement.hidden = !line.raw_output;
  byId("json").textContent = JSON.stringify(line, null, 2);
  byId("status").className = "sr"; // the page says the same below, larger
  byId("status").textContent = `${line.dominant_operation ?? "No operation"}, ${isSegment ? `${segment[0]}, ` : ""}then ${line.next_operation ?? "no next operation"}.`;
  follow();
}

// The line on the ruler that goes with the video.
function follow() {
  const video = byId("video"), head = byId("head");
  const isThere = !video.hidden && video.readyState > 0;
  head.setAttribute("visibility", isThere ? "visible" : "hidden");
  const x = `${Math.min(100, video.currentTime * 100 * RATE / FRAMES)}%`;
  head.setAttribute("x1", isThere ? x : "0");
  head.setAttribute("x2", isThere ? x : "0");
}

function moving() {
  follow();
  if (!byId("video").paused) requestAnimationFrame(moving);
}

// What the server says of its model, with the token once it is known; the page works without it.
async function about() {
  const reply = await fetch("info", { headers: access() }).catch(() => null);
  info = reply?.ok ? await reply.json().catch(() => null) : null;
  const { frames, size } = info?.wants ?? {};
  const facts = [["model", info?.model], ["sees", frames && `${frames} frames of ${size} x ${size} pixels`], ["operations", info?.operations?.join(", ")], ["harness", info?.version]];
  byId("about").replaceChildren(...facts.filter(([, value]) => value).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  byId("about").hidden = !info;
}

function start() {
  const zone = byId("drop"), input = byId("clip");
  input.multiple = true;
  input.addEventListener("change", () => { if (input.files.length) choose(input.files); });
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
    if (!files.length) input.focus();
  });
  byId("times").addEventListener("input", label);
  byId("video").addEventListener("error", () => {
    byId("unseen").hidden = byId("video").hidden;
    byId("video").hidden = true;
  });
  for (const name of ["loadeddata", "seeked", "timeupdate", "play"]) byId("video").addEventListener(name, moving);
  // The whole page takes a drop, or a file that misses the field would replace the page.
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.toggle("over", name === "dragenter" || name === "dragover");
      if (name !== "drop") return;
      input.files = event.dataTransfer.files;
      choose(input.files);
    });
  }
  about();
  document.documentElement.dataset.ready = "all";
}

start();
