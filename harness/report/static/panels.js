// Panels: unpacks the page's data, and shows the panels of the chosen entry and of the chosen pair.

const panels = {
  data: null,

  async unpack() {
    const packed = Uint8Array.from(atob(byId("data").textContent), (char) => char.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    panels.data = JSON.parse(await new Response(stream).text());
    panels.data.models[panels.data.focus] = byId("model").innerHTML;
    panels.shown = panels.data.focus;
    const pair = Object.keys(panels.data.pairs)[0];
    panels.pairShown = pair;
  },

  // The chosen entry, and the page's own choice where the address names none that the page holds.
  model() {
    const asked = state.get("model") === "" ? NaN : Number(state.get("model"));
    return panels.data && asked in panels.data.entries ? asked : Number(byId("choose-model").querySelector("[selected]").value);
  },

  showModel() {
    const place = panels.model();
    byId("choose-model").value = place;
    if (place === panels.shown) return;
    panels.shown = place;
    byId("model").innerHTML = panels.data.models[place];
    trace.prepare(byId("model"));
    gallery.pictureLooks();
  },

  // The pair's fragment is of (a, b) with a before b on the board; the other way round it is the same pair.
  pair() {
    const [a, b] = state.get("pair").split(",").map(Number);
    const key = a < b ? `${a}-${b}` : `${b}-${a}`;
    return key in panels.data.pairs ? key : null;
  },

  showPair() {
    if (!byId("pair")) return;
    const asked = state.get("pair");
    const key = asked ? panels.pair() : Object.keys(panels.data.pairs)[0];
    const [a, b] = asked ? asked.split(",") : key.split("-");
    byId("pair-a").value = a;
    byId("pair-b").value = b;
    if (key === panels.pairShown) return;
    panels.pairShown = key;
    if (key) byId("pair").innerHTML = panels.data.pairs[key];
    else byId("pair").replaceChildren(make("p", {}, panels.absent(Number(a), Number(b))));
    trace.prepare(byId("pair"));
  },

  absent(a, b) {
    const names = [a, b].map((place) => panels.data.entries[place]?.name ?? "?");
    if (a === b) return "Choose two entries.";
    return `This page holds no comparison of ${names[0]} and ${names[1]}: harness compare A B -o pair.html makes one.`;
  },

  start() {
    byId("choose-model").addEventListener("change", (event) => state.set({ model: event.target.value }));
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-model]");
      if (!link) return;
      event.preventDefault();
      state.set({ model: link.dataset.model });
      byId("model").scrollIntoView();
    });
    for (const id of ["pair-a", "pair-b"]) {
      byId(id)?.addEventListener("change", () => state.set({ pair: `${byId("pair-a").value},${byId("pair-b").value}` }));
    }
    state.on(["model"], panels.showModel);
    state.on(["pair"], panels.showPair);
  },
};
