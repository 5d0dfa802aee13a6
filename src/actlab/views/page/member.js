// One network of the player: what it makes of the samples at a time between its epochs.

import { floats, octets, quartiles, span, widened } from "./arrays.js";
import { comparable, reach, union } from "./axes.js";
import { coordinateLines, gridPoints } from "./geometry.js";
import { between, judge, judgeNumbers, network, outcome } from "./network.js";
import { FIT_POINTS } from "./numbers.js";
import { GRID } from "./panels.js";

const LINES = 13;
const STEPS = 40;
/** How many points each coordinate line has. */
export const LINE_POINTS = STEPS + 1;
// The limits of a feature space are found from so many samples and epochs, and of large networks from fewer: about so many
// multiplications are done for each.
const EXTENT_SAMPLES = 300;
const EXTENT_EPOCHS = [10, 40];
const EXTENT_STEPS = 2e7;

/** What all networks of a player share: samples, their classes or numbers, the limits of the input space. */
export function shared(content) {
  return {
    ...content,
    x: content.x ? floats(content.x) : null,
    count: content.samples,
    several: content.labels && { ...content.labels, y: octets(content.labels.y), at: 0 },
    labels: content.labels ? null : Uint8Array.from(content.y.length ? content.y : { length: content.samples }),
    numbers: content.numbers ? numbersOf(content) : null,
    grid: content.box ? gridPoints(content.box, GRID, GRID) : null,
    lines: content.box ? coordinateLines(content.box, LINES, STEPS) : null,
  };
}

/** Of samples with several labels: look at one of them, by its name. */
export function chooseLabel(all, name) {
  if (!all.several) return;
  all.several.at = Math.max(all.several.names.indexOf(name), 0);
  all.labels = all.several.y.subarray(all.several.at * all.count, (all.several.at + 1) * all.count);
}

/** Of the outputs for some samples those that are looked at: all, or that of one of several labels. */
export function lookedAt(all, values, outputs) {
  if (!all.several) return values;
  return Float64Array.from({ length: values.length / outputs }, (_, i) => values[i * outputs + all.several.at]);
}

/** The targets where they are numbers: standardised, their ranges, and the points of a single input for a curve. */
function numbersOf(content) {
  const targets = floats(content.numbers.targets);
  const single = content.x && content.numbers.inputs === 1 ? span(floats(content.x)) : null;
  const step = (i) => single[0] + (i / (FIT_POINTS - 1)) * (single[1] - single[0]);
  const line = single && Float64Array.from({ length: FIT_POINTS }, (_, i) => step(i));
  return { ...content.numbers, targets, span: span(targets, 0, content.numbers.names.length), xSpan: single, line };
}

/**
 * The networks of one activation: one for each seed and epoch, of which one at a time is computed.
 *
 * @param given what the page was given about it.
 * @param all what `shared` made.
 * @param code { functions, objectives }: values of functions by key, objectives by the number of outputs.
 */
export function member(given, all, code) {
  const room = Math.max(all.count, GRID * GRID, 2 * LINES * (STEPS + 1), FIT_POINTS);
  const computed = network(given.layers, code.functions, room);
  const weights = floats(given.weights);
  const size = weights.length / (all.epochs.length * all.seeds.length);
  const now = new Float32Array(size);
  const found = outcome(all.count);
  const { outputs } = given;
  const looked = (values) => lookedAt(all, values, outputs);
  if (all.numbers) found.predictions = new Float64Array(all.count * outputs);
  const at = (epoch, seed) => {
    const start = (epoch * all.seeds.length + seed) * size;
    return weights.subarray(start, start + size);
  };
  const extents = new Map();
  const own = { given, outputs: all.several ? 1 : outputs, found, curves: curvesOf(given, all) };

  /** Set the time, in places among the epochs (2.5: halfway from the third to the fourth), and the seed's place. */
  own.move = (time, seed) => {
    const place = Math.min(Math.floor(time), all.epochs.length - 1);
    const next = Math.min(place + 1, all.epochs.length - 1);
    between(at(place, seed), at(next, seed), time - place, now);
    own.seed = seed;
  };
  /** Compute all samples; returns accuracy, or the error of numbers, and loss. */
  own.judged = () => {
    const logits = computed.run(now, all.x, all.count);
    if (all.numbers) {
      const { targets, scales } = all.numbers;
      const scale = outputs === 1 ? scales[0] : 1;
      return judgeNumbers(logits, targets, outputs, all.count, found, code.objectives[outputs], scale);
    }
    const seen = looked(logits.subarray(0, all.count * outputs));
    return judge(seen, all.labels, own.outputs, all.count, found, code.objectives[own.outputs]);
  };
  /** Where samples, or other points of the input space, lie in a feature space: two numbers each. */
  own.features = (space, x, count) => {
    computed.run(now, x, count);
    return project(computed.outputs[space.layer], space, own.seed, count);
  };
  /** The outputs along a single input. */
  own.overLine = () => computed.run(now, all.numbers.line, FIT_POINTS).slice(0, FIT_POINTS * outputs);
  /** The outputs on the grid over the input space. */
  own.overInputs = () => looked(computed.run(now, all.grid, GRID * GRID).slice(0, GRID * GRID * outputs));
  /** The outputs on a grid over a layer of two units. */
  own.overFeatures = (space, box) => {
    if (space.axes) return null;
    const logits = computed.run(now, gridPoints(box, GRID, GRID), GRID * GRID, space.layer + 1);
    return looked(logits.slice(0, GRID * GRID * outputs));
  };
  /** What each unit of a space says over the input space: values on the grid, unit by unit in each. */
  own.responses = (space) => {
    computed.run(now, all.grid, GRID * GRID);
    return { values: computed.outputs[space.layer], units: space.units };
  };
  /** The largest size of what a space's units say of the samples that were computed last, so many of them. */
  own.largest = (space, count) => {
    let found = 0;
    const values = computed.outputs[space.layer];
    for (let i = 0; i < count * space.units; i += 1) found = Math.max(found, Math.abs(values[i]));
    return found;
  };
  /** What axes must hold of a space at all epochs: { box, largest } and whether the network diverged. */
  own.extent = (space, seed) => {
    const key = `${space.name} ${seed}`;
    if (!extents.has(key)) extents.set(key, extentOf(own, space, seed, all, size));
    return extents.get(key);
  };
  return own;
}

/** Two numbers for each sample: the two units themselves, or their projection on two axes. */
function project(values, space, seed, count) {
  if (!space.axes) return values.subarray(0, 2 * count);
  space.numbers ??= floats(space.axes);
  const units = space.units;
  const axes = space.numbers.subarray(3 * units * seed, 3 * units * (seed + 1));
  const projected = new Float64Array(2 * count);
  for (let i = 0; i < count; i += 1) {
    for (let j = 0; j < units; j += 1) {
      const away = values[i * units + j] - axes[j];
      projected[2 * i] += away * axes[units + j];
      projected[2 * i + 1] += away * axes[2 * units + j];
    }
  }
  return projected;
}

function extentOf(own, space, seed, all, size) {
  const count = Math.min(all.count, EXTENT_SAMPLES);
  const ended = own.given.diverged[seed];
  const [fewest, most] = EXTENT_EPOCHS;
  const wanted = Math.min(Math.max(Math.round(EXTENT_STEPS / (size * count)), fewest), most, all.epochs.length);
  const found = [];
  for (let i = 0; i < wanted; i += 1) {
    const place = Math.round((i * (all.epochs.length - 1)) / Math.max(wanted - 1, 1));
    if (ended && all.epochs[place] >= Math.max(ended.epoch, 1)) break;
    own.move(place, seed);
    const points = own.features(space, all.x, count);
    if (!points.subarray(0, 2 * count).every(Number.isFinite)) continue;
    found.push({ box: [0, 1].map((k) => span(points, k, 2, 2 * count)), largest: own.largest(space, count) });
  }
  // What diverges does so by getting ever larger: only then do the last epochs say nothing of the others.
  const held = ended ? comparable(found, ({ box }) => reach(box)) : found;
  return {
    box: [0, 1].map((k) => widened(held.length ? union(held.map(({ box }) => box[k])) : [0, 1])),
    largest: Math.max(0, ...held.map(({ largest }) => largest)),
    lost: Boolean(ended),
  };
}

/** Accuracy and loss over the epochs: of each seed, and the middle half of all. */
export function curvesOf(given, all) {
  const epochs = all.last + 1;
  const curve = (text) => {
    const values = floats(text);
    const seeds = values.length / epochs;
    const column = (i) => Array.from({ length: seeds }, (_, seed) => values[seed * epochs + i]);
    const bands = Array.from({ length: epochs }, (_, i) => quartiles(column(i)));
    // What diverged tells nothing of the range of the others.
    const steady = values.filter((_, i) => !given.diverged[Math.floor(i / epochs)]);
    const known = steady.some(Number.isFinite) ? steady : values;
    return {
      of: (seed) => values.subarray(seed * epochs, (seed + 1) * epochs),
      bands: [bands.map(([low]) => low), bands.map(([, , high]) => high)],
      span: span(known.filter((value) => value > 0 && Number.isFinite(value))),
      lowest: span(known)[0],
    };
  };
  return { accuracy: curve(given.accuracy), loss: curve(given.loss) };
}
