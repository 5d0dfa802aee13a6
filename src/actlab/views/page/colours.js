// Colours of the charts: the style sheet is the only place that knows them.

const HEAT_STEPS = 7;
const CLASSES = 10;
const TOKEN = /^(var\(--[\w-]+\))(?:\/([\d.]+))?$/;

/** "rgb(1, 2, 3)" with an opacity from 0 to 1. */
function withOpacity(colour, opacity) {
  return colour.replace(/^rgba?\(([^,]+,[^,]+,[^,)]+).*\)$/, `rgba($1, ${opacity})`);
}

/** A function from "var(--name)" or "var(--name)/0.2" to a colour Plotly understands, for the theme as it is now. */
export function palette() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const known = new Map();
  const look = (token) => {
    if (!known.has(token)) {
      const [, name, opacity] = TOKEN.exec(token);
      probe.style.color = name;
      const colour = getComputedStyle(probe).color;
      known.set(token, opacity ? withOpacity(colour, opacity) : colour);
    }
    return known.get(token);
  };
  return { look, close: () => probe.remove() };
}

/** A copy of a figure in which every colour name is a colour. Arrays of numbers are shared, not copied. */
export function coloured(value, look) {
  if (typeof value === "string") return TOKEN.test(value) ? look(value) : value;
  if (Array.isArray(value)) {
    // Both ends: a colour scale is made of pairs of a number and a colour.
    const plain = [value[0], value.at(-1)].every((item) => typeof item === "number" || item === null);
    return plain ? value : value.map((item) => coloured(item, look));
  }
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, look)]));
}

/** A colour as three numbers. */
const channels = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number);

/** 256 colours along the ramp of the heat maps. */
function ramp(look) {
  const steps = Array.from({ length: HEAT_STEPS }, (_, i) => channels(look(`var(--heat-${i})`)));
  return Array.from({ length: 256 }, (_, octet) => {
    const place = (octet / 255) * (HEAT_STEPS - 1);
    const below = Math.min(Math.floor(place), HEAT_STEPS - 2);
    return [0, 1, 2].map((k) => steps[below][k] + (place - below) * (steps[below + 1][k] - steps[below][k]));
  });
}

/** The colours of pictures on canvases, for an activation's own colour `var(--series-n)`. */
export function canvasColours(series) {
  const { look, close } = palette();
  const classes = Array.from({ length: CLASSES }, (_, i) => channels(look(`var(--class-${i})`)));
  const plain = Object.fromEntries(["ink", "quiet", "rule", "axis", "grid", "wrong", "raised"].map((n) => [n, look(`var(--${n})`)]));
  const found = {
    ...plain,
    classes,
    series: channels(look(series)),
    wrongChannels: channels(plain.wrong),
    heat: ramp(look),
    font: getComputedStyle(document.body).fontFamily,
  };
  close();
  return found;
}
