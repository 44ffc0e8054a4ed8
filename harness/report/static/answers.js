// Page of answers about own clips: filter by operation, search, order, and the clips by keyboard. What is chosen stands
// in the page's address: f (operation), s (search), order, clip.

const answers = {
  all: every(".card"),
  texts: [],

  start() {
    document.documentElement.classList.add("js");
    answers.texts = answers.all.map((one) => `${one.dataset.clip} ${one.querySelector(".said").textContent} ${one.querySelector(".raw")?.textContent ?? ""}`.toLowerCase());
    state.read();
    state.on(["f", "s", "order"], answers.show);
    byId("search").addEventListener("input", (event) => state.set({ s: event.target.value }));
    byId("order").addEventListener("change", (event) => state.set({ order: event.target.value }));
    document.addEventListener("click", answers.clicked);
    document.addEventListener("keydown", answers.pressed);
    addEventListener("hashchange", () => { state.read(); answers.show(); });
    answers.show();
    const clip = answers.all.find((one) => one.dataset.clip === state.get("clip"));
    if (clip) answers.go(clip);
    document.documentElement.dataset.ready = "all";
  },

  show() {
    const group = state.get("f"), words = state.get("s").toLowerCase().split(/\s+/).filter(Boolean);
    byId("search").value = state.get("s");
    byId("order").value = state.get("order");
    answers.all.forEach((one, i) => {
      one.hidden = (group !== "" && one.dataset.group !== group) || !words.every((word) => answers.texts[i].includes(word));
    });
    byId("answers").append(...answers.sorted());
    const left = answers.all.filter((one) => !one.hidden).length;
    byId("count").textContent = `${counted(left)} of ${counted(answers.all.length)} clips`;
    byId("none").hidden = left > 0;
    for (const button of every("[data-group]", byId("what"))) button.setAttribute("aria-pressed", String(button.dataset.group === group));
    const name = every("[data-group]", byId("what")).find((button) => button.dataset.group === group)?.textContent ?? group;
    byId("chosen").replaceChildren(...(group ? [make("button", { type: "button", "data-all": "" }, `${name} ✕`)] : []));
  },

  sorted() {
    const order = state.get("order");
    if (order !== "unsure" && order !== "slow") return answers.all;
    const sign = order === "slow" ? -1 : 1;
    const key = (one) => one.dataset[order] === "" ? Infinity : sign * Number(one.dataset[order]);
    return answers.all.map((one, i) => [key(one), i, one]).sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1])).map((found) => found[2]);
  },

  go(one) {
    one.focus({ preventScroll: true });
    one.scrollIntoView({ block: "nearest" });
    state.set({ clip: one.dataset.clip });
  },

  step(by) {
    const seen = every(".card").filter((one) => !one.hidden);
    const at = seen.indexOf(document.activeElement.closest?.(".card"));
    const next = seen[at < 0 ? 0 : Math.min(seen.length - 1, Math.max(0, at + by))];
    if (next) answers.go(next);
  },

  clicked(event) {
    const button = event.target.closest("button[data-group]");
    if (button) state.set({ f: button.dataset.group === state.get("f") ? "" : button.dataset.group });
    if (event.target.closest("[data-all]")) { state.set({ f: "" }); byId("clips").focus(); }
    const link = event.target.closest("[data-go]");
    if (link) {
      event.preventDefault();
      state.set({ f: "", s: "" });
      answers.go(answers.all.find((one) => one.dataset.clip === link.dataset.go));
    }
    const skip = event.target.closest(".skip");
    if (skip) { event.preventDefault(); byId("clips").focus(); byId("clips").scrollIntoView(); }
  },

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (event.key === "Escape") { state.set({ f: "", s: "" }); return target.blur?.(); }
    if (target.closest("input, select, textarea")) return;
    if (event.key === "/") { event.preventDefault(); byId("search").focus(); byId("search").scrollIntoView({ block: "center" }); }
    if (event.key === "j" || event.key === "k") answers.step(event.key === "j" ? 1 : -1);
    if (event.key === "Enter" && target.classList.contains("card")) {
      const words = target.querySelector("details.words");
      if (words) words.open = !words.open;
    }
  },
};

answers.start();
