// Filters: which clips the gallery lists. A filter is a text in the address: mode:too_long, stage:segment,
// slice:domain:occlusion, confused:Tape:Wrap, pair:0:1:all:only_a; a clip must pass all filters in force and the search.

const FIELDS = { operation: 1, segment: 2, next: 4 };

const filters = {
  // The clips' texts in lower case, for the search.
  texts: null,

  prepare() {
    const { clips, operations } = panels.data;
    filters.texts = clips.id.map((id, i) =>
      [id, level("session", i), level("domain", i), level("worker", i), level("cut_kind", i), operations[clips.operation[i]],
        operations[clips.next[i]]].join(" ").toLowerCase());
  },

  label(text) {
    const [kind, ...parts] = text.split(":");
    if (kind === "mode") return panels.data.modes.find((mode) => mode.name === parts[0])?.title ?? parts[0];
    if (kind === "stage") return `lost at ${parts[0]}`;
    if (kind === "slice") return `${parts[0].replaceAll("_", " ")}: ${parts.slice(1).join(":")}`;
    if (kind === "confused") return `${parts[0]} answered as ${parts[1]}`;
    if (kind === "pair") return filters.pairLabel(parts);
    return text;
  },

  pairLabel([a, b, field, side]) {
    const name = (place) => panels.data.entries[place]?.name ?? "?";
    const who = { both: "both", neither: "neither", only_a: `only ${name(a)}`, only_b: `only ${name(b)}` }[side];
    return `${field === "all" ? "all three" : field} right: ${who}`;
  },

  test(text) {
    const [kind, ...parts] = text.split(":");
    const answers = panels.data.entries[panels.model()].answers;
    if (kind === "mode") return (i) => panels.data.modes[answers.mode[i]].name === parts[0];
    if (kind === "stage") return filters.stage(parts[0], answers);
    if (kind === "slice") return filters.slice(parts[0], parts.slice(1).join(":"));
    if (kind === "confused") return filters.confused(parts[0], parts.slice(1).join(":"), answers);
    if (kind === "pair") return filters.pair(parts);
    return () => true;
  },

  // Clips that stop at a stage of the funnel.
  stage(name, answers) {
    const outcome = { present: 3, parsed: 1, valid: 2 }[name];
    if (outcome) return (i) => answers.outcome[i] === outcome;
    const right = (i) => answers.outcome[i] === 0 ? answers.right[i] : 0;
    if (name === "operation") return (i) => answers.outcome[i] === 0 && !(right(i) & 1);
    if (name === "segment") return (i) => (right(i) & 3) === 1;
    return (i) => (right(i) & 7) === 3;
  },

  slice(dimension, name) {
    const { clips, operations } = panels.data;
    const length = (i) => clips.end[i] - clips.start[i];
    const tests = {
      operation: (i) => operations[clips.operation[i]] === name,
      next_operation: (i) => operations[clips.next[i]] === name,
      next_visible: (i) => (clips.end[i] < 125) === (name === "visible"),
      dense: (i) => (length(i) <= 62) === (name === "dense"),
      script: (i) => !!clips.offScript && !!clips.offScript[i] === (name === "off-script"),
      cut: (i) => level("cut_kind", i) === name,
      domain: (i) => level("domain", i) === name,
      worker: (i) => level("worker", i) === name,
      session: (i) => level("session", i) === name,
      session_kind: (i) => !!clips.randomised && !!clips.randomised[i] === (name === "randomised"),
    };
    return tests[dimension] ?? (() => true);
  },

  confused(truth, answer, answers) {
    const { clips, operations } = panels.data;
    return (i) => operations[clips.operation[i]] === truth && said(answers.operation[i]) === answer;
  },

  pair([a, b, field, side]) {
    const mask = field === "all" ? 7 : FIELDS[field];
    const good = (place, i) => ((panels.data.entries[place]?.answers.right[i] ?? 0) & mask) === mask;
    const wanted = { both: [true, true], only_a: [true, false], only_b: [false, true], neither: [false, false] }[side];
    return (i) => good(a, i) === wanted[0] && good(b, i) === wanted[1];
  },

  // The places of the clips that all filters and the search leave.
  chosen() {
    const tests = state.all("f").map(filters.test);
    const words = state.get("s").toLowerCase().split(/\s+/).filter(Boolean);
    const answers = panels.data.entries[panels.model()].answers;
    if (words.length) {
      const modes = panels.data.modes.map((mode) => mode.title.toLowerCase());
      tests.push((i) => words.every((word) => filters.texts[i].includes(word) || modes[answers.mode[i]].includes(word)));
    }
    const all = panels.data.clips.id.map((_, i) => i);
    return all.filter((i) => tests.every((test) => test(i)));
  },

  toggle(text) {
    const now = state.all("f");
    state.set({ f: now.includes(text) ? now.filter((one) => one !== text) : [...now, text] });
  },
};

function level(name, i) {
  const column = panels.data.clips[name];
  return column.codes[i] < 0 ? "" : column.levels[column.codes[i]];
}

function said(code) {
  const { codes, operations } = panels.data;
  return code === codes.noAnswer ? "(no answer)" : code === codes.otherLabel ? "(other label)" : operations[code];
}
