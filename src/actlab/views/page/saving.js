// Every picture as PNG, its data as CSV.

/** Rows as CSV: what holds a comma, a quote or a line's end stands in quotes. */
export function csv(rows) {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${rows.map((row) => row.map(cell).join(",")).join("\n")}\n`;
}

/** The traces of a Plotly chart as rows: which trace, then what it holds. */
export function traceRows(data) {
  const rows = [["trace", "x", "y"]];
  for (const trace of data) {
    // The area between two percentiles is a polygon, upper edge first.
    const name = `${trace.name ?? trace.meta ?? ""}${trace.fill === "toself" ? " (middle half)" : ""}`;
    (trace.x ?? []).forEach((x, i) => rows.push([name, x, trace.y?.[i]]));
  }
  return rows;
}

/** What a data URL holds; the page may not fetch, not even from itself. */
export function blobOf(url) {
  const [head, data] = url.split(",");
  return new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type: /data:([^;]+)/.exec(head)[1] });
}

function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Some canvases side by side on a ground, as one picture. */
export function joined(canvases, ground) {
  const whole = document.createElement("canvas");
  whole.width = canvases.reduce((sum, canvas) => sum + canvas.width, 0);
  whole.height = Math.max(...canvases.map((canvas) => canvas.height));
  const context = whole.getContext("2d");
  context.fillStyle = ground;
  context.fillRect(0, 0, whole.width, whole.height);
  let left = 0;
  for (const canvas of canvases) {
    context.drawImage(canvas, left, 0);
    left += canvas.width;
  }
  return whole;
}

/**
 * Make the two buttons of every figure work.
 *
 * @param find what gives {name, png(): Promise<Blob>, rows(): rows} for a figure.
 */
export function saving(find) {
  for (const button of document.querySelectorAll("[data-save]")) {
    button.addEventListener("click", async () => {
      const { name, png, rows } = find(button.closest("figure, [data-row]"));
      if (button.dataset.save === "csv") download(`${name}.csv`, new Blob([csv(rows())], { type: "text/csv" }));
      else download(`${name}.png`, await png());
    });
  }
}
