// The player: every activation's network at the same epoch, side by side.

import { beyond, sharedAxes, sharedErrors } from "./axes.js";
import { Ground, Pixels, surface } from "./canvas.js";
import { framed } from "./frames.js";
import { LINE_POINTS, chooseLabel, member, shared } from "./member.js";
import { fit, residuals } from "./numbers.js";
import { CURVES_LEFT, curves, losses, plane, probabilities, units } from "./panels.js";
import { watched } from "./sizes.js";

/**
 * Set up the player of a page.
 *
 * @param section the element that holds it.
 * @param content what is embedded for it.
 * @param code { functions, objectives }, in JavaScript; see `member`.
 * @param page { state, colours, go }: the state, the colours of an activation's pictures, and what moves the epoch.
 * @returns { draw, rows }: draws all that is in the window; the data of a row as a table.
 */
export function player(section, content, code, page) {
  const all = shared(content);
  const elements = [...section.querySelectorAll("[data-row]")];
  const canvases = [...section.querySelectorAll("canvas")];
  const watch = watched(canvases, () => draw());
  const rows = elements.map((element, i) => {
    const given = content.networks[i];
    const own = content.x ? member(given, all, code) : framed(given, all, code);
    return row(element, own, all, watch, page);
  });
  let drawn = 0;
  const axesOf = (some) => {
    const extents = some.map((one) => one.extent());
    return { ...sharedAxes(extents), ...(all.numbers && { error: sharedErrors(extents) }) };
  };
  const draw = () => {
    chooseLabel(all, page.state.label);
    const shown = rows.filter((_, i) => !elements[i].hidden);
    const seen = shown.filter((one) => one.inWindow());
    const together = seen.length && page.state.axes === "shared" ? axesOf(shown) : null;
    for (const one of seen) one.draw(together ?? axesOf([one]));
    drawn += seen.length;
    // For the bench: how long one waits for something to look at.
    if (drawn && !performance.getEntriesByName("first-picture").length) performance.mark("first-picture");
  };
  const rowsOf = (element) => rows[elements.indexOf(element)].table();
  return { draw, rows: rowsOf };
}

/** The place of an epoch among those whose weights are embedded; between two of them a fraction. */
function placeOf(epochs, epoch) {
  let next = epochs.findIndex((kept) => kept >= epoch);
  if (next < 0) next = epochs.length - 1;
  if (next === 0) return 0;
  const [before, after] = [epochs[next - 1], epochs[next]];
  return next - 1 + (epoch - before) / (after - before);
}

/** One activation: its canvases and what is written beside them. */
function row(element, own, all, watch, page) {
  const canvases = Object.fromEntries([...element.querySelectorAll("canvas")].map((c) => [c.dataset.panel, c]));
  const plate = () => ({ ground: new Ground(), pixels: new Pixels() });
  const plates = { inputs: plate(), features: plate(), fit: plate(), residuals: plate() };
  const readout = element.querySelector("[data-readout]");
  const flags = element.querySelector("[data-flags]");
  const space = () => own.given.spaces.find(({ name }) => name === page.state.layer) ?? own.given.spaces.at(-1);
  const on = (name) => canvases[name] && watch.sizes.has(canvases[name]) && watch.visible.has(canvases[name]);
  const surfaceOf = (name) => surface(canvases[name], ...watch.sizes.get(canvases[name]));

  /** Move to the state's epoch, or to the last one before the network diverged. */
  const move = () => {
    const seed = all.seeds.indexOf(page.state.seed);
    const ended = own.given.diverged[seed];
    const epoch = ended ? Math.min(page.state.epoch, Math.max(ended.epoch - 1, 0)) : page.state.epoch;
    own.move(placeOf(all.epochs, epoch), seed);
    return { seed, ended };
  };
  const inWindow = () => Object.keys(canvases).some(on);
  const extent = () => {
    const found = own.extent(space(), all.seeds.indexOf(page.state.seed));
    return { ...found, lowest: own.curves.accuracy.lowest, error: own.curves.accuracy.span, loss: own.curves.loss.span };
  };
  const draw = (axes) => {
    const { box } = axes;
    const colours = page.colours(own.given.colour);
    const { seed, ended } = move();
    const said = own.judged();
    const targets = all.numbers ? all.numbers.targets : null;
    const seen = { labels: all.labels, names: all.classes, classes: own.outputs, targets, ...own.found };
    for (const [name, picture] of [["fit", fit], ["residuals", residuals]]) {
      if (on(name)) picture(surfaceOf(name), plates[name].pixels, predicted(own, all), colours);
    }
    if (on("probabilities")) probabilities(surfaceOf("probabilities"), seen, colours);
    if (on("losses")) losses(surfaceOf("losses"), seen, colours);
    let outside = 0;
    if (on("features")) {
      const view = features(own, space(), all, seen, box);
      plane(surfaceOf("features"), plates.features, view, colours);
      outside = beyond(view.x, box, all.count);
    }
    if (on("inputs")) plane(surfaceOf("inputs"), plates.inputs, inputs(own, all, seen), colours);
    if (on("units")) units(surfaceOf("units"), { ...own.responses(space()), largest: axes.largest }, colours);
    const reached = own.given.milestones.map(({ name, epochs }) => ({ name, epoch: epochs[seed] }));
    if (on("curves")) curves(surfaceOf("curves"), history(own, seed, all, reached, page.state.epoch, axes), colours);
    const score = all.numbers ? `RMSE ${said.error.toPrecision(3)}${own.outputs > 1 ? " SD" : ""}` : `${(100 * said.accuracy).toFixed(1)} % right`;
    const right = `${score}, loss ${said.loss.toPrecision(3)}`;
    const over = ended && page.state.epoch >= ended.epoch;
    const told = over ? `diverged at epoch ${ended.epoch}: ${ended.reason}` : right;
    readout.textContent = outside ? `${told}; ${outside} of ${all.count} samples beyond the axes, at their edge` : told;
    // What the pictures of this row span, for whoever wants to know it in numbers.
    element.dataset.spans = JSON.stringify(axes);
    flag(flags, reached, page);
  };
  const table = () => {
    move();
    own.judged();
    const points = own.features(space(), all.x, all.count);
    if (all.numbers) return numberRows(own, all, points);
    const rows = [[all.several ? page.state.label : "class", "feature 1", "feature 2", "probability", "loss", "right"]];
    for (let i = 0; i < all.count; i += 1) {
      const { probability, loss, right } = own.found;
      rows.push([all.classes[all.labels[i]], points[2 * i], points[2 * i + 1], probability[i], loss[i], right[i]]);
    }
    return rows;
  };
  canvases.curves.addEventListener("click", (event) => {
    const share = (event.offsetX - CURVES_LEFT) / (canvases.curves.clientWidth - CURVES_LEFT - 8);
    page.go(Math.round(Math.min(Math.max(share, 0), 1) * all.last));
  });
  return { draw, table, extent, inWindow };
}

const lines = (points) => ({ points, each: LINE_POINTS });

/** What the picture of the feature space is drawn from. */
function features(own, space, all, seen, box) {
  const logits = own.overFeatures(space, box);
  const bent = all.lines && lines(own.features(space, all.lines, all.lines.length / 2).slice(0, all.lines.length));
  return { ...seen, box, x: own.features(space, all.x, all.count), logits, lines: bent };
}

/** What the pictures of predicted numbers are drawn from. */
function predicted(own, all) {
  const { targets, means, scales, span, xSpan, line } = all.numbers;
  return {
    x: line && all.x, xSpan, targets, span,
    predictions: own.found.predictions, outputs: own.outputs, count: all.count,
    line: line && { x: line, y: own.overLine() }, unit: { mean: means[0], scale: scales[0] },
  };
}

/** The data of a row: targets and predictions in their own units. */
function numberRows(own, all, points) {
  const { names, means, scales, targets } = all.numbers;
  const heads = names.flatMap((name) => [name, `${name}, predicted`]);
  const rows = [[...heads, "feature 1", "feature 2", "loss"]];
  for (let i = 0; i < all.count; i += 1) {
    const both = names.flatMap((_, k) =>
      [targets, own.found.predictions].map((values) => means[k] + scales[k] * values[i * names.length + k]),
    );
    rows.push([...both, points[2 * i], points[2 * i + 1], own.found.loss[i]]);
  }
  return rows;
}

/** What the picture of the input space is drawn from. */
function inputs(own, all, seen) {
  return { ...seen, box: all.box, x: all.x, logits: own.overInputs(), lines: lines(all.lines) };
}

/** What the curves are drawn from. */
function history(own, seed, all, reached, epoch, axes) {
  const chosen = (curve) => ({ bands: curve.bands, own: curve.of(seed) });
  const { accuracy, loss } = own.curves;
  const flags = reached.filter((flag) => flag.epoch !== null);
  return {
    accuracy: { ...chosen(accuracy), lowest: axes.lowest, error: all.numbers ? axes.error : null },
    loss: { ...chosen(loss), span: axes.loss },
    last: all.last,
    epoch,
    flags,
  };
}

/** The milestones of a seed as buttons that jump to them. */
function flag(element, reached, page) {
  const text = reached.map(({ name, epoch }) => `${name}: ${epoch === null ? "never" : `epoch ${epoch}`}`);
  if (element.dataset.shown === text.join("|")) return;
  element.dataset.shown = text.join("|");
  element.replaceChildren(
    ...reached.map(({ epoch }, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "flag";
      button.textContent = text[i];
      button.disabled = epoch === null;
      button.addEventListener("click", () => page.go(epoch));
      return button;
    }),
  );
}
