// Colours of the charts: the style sheet is the only place that knows them.

const TOKEN = /^(var\(--[\w-]+\))(?:\/([\d.]+))?$/;

/** "rgb(1, 2, 3)" with an opacity from 0 to 1. */
function withOpacity(colour, opacity) {
  return colour.replace(/^rgba?\(([^,]+,[^,]+,[^,)]+).*\)$/, `rgba($1, ${opacity})`);
}

/** A function from "var(--name)" or "var(--name)/0.2" to a colour Plotly understands, for the theme as it is now. */
function palette() {
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
function coloured(value, look) {
  if (typeof value === "string") return TOKEN.test(value) ? look(value) : value;
  if (Array.isArray(value)) {
    // Both ends: a colour scale is made of pairs of a number and a colour.
    const plain = [value[0], value.at(-1)].every((item) => typeof item === "number" || item === null);
    return plain ? value : value.map((item) => coloured(item, look));
  }
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, look)]));
}
