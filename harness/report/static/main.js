// Start: the leaderboard works at once, and the rest when the packed data is unpacked. Clicks and keys of the whole page.

function typing(target) {
  return target.closest("input, select, textarea, [contenteditable]") !== null;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const search = byId("clip-search");
  if (event.key === "Escape") return back(event);
  if (typing(event.target)) {
    if (event.key === "Enter" && event.target === search) byId("clip-list").focus();
    return;
  }
  if (event.key === "/") { event.preventDefault(); search.focus(); search.scrollIntoView({ block: "center" }); }
  if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  if (event.target.id === "clip-list") listKey(event);
}

function listKey(event) {
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -1e9, End: 1e9 };
  if (event.key in steps) { event.preventDefault(); gallery.choose(gallery.chosen + steps[event.key], true); }
  if (event.key === "Enter") { event.preventDefault(); byId("clip-detail").focus(); }
}

// The next or previous clip; the list comes into sight when it is out of it.
function step(by) {
  const box = byId("gallery").getBoundingClientRect();
  if (box.bottom < 80 || box.top > innerHeight - 80) byId("clips").scrollIntoView();
  gallery.choose(gallery.chosen + by, true);
}

function back(event) {
  trace.hide();
  const menu = event.target.closest("details.menu[open]") ?? document.querySelector("details.menu[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); return; }
  if (event.target.id === "clip-search" && state.get("s")) state.set({ s: "" });
  if (event.target.closest("#clip-detail, #clip-search")) byId("clip-list").focus();
}

function clicked(event) {
  const filter = event.target.closest("[data-filter]");
  if (filter && panels.data) {
    filters.toggle(filter.dataset.filter);
    if (!filter.closest("#gallery")) byId("clips").scrollIntoView();
  }
  const clip = event.target.closest("[data-clip]");
  if (clip) {
    event.preventDefault();
    state.set({ clip: clip.dataset.clip, f: [], s: "" });
    byId("clips").scrollIntoView();
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => { copy.textContent = "Copied"; }, () => select(copy));
  const anchor = event.target.closest("nav.bar a, .skip, a.word");
  if (anchor) { event.preventDefault(); document.querySelector(anchor.getAttribute("href")).scrollIntoView(); }
  for (const menu of every("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
}

// Where the clipboard is not to be had, the text is marked for copying.
function select(button) {
  getSelection().selectAllChildren(button.parentElement.querySelector("code"));
}

async function start() {
  document.documentElement.classList.add("js");
  const anchor = /^#[a-z-]+$/.test(location.hash) ? document.querySelector(location.hash) : null;
  state.read();
  trace.start();
  board.start();
  board.filter();
  board.columns();
  board.baseline();
  board.weigh();
  document.documentElement.dataset.ready = "board";
  await panels.unpack();
  panels.start();
  gallery.start();
  matrix.start();
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", pressed);
  addEventListener("hashchange", () => { state.read(); state.tell(state.keys); });
  state.tell(state.keys);
  if (state.get("clip")) byId("clips").scrollIntoView();
  else anchor?.scrollIntoView();
  document.documentElement.dataset.ready = "all";
}

start();
