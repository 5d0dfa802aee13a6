// One network of the player that is too large to be computed here: where its samples lie, at some epochs.

import { counts, floats, octets } from "./arrays.js";
import { reach } from "./axes.js";
import { curvesOf, lookedAt } from "./member.js";
import { judge, missed, outcome } from "./network.js";

const STEPS = 65535;

/** As `member`, but for pictures that were computed before. */
export function framed(given, all, code) {
  const lost = floats(given.losses);
  const correct = octets(given.right);
  const points = new Map(given.spaces.map((space) => [space.name, counts(space.points)]));
  const said = given.predictions ? floats(given.predictions) : null;
  const found = outcome(all.count);
  const placed = new Float64Array(2 * all.count);
  const own = { given, outputs: all.several ? 1 : given.outputs, found, curves: curvesOf(given, all) };
  let time = 0;

  own.move = (moved) => {
    time = moved;
  };
  own.judged = () => {
    const start = Math.floor(time) * all.count;
    if (all.several) {
      const logits = said.subarray(start * given.outputs, (start + all.count) * given.outputs);
      return judge(lookedAt(all, logits, given.outputs), all.labels, 1, all.count, found, code.objectives[1]);
    }
    found.loss = lost.subarray(start, start + all.count);
    found.right = correct.subarray(start, start + all.count);
    if (said) {
      const { targets, scales } = all.numbers;
      found.predictions = said.subarray(start * given.outputs, (start + all.count) * given.outputs);
      return missed(found, targets, given.outputs === 1 ? scales[0] : 1);
    }
    let right = 0;
    let total = 0;
    for (let i = 0; i < all.count; i += 1) {
      const likely = Math.exp(-found.loss[i]);
      found.probability[i] = given.outputs === 1 && !all.labels[i] ? 1 - likely : likely;
      right += found.right[i];
      total += found.loss[i];
    }
    return { accuracy: right / all.count, loss: total / all.count };
  };
  own.features = (space) => {
    const steps = points.get(space.name);
    const place = Math.floor(time);
    const next = Math.min(place + 1, all.epochs.length - 1);
    const share = time - place;
    for (let i = 0; i < placed.length; i += 1) {
      const [low, high] = space.box[i % 2];
      const a = steps[place * placed.length + i];
      const b = steps[next * placed.length + i];
      placed[i] = low + ((a + share * (b - a)) / STEPS) * (high - low);
    }
    return placed;
  };
  own.overFeatures = () => null;
  own.extent = (space, seed) => ({ box: space.box, largest: reach(space.box), lost: Boolean(given.diverged[seed]) });
  return own;
}
