// What the reader of a training that was watched has chosen: one table, and the address is where it is kept.

const names = (measures) => measures.flatMap(({ rows }) => rows);

/** The state as the address tells it; what is not told has its usual value. */
export function toldState({ steps, measures, findings }, hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const step = Number(given.get("step") ?? NaN);
  const finding = Number(given.get("finding") ?? NaN);
  const layer = given.get("layer");
  const measure = given.get("show");
  return {
    theme: ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : null,
    scale: given.get("steps") === "scale" ? "scale" : "looks",
    measure: measures.some(({ name }) => name === measure) ? measure : null,
    layer: names(measures).includes(layer) ? layer : null,
    column: steps.includes(step) ? steps.indexOf(step) : null,
    finding: findings.some(({ number }) => number === finding) ? finding : null,
    section: given.get("at"),
    steps,
  };
}

/** The part of the address after "#" that tells a state; empty for the usual one. */
export function tellState(state) {
  const kept = new URLSearchParams();
  if (state.section) kept.set("at", state.section);
  if (state.theme) kept.set("theme", state.theme);
  if (state.scale === "scale") kept.set("steps", "scale");
  if (state.measure) kept.set("show", state.measure);
  if (state.layer) kept.set("layer", state.layer);
  if (state.column !== null) kept.set("step", String(state.steps[state.column]));
  if (state.finding !== null) kept.set("finding", String(state.finding));
  return kept.toString();
}
