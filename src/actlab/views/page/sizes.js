// How large canvases are and which of them are in the window: nothing needs to be measured while it is drawn.

/**
 * @param canvases those to watch.
 * @param changed is called when one of them has another size or comes into the window.
 * @returns sizes, a Map, and visible, a Set: [width, height] in CSS pixels by canvas, and the canvases in the window.
 */
export function watched(canvases, changed) {
  const sizes = new Map();
  const visible = new Set();
  const sized = new ResizeObserver((entries) => {
    let moved = false;
    for (const { target, contentRect } of entries) {
      const [width, height] = sizes.get(target) ?? [];
      if (!contentRect.width || (width === contentRect.width && height === contentRect.height)) continue;
      sizes.set(target, [contentRect.width, contentRect.height]);
      moved = true;
    }
    if (moved) changed();
  });
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) visible.add(target);
      else visible.delete(target);
    }
    if (entries.some(({ isIntersecting }) => isIntersecting)) changed();
  });
  for (const canvas of canvases) {
    sized.observe(canvas);
    seen.observe(canvas);
  }
  // On paper everything is in the window.
  let before = new Set();
  addEventListener("beforeprint", () => {
    before = new Set(visible);
    for (const canvas of canvases) visible.add(canvas);
    changed();
  });
  addEventListener("afterprint", () => {
    visible.clear();
    for (const canvas of before) visible.add(canvas);
  });
  return { sizes, visible };
}
