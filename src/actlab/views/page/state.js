// What the reader has chosen: one table, and the address is where it is kept.

// A name may have parameters in parentheses, with commas between them.
const BETWEEN_NAMES = /,(?![^(]*\))/;

/** The state as the address tells it; what is not told has its usual value. */
export function readState(usual, hash = location.hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const number = (name) => (given.has(name) && given.get(name) !== "" ? Number(given.get(name)) : NaN);
  const epoch = number("epoch");
  const seed = number("seed");
  return {
    theme: ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : null,
    hidden: new Set(given.has("hide") ? given.get("hide").split(BETWEEN_NAMES).filter(Boolean) : usual.hidden),
    epoch: Number.isFinite(epoch) ? Math.min(Math.max(Math.round(epoch), 0), usual.epoch) : usual.epoch,
    seed: usual.seeds.includes(seed) ? seed : usual.seed,
    layer: usual.layers.includes(given.get("layer")) ? given.get("layer") : usual.layer,
    label: usual.labels.includes(given.get("label")) ? given.get("label") : usual.label,
    axes: given.get("axes") === "own" ? "own" : "shared",
    one: usual.every.includes(number("one")) ? number("one") : null,
    quantity: given.get("show"),
    section: given.get("at"),
  };
}

/** The part of the address after "#" that tells a state; empty for the usual one. */
export function written(state, usual) {
  const kept = new URLSearchParams();
  if (state.section) kept.set("at", state.section);
  if (state.theme) kept.set("theme", state.theme);
  if ([...state.hidden].join() !== usual.hidden.join()) kept.set("hide", [...state.hidden].join());
  if (Math.round(state.epoch) !== usual.epoch) kept.set("epoch", String(Math.round(state.epoch)));
  if (state.seed !== usual.seed) kept.set("seed", String(state.seed));
  if (state.layer !== usual.layer) kept.set("layer", state.layer);
  if (state.label !== usual.label) kept.set("label", state.label);
  if (state.axes === "own") kept.set("axes", "own");
  if (state.one !== null) kept.set("one", String(state.one));
  if (state.quantity) kept.set("show", state.quantity);
  return kept.toString();
}

/** Keep a state in the address. */
export function keep(state, usual) {
  const hash = written(state, usual);
  try {
    history.replaceState(null, "", `${location.pathname}${location.search}${hash ? `#${hash}` : ""}`);
  } catch {
    // Some viewers lend the page no address; it works without.
  }
}
