// The axes that the rows of the player share: ranges that hold all of them, but for what lies far beyond the others.

/** How many times as far as the middle one of some ranges one of them may reach, to be held by shared axes. */
const FAR = 10;
/** The losses that axes show at most: what is smaller or larger stands at their ends. */
export const SMALLEST_LOSS = 1e-6;
export const LARGEST_LOSS = 100;

/** How far from zero a box reaches. */
export const reach = (box) => Math.max(...box.flat().map(Math.abs));

/** The middle one of some numbers, of two the lower one. */
const middle = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)];

/** Those of some things that do not reach far beyond the middle one; `far` tells how far a thing reaches. */
export function comparable(things, far) {
  const positive = things.map(far).filter((value) => value > 0);
  if (!positive.length) return things;
  const most = FAR * middle(positive);
  return things.filter((thing) => far(thing) <= most);
}

/** The smallest range that holds some others. */
export const union = (ranges) => [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];

/** A range of losses as an axis shows it: within the two ends, and never empty. */
function lossRange([low, high]) {
  const within = [low, high].map((value) => Math.min(Math.max(value, SMALLEST_LOSS), LARGEST_LOSS));
  return within[1] > 1.1 * within[0] ? within : [within[0] / 1.5, within[1] * 1.5];
}

/**
 * The axes of some rows. Networks that diverged do not stretch them while there are others.
 *
 * @param extents of each row { box, largest, lowest, loss, lost }: the limits of its feature space, the largest size of
 *   what its units say, the lowest accuracy, the range of its loss, over all epochs; whether it diverged.
 * @returns { box, largest, lowest, loss }.
 */
export function sharedAxes(extents) {
  const steady = extents.filter(({ lost }) => !lost);
  const held = steady.length ? steady : extents;
  const near = comparable(held, ({ box }) => reach(box));
  const said = comparable(held, ({ largest }) => largest).map(({ largest }) => largest);
  return {
    box: [0, 1].map((k) => union(near.map(({ box }) => box[k]))),
    largest: Math.max(...said) || 1,
    lowest: Math.min(...held.map(({ lowest }) => lowest)),
    loss: lossRange(union(held.map(({ loss }) => loss))),
  };
}

/** The range of the errors of some rows, { error: [low, high] } each: what lies far beyond the others does not stretch it. */
export function sharedErrors(extents) {
  return union(comparable(extents, ({ error }) => error[1]).map(({ error }) => error));
}

/** How many of some points, two numbers each, lie beyond a box. */
export function beyond(points, [[left, right], [bottom, top]], count) {
  let found = 0;
  for (let i = 0; i < count; i += 1) {
    const [x, y] = [points[2 * i], points[2 * i + 1]];
    if (x < left || x > right || y < bottom || y > top) found += 1;
  }
  return found;
}
