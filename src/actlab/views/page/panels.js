// The pictures of the player, each drawn from numbers onto a canvas.

import { LARGEST_LOSS, SMALLEST_LOSS } from "./axes.js";
import { axes, clear, frame, linear, path, ticks, written } from "./canvas.js";
import { zeroLine } from "./geometry.js";
import { shade, tintOfNumbers } from "./numbers.js";

const CELLS = 41;
const BINS = 40;
/** Room for the numbers left of the curves. */
export const CURVES_LEFT = 42;

/** How many cells the grids have on which networks are computed for the ground and the boundary. */
export const GRID = CELLS;

/**
 * A plane with samples: tinted by what the network says there, with coordinate lines, samples and the boundary.
 * Samples beyond it stand at its edge.
 *
 * @param view { box, logits, classes, lines, x, labels, right, targets }: the plane's limits; outputs on the grid, or
 *   null; how many outputs; coordinate lines {points, each}, or null; the samples, two numbers each; their classes;
 *   whether each is classified rightly; where numbers are predicted, these, standardised, `classes` a sample.
 */
export function plane(drawn, { ground, pixels }, view, colours) {
  const { width, height } = drawn;
  const x = linear(view.box[0], [0, width]);
  const y = linear(view.box[1], [height, 0]);
  clear(drawn);
  if (view.logits) ground.draw(drawn, CELLS, CELLS, tint(view, colours));
  pixels.start(drawn);
  const count = view.labels.length;
  const radius = count > 1000 ? 1.4 : 2;
  const within = (at, end) => Math.min(Math.max(at, radius), end - radius);
  const across = (i) => within(x(view.x[2 * i]), width);
  const down = (i) => within(y(view.x[2 * i + 1]), height);
  const kind = view.targets
    ? (i) => shade(view.targets[i * view.classes], colours)
    : (i) => colours.classes[view.labels[i] % colours.classes.length];
  // A red edge for those that are classified wrongly: a larger spot under their own.
  pixels.spots(count, across, down, radius + 1.2, () => colours.wrongChannels, 0.9, (i) => !view.right[i]);
  pixels.spots(count, across, down, radius, kind, 0.8, () => true);
  pixels.show(drawn);
  if (view.lines) bend(drawn, view.lines, x, y, colours);
  if (view.targets) return;
  if (view.logits) boundary(drawn, view, colours);
  if (view.classes > 2) names(drawn, view, across, down, colours);
}

/** The name of each class at the middle of its samples: many colours are hard to tell apart. */
function names({ context }, view, x, y, colours) {
  const middle = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  context.font = `bold 12px ${colours.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.strokeStyle = colours.raised;
  context.fillStyle = colours.ink;
  view.names.forEach((name, label) => {
    const own = [...view.labels.keys()].filter((i) => view.labels[i] === label);
    if (!own.length) return;
    const [across, down] = [middle(own.map(x)), middle(own.map(y))];
    context.strokeText(name, across, down);
    context.fillText(name, across, down);
  });
}

/** How a place of the ground is coloured: between two classes by their probability, by the likeliest of several, or by a number. */
function tint(view, colours) {
  const { logits, classes } = view;
  if (view.targets) return tintOfNumbers(logits, classes, colours);
  const [first, second] = colours.classes;
  if (classes > 1) return tintOfSeveral(logits, classes, colours);
  return (place, data, at) => {
    const share = 1 / (1 + Math.exp(-logits[place]));
    const colour = share < 0.5 ? first : second;
    for (let k = 0; k < 3; k += 1) data[at + k] = colour[k];
    data[at + 3] = 70 * Math.abs(2 * share - 1);
  };
}

function tintOfSeveral(logits, classes, colours) {
  return (place, data, at) => {
    let best = 0;
    for (let k = 1; k < classes; k += 1) if (logits[place * classes + k] > logits[place * classes + best]) best = k;
    const colour = colours.classes[best % colours.classes.length];
    for (let k = 0; k < 3; k += 1) data[at + k] = colour[k];
    data[at + 3] = 45;
  };
}

function bend(drawn, { points, each }, x, y, colours) {
  const { context } = drawn;
  context.beginPath();
  for (let i = 0; 2 * i < points.length; i += 1) {
    const [across, down] = [x(points[2 * i]), y(points[2 * i + 1])];
    if (i % each) context.lineTo(across, down);
    else context.moveTo(across, down);
  }
  context.strokeStyle = colours.grid;
  context.lineWidth = 1;
  context.stroke();
}

function boundary({ context, width, height }, { logits, classes }, colours) {
  const across = (column) => (column / (CELLS - 1)) * width;
  const down = (row) => height - (row / (CELLS - 1)) * height;
  const ahead = (k) => (place) => {
    if (classes === 1) return logits[place];
    let other = -Infinity;
    for (let j = 0; j < classes; j += 1) if (j !== k) other = Math.max(other, logits[place * classes + j]);
    return logits[place * classes + k] - other;
  };
  context.beginPath();
  for (let k = 0; k < classes; k += 1) {
    zeroLine(ahead(k), CELLS, CELLS, (x0, y0, x1, y1) => {
      context.moveTo(across(x0), down(y0));
      context.lineTo(across(x1), down(y1));
    });
  }
  context.strokeStyle = colours.ink;
  context.lineWidth = 2;
  context.lineCap = "round";
  context.stroke();
}

/**
 * What each unit says over the input space, a square for each: one colour below zero, the other above, none at zero.
 * Colour follows the square root of the size, so that small ones are seen beside large ones.
 *
 * @param responses { values, units, largest }: values on the grid, unit by unit at each of its points; the size that
 *   has the full colour.
 */
export function units(drawn, { values, units: count, largest }, colours) {
  const { context, width, height } = drawn;
  const shown = Math.min(count, 36);
  const columns = Math.ceil(Math.sqrt((shown * width) / height));
  const rows = Math.ceil(shown / columns);
  const side = Math.min(width / columns, height / rows) - 4;
  const picture = document.createElement("canvas");
  Object.assign(picture, { width: CELLS, height: CELLS });
  const own = picture.getContext("2d");
  const image = own.createImageData(CELLS, CELLS);
  clear(drawn);
  context.strokeStyle = colours.rule;
  context.lineWidth = 1;
  for (let unit = 0; unit < shown; unit += 1) {
    for (let place = 0; place < CELLS * CELLS; place += 1) {
      const value = values[place * count + unit] / largest;
      const row = CELLS - 1 - Math.floor(place / CELLS);
      const colour = colours.classes[value < 0 ? 0 : 1];
      const at = 4 * (row * CELLS + (place % CELLS));
      for (let k = 0; k < 3; k += 1) image.data[at + k] = colour[k];
      image.data[at + 3] = 255 * Math.sqrt(Math.min(Math.abs(value), 1));
    }
    own.putImageData(image, 0, 0);
    const [x, y] = [(unit % columns) * (side + 4), Math.floor(unit / columns) * (side + 4)];
    context.drawImage(picture, x, y, side, side);
    context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
  }
}

/** Counts of samples by bin, class and whether they are right: [bin][class above or below][wrong, right]. */
function counted(view, bin) {
  const bins = Array.from({ length: BINS }, () => [
    [0, 0],
    [0, 0],
  ]);
  for (let i = 0; i < view.labels.length; i += 1) {
    const place = bin(i);
    if (place >= 0) bins[Math.min(place, BINS - 1)][view.side(i)][view.right[i]] += 1;
  }
  return bins;
}

/** Bars up for one class and down for the other, the wrong ones in red beside the line; heights are square roots. */
function bars(drawn, box, view, bins, colours) {
  const { context } = drawn;
  const largest = Math.sqrt(view.mirrored ? view.labels.length / 2 : view.labels.length);
  const middle = view.mirrored ? (box.top + box.bottom) / 2 : box.bottom;
  const room = view.mirrored ? (box.bottom - box.top) / 2 : box.bottom - box.top;
  const wide = (box.right - box.left) / BINS;
  bins.forEach((sides, bin) => {
    sides.forEach(([bad, good], side) => {
      const sign = side && view.mirrored ? -1 : 1;
      const height = (count) => (Math.sqrt(count) / largest) * room;
      const bar = (from, to, colour) => {
        context.fillStyle = colour;
        const [a, b] = [middle - sign * from, middle - sign * to];
        context.fillRect(box.left + bin * wide, Math.min(a, b), wide - 1, Math.abs(b - a));
      };
      bar(height(bad), height(bad + good), `rgb(${view.colour(side).join()})`);
      bar(0, height(bad), colours.wrong);
    });
  });
  if (view.mirrored) path(drawn, 2, (i) => (i ? box.right : box.left), () => middle, colours.axis, 1);
}

/**
 * How the predicted probabilities are distributed.
 *
 * With two classes the probability is that of the second, whose samples stand above the line and the others' below.
 */
export function probabilities(drawn, view, colours) {
  clear(drawn);
  const box = frame(drawn, { left: 8 });
  const across = [0, 0.5, 1].map((value) => ({ at: linear([0, 1], [box.left, box.right])(value), text: `${value}` }));
  axes(drawn, box, colours, { across });
  const two = view.classes === 1;
  const bins = counted(
    { ...view, side: (i) => (two && !view.labels[i] ? 1 : 0) },
    (i) => (Number.isFinite(view.probability[i]) ? Math.floor(view.probability[i] * BINS) : -1),
  );
  const colour = (side) => (two ? colours.classes[side ? 0 : 1] : colours.series);
  bars(drawn, box, { ...view, mirrored: two, colour }, bins, colours);
}

/** How the losses of single samples are distributed, on a logarithmic axis. */
export function losses(drawn, view, colours) {
  clear(drawn);
  const box = frame(drawn, { left: 8 });
  const span = [Math.log10(SMALLEST_LOSS), Math.log10(LARGEST_LOSS)];
  const x = linear(span, [box.left, box.right]);
  const across = [-6, -3, 0, 2].map((power) => ({ at: x(power), text: power < -3 ? `1e−${-power}` : written(10 ** power) }));
  axes(drawn, box, colours, { across });
  const bin = (i) => {
    const share = (Math.log10(Math.max(view.loss[i], SMALLEST_LOSS)) - span[0]) / (span[1] - span[0]);
    return Number.isNaN(share) ? -1 : Math.floor(Math.min(share, 1) * BINS);
  };
  const colour = () => colours.series;
  bars(drawn, box, { ...view, mirrored: false, colour }, counted({ ...view, side: () => 0 }, bin), colours);
}

/**
 * Accuracy, or the error of numbers, above and loss below over the epochs, the marked epoch and the milestones as flags.
 *
 * @param view { accuracy, loss, last, epoch, flags }: each curve {own, bands: [low, high]}, that of an error with its
 *   range {error: [low, high]}; flags [{epoch, name}].
 */
export function curves(drawn, view, colours) {
  clear(drawn);
  const whole = frame(drawn, { left: CURVES_LEFT });
  const x = linear([0, Math.max(view.last, 1)], [whole.left, whole.right]);
  const middle = (whole.top + whole.bottom) / 2;
  const across = ticks([0, Math.max(view.last, 1)], 3)
    .filter((epoch) => Number.isInteger(epoch))
    .map((epoch) => ({ at: x(epoch), text: written(epoch) }));
  const up = { ...whole, bottom: middle - 8 };
  const low = { ...whole, top: middle + 4 };
  accuracyCurve(drawn, up, x, view.accuracy, colours);
  lossCurve(drawn, low, x, view.loss, across, colours);
  for (const flag of view.flags) mark(drawn, x(flag.epoch), whole, colours.axis, [3, 3]);
  mark(drawn, x(view.epoch), whole, colours.ink, []);
}

function mark(drawn, at, box, colour, dash) {
  path(drawn, 2, () => at, (i) => (i ? box.bottom : box.top), colour, 1, dash);
}

function accuracyCurve(drawn, box, x, curve, colours) {
  const lowest = Math.min(0.9, Math.floor(10 * curve.lowest) / 10);
  const range = curve.error ? [0, curve.error[1] || 1] : [lowest, 1];
  const y = linear(range, [box.bottom, box.top]);
  const shown = curve.error ? ticks(range, 2) : range;
  const up = shown.map((value) => ({ at: y(value), text: curve.error ? written(value) : `${Math.round(100 * value)} %` }));
  axes(drawn, box, colours, { up });
  band(drawn, curve, x, inside(y, box), colours);
}

/** A scale that ends at the upper and lower edge of a frame: what lies beyond stands there. */
const inside = (y, box) => (value) => Math.min(Math.max(y(value), box.top), box.bottom);

function lossCurve(drawn, box, x, curve, across, colours) {
  const [low, high] = curve.span.map(Math.log10);
  const y = linear([low, high], [box.bottom, box.top]);
  const powers = [];
  for (let power = Math.ceil(low); power <= high; power += Math.max(1, Math.ceil((high - low) / 3))) powers.push(power);
  const shown = powers.length ? powers : [low, high];
  const up = shown.map((power) => ({ at: y(power), text: written(Number((10 ** power).toPrecision(2))) }));
  axes(drawn, box, colours, { across, up });
  band(drawn, curve, x, inside((value) => y(Math.log10(value)), box), colours);
}

/** The middle half of all seeds as an area, and one seed as a line. */
function band(drawn, { own, bands }, x, y, colours) {
  const { context } = drawn;
  const [low, high] = bands;
  context.beginPath();
  let count = 0;
  const edge = (values, i) => {
    if (!Number.isFinite(y(values[i]))) return;
    if (count) context.lineTo(x(i), y(values[i]));
    else context.moveTo(x(i), y(values[i]));
    count += 1;
  };
  for (let i = 0; i < low.length; i += 1) edge(high, i);
  for (let i = low.length - 1; i >= 0; i -= 1) edge(low, i);
  context.fillStyle = `rgba(${colours.series.join()}, 0.18)`;
  context.fill();
  path(drawn, own.length, x, (i) => y(own[i]), `rgb(${colours.series.join()})`, 2);
}
