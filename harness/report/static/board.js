// Leaderboard: sort, filter, columns, baseline, weights and the tray of two to compare. Works on the rows that are there.
// With other weights only point scores and order change; all that was tested stays as it is, and is greyed.

const board = {
  table: byId("board"),
  rows: [],

  start() {
    board.rows = every("tbody tr", board.table);
    board.standard = board.table.dataset.default.split(",").map(Number);
    board.first = board.order(board.standard);
    for (const button of every("[data-sort]", board.table)) button.addEventListener("click", () => board.sortBy(button.dataset.sort));
    byId("board-filter").addEventListener("input", (event) => state.set({ q: event.target.value }));
    byId("board-baseline")?.addEventListener("change", (event) => state.set({ base: event.target.value }));
    for (const box of every("#columns input")) box.addEventListener("change", board.chooseColumns);
    for (const slider of every("[data-weight]")) slider.addEventListener("input", board.chooseWeights);
    byId("weights-reset").addEventListener("click", () => state.set({ w: "" }));
    for (const box of every("[data-tray]", board.table)) box.addEventListener("change", board.fillTray);
    byId("tray-go")?.addEventListener("click", board.compare);
    byId("tray-clear")?.addEventListener("click", board.clearTray);
    state.on(["q"], board.filter);
    state.on(["sort", "w"], board.weigh);
    state.on(["cols"], board.columns);
    state.on(["base"], board.baseline);
    state.on(["model"], board.current);
  },

  value(row, column) {
    const text = row.querySelector(`[data-col="${column}"]`).dataset.value;
    return column === "name" ? text.toLowerCase() : text === "" || text === undefined ? NaN : Number(text);
  },

  // Sorting: values that do not exist come last either way.
  sortBy(column) {
    const [before, way] = (state.get("sort") || "score.down").split(".");
    const first = ["name", "rank", "invalid"].includes(column) ? "up" : "down";
    state.set({ sort: `${column}.${before === column ? (way === "up" ? "down" : "up") : first}` });
  },

  sort() {
    const [column, way] = (state.get("sort") || "score.down").split(".");
    if (!board.table.querySelector(`[data-sort="${CSS.escape(column)}"]`)) return;
    const sign = way === "up" ? 1 : -1;
    const key = (row) => column === "score" ? board.score(row, board.weights()) : board.value(row, column);
    const compare = (a, b) => {
      const x = key(a), y = key(b);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (typeof x === "string" ? x.localeCompare(y, "en") : x - y) || board.rows.indexOf(a) - board.rows.indexOf(b);
    };
    board.table.tBodies[0].append(...[...board.rows].sort(compare));
    for (const head of every("thead th", board.table)) {
      if (head.dataset.col === column) head.setAttribute("aria-sort", way === "up" ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
  },

  filter() {
    const wanted = state.get("q").toLowerCase();
    byId("board-filter").value = state.get("q");
    for (const row of board.rows) row.hidden = !!row.dataset.place && !String(board.value(row, "name")).includes(wanted);
  },

  chooseColumns() {
    state.set({ cols: every("#columns input").filter((box) => !box.checked).map((box) => box.value).join(",") });
  },

  columns() {
    const hidden = state.get("cols").split(",");
    for (const box of every("#columns input")) box.checked = !hidden.includes(box.value);
    for (const cell of every("[data-col]", board.table)) cell.hidden = hidden.includes(cell.dataset.col);
  },

  baseline() {
    const chosen = state.get("base") || "0";
    const select = byId("board-baseline");
    if (select) select.value = chosen;
    for (const row of board.rows) {
      for (const span of every("[data-baseline]", row)) {
        span.hidden = span.dataset.baseline !== chosen;
        if (!span.hidden) row.querySelector('[data-col="gap"]').dataset.value = span.querySelector("data")?.value ?? "";
      }
    }
    board.sort();
  },

  weights() {
    const parts = state.get("w").split(",").map(Number);
    const total = parts.reduce((sum, part) => sum + part, 0);
    return parts.length === board.standard.length && total > 0 && parts.every((part) => part >= 0) ? parts.map((part) => part / total) : board.standard;
  },

  chooseWeights() {
    state.set({ w: every("[data-weight]").map((slider) => slider.value).join(",") });
  },

  // The composite of a row: data-parts holds the values that it is made of, in the order of the weights.
  score(row, weights) {
    const parts = row.dataset.parts.split(",").map((part) => part === "" ? NaN : Number(part));
    return parts.reduce((sum, part, place) => sum + part * weights[place], 0);
  },

  order(weights) {
    const ranked = board.rows.filter((row) => row.classList.contains("ranked"));
    return ranked.sort((a, b) => board.score(b, weights) - board.score(a, weights) || board.rows.indexOf(a) - board.rows.indexOf(b));
  },

  weigh() {
    const weights = board.weights();
    const plain = weights.every((weight, place) => Math.abs(weight - board.standard[place]) < 1e-9);
    const now = board.order(weights);
    every("[data-weight]").forEach((slider, place) => {
      if (!state.get("w")) slider.value = Math.round(10 * board.standard[place]);
      else slider.value = state.get("w").split(",")[place];
      slider.parentElement.querySelector("output").textContent = weights[place].toFixed(2);
    });
    byId("weights-shown").textContent = weights.map((weight) => weight.toFixed(2)).join(" / ");
    const note = byId("weights-note");
    note.hidden = plain;
    note.textContent = `These are point scores and order at ${weights.map((w) => w.toFixed(2)).join(" / ")}; ranks, tiers, intervals, p and the verdict are those of the default weights.`;
    for (const row of board.rows) {
      board.place(row, board.score(row, weights), plain);
      board.markMoved(row, plain ? 0 : board.first.indexOf(row) - now.indexOf(row));
    }
    board.sort();
  },

  place(row, score, plain) {
    const cell = row.querySelector('[data-col="score"]'), mark = cell.querySelector("data");
    if (mark) mark.textContent = (plain ? Number(mark.value) : score).toFixed(3);
    for (const small of every("small, .skill", cell)) small.hidden = !plain;
    for (const column of ["rank", "gap", "best"]) row.querySelector(`[data-col="${column}"]`).classList.toggle("stale", !plain);
    const dot = row.querySelector(".dot"), span = row.querySelector(".span");
    if (dot) dot.setAttribute("cx", `${100 * (plain ? Number(mark.value) : score)}%`);
    if (span) span.toggleAttribute("hidden", !plain);
    for (const line of every(".bound", row)) {
      const bound = board.rows.find((other) => other.dataset.bound === line.dataset.bound);
      const x = `${100 * board.score(bound, board.weights())}%`;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
  },

  markMoved(row, steps) {
    const mark = row.querySelector(".moved");
    if (!mark) return;
    mark.hidden = !steps;
    mark.textContent = steps > 0 ? `▲ ${steps} up` : `▼ ${-steps} down`;
  },

  current() {
    for (const row of board.rows) row.toggleAttribute("aria-current", row.dataset.place === String(panels.model()));
    for (const row of board.rows) if (row.hasAttribute("aria-current")) row.setAttribute("aria-current", "true");
  },

  fillTray(event) {
    const chosen = every("[data-tray]:checked", board.table);
    if (chosen.length > 2) chosen.find((box) => box !== event.target).checked = false;
    const names = every("[data-tray]:checked", board.table).map((box) => box.closest("tr").querySelector(".who a").textContent);
    byId("tray").hidden = !names.length;
    byId("tray-names").textContent = names.join(" and ") + (names.length < 2 ? ": choose one more" : "");
    byId("tray-go").disabled = names.length < 2;
  },

  compare() {
    state.set({ pair: every("[data-tray]:checked", board.table).map((box) => box.dataset.tray).join(",") });
    byId("compare").scrollIntoView();
  },

  clearTray() {
    for (const box of every("[data-tray]", board.table)) box.checked = false;
    byId("tray").hidden = true;
  },
};
