// Gallery: a list of clips of which only the visible rows exist, and the chosen clip in detail.

const ROW = 58, BESIDE = 16;  // pixels of a row, and around its picture

const gallery = {
  list: byId("clip-list"),
  places: [],
  chosen: -1,
  sheets: new Map(),

  start() {
    filters.prepare();
    for (const line of (byId("sheets")?.textContent ?? "").split("\n").filter(Boolean)) {
      const [place, picture] = line.split(" ");
      gallery.sheets.set(Number(place), picture);
    }
    gallery.list.addEventListener("scroll", gallery.draw, { passive: true });
    gallery.list.addEventListener("click", (event) => {
      const row = event.target.closest(".clip");
      if (row) gallery.choose(Number(row.dataset.at), true);
    });
    byId("clip-search").addEventListener("input", (event) => state.set({ s: event.target.value }));
    byId("clip-order").addEventListener("change", (event) => state.set({ order: event.target.value }));
    byId("clip-pictures")?.addEventListener("change", (event) => state.set({ pics: event.target.checked ? "1" : "" }));
    new ResizeObserver(gallery.draw).observe(gallery.list);
    state.on(["model", "f", "s", "order", "pics"], gallery.refill);
    state.on(["clip"], gallery.follow);
    gallery.pictureLooks();
  },

  rowHeight() { return state.get("pics") ? ROW + BESIDE + Math.round(gallery.list.clientWidth / 8) : ROW; },

  refill() {
    byId("clip-search").value = state.get("s");
    byId("clip-order").value = state.get("order") || "time";
    if (byId("clip-pictures")) byId("clip-pictures").checked = !!state.get("pics");
    gallery.modes();
    gallery.inForce();
    gallery.places = gallery.sorted(filters.chosen().filter((i) => !state.get("pics") || gallery.sheets.has(i)));
    byId("clip-count").textContent = `${counted(gallery.places.length)} of ${counted(panels.data.clips.id.length)} clips`;
    byId("clip-sizer").style.height = `${gallery.places.length * gallery.rowHeight()}px`;
    const place = panels.data.clips.id.indexOf(state.get("clip"));
    gallery.chosen = Math.max(0, gallery.places.indexOf(place));
    gallery.list.scrollTop = 0;
    gallery.reveal();
    gallery.draw();
    gallery.detail(gallery.places[gallery.chosen] ?? -1);
  },

  sorted(places) {
    const order = state.get("order"), { entries, weights } = panels.data;
    const answers = entries[panels.model()].answers;
    const lost = (i) => weights.reduce((sum, weight, bit) => sum + (answers.right[i] >> bit & 1 ? 0 : weight), 0);
    const pair = state.all("f").find((text) => text.startsWith("pair:"))?.split(":");
    const key = {
      lost: (i) => -lost(i),
      hard: difficulty,
      tiou: (i) => tiou(i, answers),
    }[order] ?? (pair && pair[4].startsWith("only") && !order ? (i) => -flip(i, pair[1], pair[2]) : null);
    return key ? places.map((i) => [key(i), i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((pairOf) => pairOf[1]) : places;
  },

  modes() {
    const { modes, entries } = panels.data;
    const counts = new Map();
    for (const code of entries[panels.model()].answers.mode) counts.set(code, (counts.get(code) ?? 0) + 1);
    const now = state.all("f");
    const chips = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([code, n]) => {
      const text = `mode:${modes[code].name}`;
      return make("button", { type: "button", "data-filter": text, "aria-pressed": String(now.includes(text)), title: modes[code].meaning },
        `${modes[code].title} ${counted(n)}`);
    });
    byId("clip-modes").replaceChildren(...chips);
  },

  inForce() {
    const chips = state.all("f").filter((text) => !text.startsWith("mode:")).map((text) =>
      make("button", { type: "button", "data-filter": text }, `${filters.label(text)} ✕`));
    byId("clip-filters").replaceChildren(...chips);
  },

  // Only the rows in sight, and a few around them.
  draw() {
    const height = gallery.rowHeight();
    const first = Math.max(0, Math.floor(gallery.list.scrollTop / height) - 3);
    const last = Math.min(gallery.places.length, first + Math.ceil(gallery.list.clientHeight / height) + 7);
    const rows = [];
    for (let at = first; at < last; at++) rows.push(gallery.row(at, height));
    byId("clip-sizer").replaceChildren(...rows);
    byId("clip-sizer").setAttribute("role", "presentation");
    const active = gallery.chosen >= first && gallery.chosen < last && gallery.places.length;
    if (active) gallery.list.setAttribute("aria-activedescendant", `clip-${gallery.chosen}`);
    else gallery.list.removeAttribute("aria-activedescendant");
  },

  row(at, height) {
    const i = gallery.places[at], { clips, operations, modes, entries } = panels.data;
    const answers = entries[panels.model()].answers, right = answers.right[i];
    const answer = make("span", {}, mark(said(answers.operation[i]), right & 1), " → ", mark(said(answers.next[i]), right & 4));
    const row = make("div", { class: "clip", role: "option", id: `clip-${at}`, "data-at": at, "aria-selected": String(at === gallery.chosen),
      "aria-setsize": gallery.places.length, "aria-posinset": at + 1 },
      make("div", { class: "top" }, make("span", {}, `${operations[clips.operation[i]]} → ${operations[clips.next[i]]}`), make("span", { class: "mode" }, modes[answers.mode[i]].title)),
      ruler(i, [answers], 12), make("div", { class: "top" }, answer, make("span", { class: "mode" }, clips.id[i].slice(0, 10))));
    if (height > ROW) row.append(picture(i));
    row.style.height = `${height}px`;
    row.style.top = `${at * height}px`;
    return row;
  },

  reveal() {
    const height = gallery.rowHeight(), top = gallery.chosen * height;
    if (top < gallery.list.scrollTop) gallery.list.scrollTop = top;
    if (top + height > gallery.list.scrollTop + gallery.list.clientHeight) gallery.list.scrollTop = top + height - gallery.list.clientHeight;
  },

  choose(at, tellAddress) {
    if (!gallery.places.length) return;
    gallery.chosen = Math.max(0, Math.min(at, gallery.places.length - 1));
    gallery.reveal();
    gallery.draw();
    const i = gallery.places[gallery.chosen];
    gallery.detail(i);
    if (tellAddress) {
      gallery.own = true;
      state.set({ clip: panels.data.clips.id[i] });
      gallery.own = false;
    }
  },

  // A link to a clip: shown even where a filter would hide it.
  follow() {
    if (gallery.own) return;
    const i = panels.data.clips.id.indexOf(state.get("clip"));
    if (i < 0) return;
    const at = gallery.places.indexOf(i);
    if (at >= 0) gallery.choose(at, false); else gallery.detail(i);
  },

  detail(i) {
    const box = byId("clip-detail");
    if (i < 0) { box.replaceChildren(make("p", { class: "explain" }, "No clip is left by these filters.")); return; }
    const { clips, entries } = panels.data;
    const chosen = panels.model();
    const facts = [["session", level("session", i)], ["clip", clips.index[i] + 1], ["domain", level("domain", i)], ["worker", level("worker", i)],
      ["cut", level("cut_kind", i)], ["next is", clips.end[i] < 125 ? "on screen" : "not on screen"],
      ["script", clips.offScript ? (clips.offScript[i] ? "off" : "on") : ""], ["ceiling", clips.ceiling ? clips.ceiling[i].toFixed(2) : ""]];
    box.replaceChildren(
      make("h3", {}, clips.id[i]),
      make("dl", { class: "chips" }, ...facts.filter(([, value]) => value !== "").map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value))))),
      gallery.sheets.has(i) ? picture(i) : null ?? "",
      gallery.lanes(i, chosen),
      ...gallery.raw(i, entries[chosen]));
  },

  // Truth and every entry's answer, one lane each.
  lanes(i, chosen) {
    const { clips, entries, operations, modes } = panels.data;
    const truth = make("tr", {}, make("th", { scope: "row" }, "truth"),
      make("td", { class: "lane" }, ruler(i, [], 14), frameMarks()),
      make("td", {}, `${operations[clips.operation[i]]} [${clips.start[i]}, ${clips.end[i]}) → ${operations[clips.next[i]]}`));
    const order = [chosen, ...entries.keys()].filter((place, at, all) => all.indexOf(place) === at);
    const rows = order.map((place) => {
      const answers = entries[place].answers, right = answers.right[i];
      const segment = answers.start[i] === panels.data.codes.noFrame ? "no segment" : `[${answers.start[i]}, ${answers.end[i]}) tIoU ${tiou(i, answers).toFixed(2)}`;
      return make("tr", { class: place === chosen ? "chosen" : null }, make("th", { scope: "row" }, entries[place].name),
        make("td", { class: "lane" }, ruler(i, [answers], 14, true)),
        make("td", {}, mark(said(answers.operation[i]), right & 1), " ", mark(segment, right & 2), " → ", mark(said(answers.next[i]), right & 4),
          make("small", {}, ` ${modes[answers.mode[i]].title}`)));
    });
    const head = make("thead", { class: "sr" }, make("tr", {}, ...["who", "125 frames", "answer"].map((text) => make("th", { scope: "col" }, text))));
    return make("table", {}, head, make("tbody", {}, truth, ...rows));
  },

  // The line the answer came from; where it says no more than the answer, it is written again from it.
  raw(i, entry) {
    const { clips } = panels.data, answers = entry.answers, line = answers.line[i];
    if (!line) return [make("p", { class: "explain" }, `${entry.name} has no line for this clip.`)];
    const text = entry.raw[line];
    const known = (code) => code === panels.data.codes.noAnswer ? null : said(code);
    const read = { clip_id: clips.id[i], dominant_operation: known(answers.operation[i]),
      temporal_segment: answers.start[i] === panels.data.codes.noFrame ? null : { start_frame: answers.start[i], end_frame: answers.end[i] }, next_operation: known(answers.next[i]) };
    const problem = entry.problems[line];
    return [make("p", { class: "explain" }, `line ${counted(line)} of ${entry.name}${text ? "" : ", as it was read"}`),
      make("pre", { class: "raw", tabindex: "0" }, text ?? JSON.stringify(read)), problem ? make("p", { class: "warn" }, problem) : ""];
  },

  // The three clips to look at first, drawn.
  pictureLooks() {
    if (!panels.data) return;
    const answers = panels.data.entries[panels.model()].answers;
    for (const box of every("[data-look]")) {
      const i = Number(box.dataset.look);
      box.replaceChildren(...(gallery.sheets.has(i) ? [picture(i)] : []), ruler(i, [answers], 14));
    }
  },
};

function picture(i) {
  if (!gallery.sheets.has(i)) return "";
  return make("img", { src: `data:image/webp;base64,${gallery.sheets.get(i)}`, width: 768, height: 96, loading: "lazy", decoding: "async", alt: `Eight frames of clip ${panels.data.clips.id[i]}` });
}

// Bars on the clip's 125 frames: truth above in ink, answers below; `only`: the answers without the truth.
function ruler(i, answers, height, only = false) {
  const { clips } = panels.data;
  const lanes = (only ? 0 : 1) + answers.length, tall = (height - 2 * (lanes - 1)) / lanes;
  const bar = (start, end, lane, kind) => make("rect", { class: kind, x: `${start / 1.25}%`, width: `${Math.max(end - start, 0.6) / 1.25}%`, y: lane * (tall + 2), height: tall });
  const parts = [];
  for (let lane = 0; lane < lanes; lane++) parts.push(bar(0, 125, lane, "back"));
  if (!only) parts.push(bar(clips.start[i], clips.end[i], 0, "truth"));
  answers.forEach((one, at) => { if (one.start[i] >= 0 && one.end[i] > one.start[i]) parts.push(bar(one.start[i], one.end[i], at + (only ? 0 : 1), "answer")); });
  for (const frame of [25, 50, 75, 100]) parts.push(make("line", { class: "grid", x1: `${frame / 1.25}%`, x2: `${frame / 1.25}%`, y1: 0, y2: height }));
  return make("svg", { class: "ruler", width: "100%", height, "aria-hidden": "true" }, ...parts);
}

function frameMarks() {
  return make("div", { class: "frames", "aria-hidden": "true" }, ...[0, 25, 50, 75, 100, 125].map((frame) => make("span", {}, String(frame))));
}

// A part of an answer, crossed where it is wrong.
function mark(text, right) {
  return right ? make("span", {}, text) : make("span", { class: "no" }, `✕ ${text}`);
}

function tiou(i, answers) {
  const { clips } = panels.data;
  if (answers.start[i] < 0 || answers.end[i] <= answers.start[i]) return 0;
  const shared = Math.max(0, Math.min(clips.end[i], answers.end[i]) - Math.max(clips.start[i], answers.start[i]));
  return shared / (clips.end[i] - clips.start[i] + answers.end[i] - answers.start[i] - shared);
}

function flip(i, a, b) {
  return Math.abs(tiou(i, panels.data.entries[a].answers) - tiou(i, panels.data.entries[b].answers));
}

// How many fields all ranked entries got right: the fewer, the harder.
function difficulty(i) {
  const bits = (right) => (right & 1) + (right >> 1 & 1) + (right >> 2 & 1);
  const ranked = panels.data.entries.filter((entry) => entry.kind !== "reference");
  return ranked.reduce((sum, entry) => sum + bits(entry.answers.right[i]), 0);
}
