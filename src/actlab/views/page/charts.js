// The charts that Plotly draws from embedded data: the nearest to the window first, one at a time.

import { floats } from "./arrays.js";
import { coloured, palette } from "./colours.js";

const BASE_AXIS = {
  automargin: true,
  gridcolor: "var(--rule)",
  linecolor: "var(--rule)",
  zerolinecolor: "var(--axis)",
  zeroline: false,
  tickfont: { color: "var(--quiet)" },
};

function baseLayout(given, panel) {
  const axes = Object.keys(given).filter((key) => /^[xy]axis\d*$/.test(key));
  const fixedrange = !matchMedia("(pointer: fine)").matches;
  const axis = (key) => ({
    ...BASE_AXIS,
    fixedrange,
    ...given[key],
    title: { standoff: 8, font: { size: 12, color: "var(--quiet)" }, ...given[key]?.title },
  });
  return {
    ...given,
    // The frame decides; it may change with the number of rows.
    height: undefined,
    autosize: true,
    showlegend: false,
    uirevision: "kept",
    dragmode: fixedrange ? false : "zoom",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: "var(--ink)" },
    margin: panel ? { l: 34, r: 8, t: 16, b: 30 } : { l: 48, r: 12, t: 10, b: 40 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: "var(--axis)", activecolor: "var(--ink)" },
    hoverlabel: { bgcolor: "var(--raised)", bordercolor: "var(--rule)", font: { color: "var(--ink)", size: 12 } },
    ...Object.fromEntries([...new Set(["xaxis", "yaxis", ...axes])].map((key) => [key, axis(key)])),
  };
}

/** A list of rows, first on top, as high as the rows that are shown. */
function fitRows(plot, layout, drawn) {
  if (layout.yaxis.type !== "category") return;
  const rows = Math.max(new Set(drawn.filter((trace) => trace.visible).map((trace) => trace.meta)).size, 1);
  layout.yaxis.range = [rows - 0.5, -0.75];
  plot.style.height = `${90 + 38 * rows}px`;
}

/** The traces of a chart, and beside the medians one seed's own lines where one is chosen. */
function traces(chart, { hidden, one }, seeds) {
  const drawn = chart.data.map((trace) => ({ ...trace, visible: !hidden.has(trace.meta) }));
  const place = seeds.indexOf(one);
  if (place < 0) return drawn;
  const lines = drawn.filter((trace) => trace.fill !== "toself" && chart.seeds[trace.meta]);
  const own = lines.map((trace) => {
    const values = floats(chart.seeds[trace.meta]);
    const points = trace.x.length;
    const y = [...values.subarray(place * points, (place + 1) * points)];
    return { ...trace, name: `${trace.name}, seed ${one}`, y, line: { ...trace.line, width: 1, dash: "solid" } };
  });
  return [...drawn, ...own];
}

function draw(plot, chart, page, look) {
  const panel = plot.parentElement.parentElement.classList.contains("panels");
  const drawn = traces(chart, page.state, page.seeds);
  const layout = baseLayout(chart.layout, panel);
  fitRows(plot, layout, drawn);
  return window.Plotly.react(plot, coloured(drawn, look), coloured(layout, look), {
    responsive: true,
    displayModeBar: false,
    displaylogo: false,
  });
}

function nearest(waiting) {
  const distance = (plot) => {
    const box = plot.getBoundingClientRect();
    return box.bottom < 0 ? innerHeight - box.bottom : Math.max(box.top, 0);
  };
  return [...waiting].reduce((a, b) => (distance(b) < distance(a) ? b : a));
}

/**
 * The charts of a page.
 *
 * @param known by name: data and layout.
 * @param page { state, seeds }.
 * @returns { mark }: `mark(plots)` draws these anew, all where none are given.
 */
export function charts(known, page) {
  const root = document.documentElement;
  const plots = [...document.querySelectorAll("[data-chart]")];
  const waiting = new Set();
  let drawing = false;

  /** Draw what is marked, one chart at a time, so that the page answers in between. */
  async function drawWaiting() {
    if (drawing) return;
    drawing = true;
    while (waiting.size) {
      const plot = nearest(waiting);
      waiting.delete(plot);
      if (plot.closest("[hidden]")) continue;
      const { look, close } = palette();
      await draw(plot, known[plot.dataset.chart], page, look);
      close();
      await new Promise((resume) => setTimeout(resume));
    }
    drawing = false;
    root.dataset.drawn = plots.filter((plot) => plot.querySelector("svg")).length;
  }

  const mark = (some = plots) => {
    some.forEach((plot) => waiting.add(plot));
    delete root.dataset.drawn;
    drawWaiting();
  };
  return { mark };
}
