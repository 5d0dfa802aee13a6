// Steps that were looked at as columns, and numbers as codes: maths alone.

/** Codes of what is no number on the scale of a measure. */
export const UNSEEN = 0;
export const ZERO = 1;
export const INFINITE = 65535;
const FIRST = 2;
const STEPS = INFINITE - 1 - FIRST;

/** The number that a code stands for: see `actlab.views.report.layer_heat.coded`. */
export function decoded(code, { log, low, high }) {
  if (code === UNSEEN) return NaN;
  if (code === INFINITE) return Infinity;
  if (code === ZERO) return 0;
  const value = low + ((code - FIRST) / STEPS) * (high - low);
  return log ? 10 ** value : value;
}

/** The place of a code on the colour scale, 0 to 255; −1 where nothing was seen, 256 for what is infinite. */
export function shade(code, { low, high, from, to }) {
  if (code === UNSEEN) return -1;
  if (code === INFINITE) return 256;
  if (code === ZERO) return 0;
  const value = low + ((code - FIRST) / STEPS) * (high - low);
  return Math.round(255 * Math.min(Math.max((value - from) / (to - from || 1), 0), 1));
}

/** Edges of the columns of some steps, from 0 to 1: one more than there are steps. Each as wide as the next, or "scale". */
export function columns(steps, kind) {
  const count = steps.length;
  if (kind !== "scale" || count < 2) return Float64Array.from({ length: count + 1 }, (_, i) => i / Math.max(count, 1));
  const end = 2 * steps[count - 1] - steps[count - 2];
  return Float64Array.from({ length: count + 1 }, (_, i) => ((i < count ? steps[i] : end) - steps[0]) / (end - steps[0]));
}

/** The column in which a place from 0 to 1 lies. */
export function columnAt(edges, along) {
  let [low, high] = [0, edges.length - 2];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (edges[middle] <= along) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Which columns get their step written below them, at least `room` apart: the first, the last, and others between. */
export function labelled(edges, width, room) {
  const middle = (i) => ((edges[i] + edges[i + 1]) / 2) * width;
  const last = edges.length - 2;
  const found = [];
  for (let i = 0; i <= last; i += 1) {
    const far = !found.length || middle(i) - middle(found.at(-1)) >= room;
    if (far && (i === last || middle(last) - middle(i) >= room)) found.push(i);
  }
  if (found.at(-1) !== last && last >= 0) found.push(last);
  return found;
}

/** The module that a layer lies in, to so many parts of its name. */
const prefix = (name, depth) => name.split(":")[0].split(".").slice(0, depth).join(".");

/** Names beside rows, [{row, text}]: of each row where there is room, else of the modules that rows lie in. */
export function rowNames(names, height, room = 12) {
  if (height >= room - 1) return names.map((text, row) => ({ row, text }));
  const most = (names.length * height) / room;
  for (let depth = 4; depth > 0; depth -= 1) {
    const starts = [];
    names.forEach((name, row) => {
      const text = prefix(name, depth);
      if (!starts.length || starts.at(-1).text !== text) starts.push({ row, text });
    });
    if (starts.length <= most) return spaced(starts, room / height);
  }
  return spaced(names.map((text, row) => ({ row, text })), room / height);
}

function spaced(starts, apart) {
  const found = [];
  for (const own of starts) if (!found.length || own.row - found.at(-1).row >= apart) found.push(own);
  return found;
}

/** A number in words. */
export function inWords(value, share) {
  if (Number.isNaN(value)) return "not seen";
  if (value === Infinity) return "infinite";
  if (share) return `${Number((100 * value).toPrecision(3))} %`;
  return String(Number(value.toPrecision(3))).replace("-", "−");
}
