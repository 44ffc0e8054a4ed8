"use strict";
// State: what the page's address keeps, so that a link shows the same view again. Keys: model, clip, sort, q (filter of
// the leaderboard), w (weights), cols (hidden columns), base, pair, f (clip filters, several), s (search), order, pics.

const state = {
  keys: ["model", "clip", "sort", "q", "w", "cols", "base", "pair", "f", "s", "order", "pics"],
  values: new URLSearchParams(),
  listeners: [],

  read() {
    const found = new URLSearchParams(location.hash.slice(1));
    state.values = new URLSearchParams([...found].filter(([key]) => state.keys.includes(key)));
  },

  get(key) { return state.values.get(key) || ""; },

  all(key) { return state.values.getAll(key); },

  // Changes several keys (a list for a key that may stand several times), tells the address and all listeners.
  set(changes) {
    for (const [key, value] of Object.entries(changes)) {
      state.values.delete(key);
      for (const one of [value].flat()) if (one !== "" && one !== null) state.values.append(key, one);
    }
    const text = state.values.toString();
    history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
    state.tell(Object.keys(changes));
  },

  on(keys, listener) { state.listeners.push([keys, listener]); },

  tell(changed) {
    for (const [keys, listener] of state.listeners) if (keys.some((key) => changed.includes(key))) listener();
  },
};

const byId = (id) => document.getElementById(id);
const every = (selector, root = document) => [...root.querySelectorAll(selector)];

// An element with attributes and children; texts become text, never markup.
function make(name, attributes = {}, ...children) {
  const svg = ["svg", "rect", "line", "text", "g", "circle"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

const counted = (n) => n.toLocaleString("en-US");
