// Numbers as the page gets them: base64 of little-endian arrays.

/** A Uint8Array. */
export function octets(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** A Float32Array. */
export const floats = (text) => new Float32Array(octets(text).buffer);

/** A Uint16Array. */
export const counts = (text) => new Uint16Array(octets(text).buffer);

/** Lowest and highest finite number of every `step`-th one from `first` on; [0, 1] where there is none. */
export function span(values, first = 0, step = 1, count = values.length) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = first; i < count; i += step) {
    const value = values[i];
    if (value < low && value !== -Infinity) low = value;
    if (value > high && value !== Infinity) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

/** A span with some room on both sides. */
export function widened([low, high], share = 0.07) {
  const room = share * (high - low) || 0.5;
  return [low - room, high + room];
}

/** 25th, 50th and 75th percentile of the finite ones among some numbers, as NumPy interpolates them. */
export function quartiles(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  return [0.25, 0.5, 0.75].map((share) => {
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  });
}
