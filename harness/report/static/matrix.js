// Outcome matrix: a row an entry, a column a clip from the hardest to the easiest, darker the more fields are right. A
// canvas, since there may be hundreds of thousands of cells; its twin is a table in pages of fifty clips.

const LANE = 24, PAGE = 50;

const matrix = {
  canvas: byId("matrix"),
  order: [],
  x: 0,
  y: 0,
  page: 0,

  start() {
    if (!matrix.canvas) return;
    const hardness = panels.data.clips.id.map((_, i) => difficulty(i));
    matrix.order = hardness.map((_, i) => i).sort((a, b) => hardness[a] - hardness[b] || a - b);
    byId("matrix-names").replaceChildren(...panels.data.entries.map((entry) => make("div", { title: entry.name }, entry.name)));
    matrix.canvas.addEventListener("keydown", matrix.key);
    matrix.canvas.addEventListener("mousemove", matrix.point);
    matrix.canvas.addEventListener("click", (event) => { matrix.point(event); matrix.open(); });
    byId("matrix-before").addEventListener("click", () => matrix.turn(-1));
    byId("matrix-after").addEventListener("click", () => matrix.turn(1));
    new ResizeObserver(matrix.draw).observe(matrix.canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", matrix.draw);
    matrix.table();
  },

  shades() {
    const style = getComputedStyle(document.documentElement);
    const paper = rgb(style.getPropertyValue("--paper")), ink = rgb(style.getPropertyValue("--a"));
    return [0, 1, 2, 3].map((n) => paper.map((part, at) => part + (ink[at] - part) * [0.05, 0.3, 0.6, 1][n]));
  },

  // Cells that share a pixel are averaged.
  draw() {
    const { entries } = panels.data, n = matrix.order.length, ratio = devicePixelRatio || 1;
    const width = Math.max(1, Math.round(matrix.canvas.clientWidth * ratio)), height = Math.round(entries.length * LANE * ratio);
    matrix.canvas.width = width;
    matrix.canvas.height = height;
    const context = matrix.canvas.getContext("2d"), shades = matrix.shades();
    entries.forEach((entry, lane) => {
      for (let x = 0; x < width; x++) {
        const from = Math.floor(x * n / width), to = Math.max(from + 1, Math.floor((x + 1) * n / width));
        let sum = [0, 0, 0];
        for (let at = from; at < to; at++) {
          const right = entry.answers.right[matrix.order[at]], shade = shades[(right & 1) + (right >> 1 & 1) + (right >> 2 & 1)];
          sum = sum.map((part, channel) => part + shade[channel]);
        }
        context.fillStyle = `rgb(${sum.map((part) => Math.round(part / (to - from))).join(" ")})`;
        context.fillRect(x, (lane * LANE + 2) * ratio, 1, (LANE - 4) * ratio);
      }
    });
    matrix.cursor(context, width, ratio);
  },

  cursor(context, width, ratio) {
    context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--b");
    context.lineWidth = 2 * ratio;
    const cell = width / matrix.order.length;
    context.strokeRect(matrix.x * cell - ratio, matrix.y * LANE * ratio + ratio, Math.max(cell, 2 * ratio) + ratio, (LANE - 2) * ratio);
  },

  readout() {
    const i = matrix.order[matrix.x], entry = panels.data.entries[matrix.y], right = entry.answers.right[i];
    const fields = ["operation", "segment", "next"].filter((_, bit) => right >> bit & 1);
    byId("matrix-readout").textContent = `${entry.name}, clip ${panels.data.clips.id[i]} (${counted(matrix.x + 1)} of ${counted(matrix.order.length)}): ${fields.length ? fields.join(", ") + " right" : "nothing right"}`;
  },

  moveTo(x, y) {
    matrix.x = Math.max(0, Math.min(matrix.order.length - 1, x));
    matrix.y = Math.max(0, Math.min(panels.data.entries.length - 1, y));
    matrix.draw();
    matrix.readout();
  },

  key(event) {
    const far = event.shiftKey ? 25 : 1;
    const step = { ArrowRight: [far, 0], ArrowLeft: [-far, 0], ArrowDown: [0, 1], ArrowUp: [0, -1], Home: [-1e9, 0], End: [1e9, 0] }[event.key];
    if (step) matrix.moveTo(matrix.x + step[0], matrix.y + step[1]);
    else if (event.key === "Enter") matrix.open();
    else return;
    event.preventDefault();
    event.stopPropagation();
  },

  point(event) {
    const box = matrix.canvas.getBoundingClientRect();
    matrix.moveTo(Math.floor((event.clientX - box.left) / box.width * matrix.order.length), Math.floor((event.clientY - box.top) / LANE));
  },

  open() {
    state.set({ model: String(matrix.y), clip: panels.data.clips.id[matrix.order[matrix.x]], f: [], s: "" });
    byId("clip-detail").focus();
  },

  turn(by) {
    const last = Math.ceil(matrix.order.length / PAGE) - 1;
    matrix.page = Math.max(0, Math.min(last, matrix.page + by));
    matrix.table();
  },

  table() {
    const { entries, clips } = panels.data, from = matrix.page * PAGE, shown = matrix.order.slice(from, from + PAGE);
    const fields = (right) => ["O", "S", "N"].map((name, bit) => right >> bit & 1 ? name : "·").join("");
    const head = make("tr", {}, make("th", { scope: "col" }, "clip"), ...entries.map((entry) => make("th", { scope: "col" }, entry.name)));
    const rows = shown.map((i) => make("tr", {}, make("th", { scope: "row" }, clips.id[i]), ...entries.map((entry) => make("td", {}, fields(entry.answers.right[i])))));
    byId("matrix-table").replaceChildren(make("caption", {}, "O operation, S segment, N next operation right"), make("thead", {}, head), make("tbody", {}, ...rows));
    byId("matrix-page").textContent = `${counted(from + 1)} to ${counted(from + shown.length)} of ${counted(matrix.order.length)}`;
  },
};

function rgb(text) {
  const hex = text.trim().slice(1);
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
