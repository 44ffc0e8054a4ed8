// Trace: hover or focus on a number shows its interval, its n, its rule and the command that prints it. In each table the
// numbers are one stop of the tab key; arrow keys move among them.

const trace = {
  box: byId("trace"),

  show(element) {
    const [text, command] = element.dataset.trace.split("¶");
    trace.box.replaceChildren(text.trim(), ...(command ? [make("code", {}, command.trim())] : []));
    trace.box.hidden = false;
    const place = element.getBoundingClientRect(), own = trace.box.getBoundingClientRect();
    const left = Math.max(8, Math.min(place.left, innerWidth - own.width - 12));
    const below = place.bottom + own.height + 10 < innerHeight;
    trace.box.style.left = `${left + scrollX}px`;
    trace.box.style.top = `${(below ? place.bottom + 6 : place.top - own.height - 6) + scrollY}px`;
  },

  hide() { trace.box.hidden = true; },

  // Makes the first number of each table reachable.
  prepare(root) {
    for (const table of every("table, .legend", root)) {
      const cells = every("[data-trace]", table);
      cells.forEach((cell, place) => cell.setAttribute("tabindex", place ? "-1" : "0"));
    }
  },

  move(event) {
    const cell = event.target.closest("[data-trace]");
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!cell || !step || event.target !== cell) return;
    const row = cell.closest("tr");
    const inRow = row ? every("[data-trace]:not([hidden])", row) : every("[data-trace]", cell.parentElement);
    const rows = row ? every("tr", cell.closest("table")).filter((one) => !one.hidden && one.querySelector("[data-trace]")) : [];
    const target = step[0]
      ? rows[rows.indexOf(row) + step[0]] && every("[data-trace]", rows[rows.indexOf(row) + step[0]])[inRow.indexOf(cell)]
      : inRow[inRow.indexOf(cell) + step[1]];
    event.preventDefault();
    if (!target) return;
    cell.setAttribute("tabindex", "-1");
    target.setAttribute("tabindex", "0");
    target.focus();
  },

  start() {
    document.addEventListener("mouseover", (event) => {
      const target = event.target.closest("[data-trace]");
      if (target) trace.show(target); else trace.hide();
    });
    document.addEventListener("focusin", (event) => {
      if (event.target.matches("[data-trace]")) trace.show(event.target); else trace.hide();
    });
    document.addEventListener("keydown", trace.move);
    addEventListener("scroll", trace.hide, { passive: true });
    trace.prepare(document);
  },
};
