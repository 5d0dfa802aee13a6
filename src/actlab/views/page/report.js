// The page: state in one table, kept in the address; charts drawn from the embedded data, the nearest first.

const content = JSON.parse(document.getElementById("content").textContent);
const root = document.documentElement;
const plots = [...document.querySelectorAll("[data-chart]")];
const chips = [...document.querySelectorAll("[data-toggle]")];
const slider = document.querySelector("[data-frame]");
const state = readState();
const waiting = new Set();
let drawing = false;

// ---- state

function readState() {
  const given = new URLSearchParams(location.search);
  const hidden = given.has("hide") ? given.get("hide").split(",").filter(Boolean) : content.hidden;
  const last = slider ? Number(slider.max) : 0;
  const frame = given.has("frame") ? Math.min(Math.max(Number(given.get("frame")) || 0, 0), last) : last;
  return { theme: given.get("theme"), hidden: new Set(hidden), frame };
}

function keepState() {
  const kept = new URLSearchParams();
  if (state.theme) kept.set("theme", state.theme);
  if ([...state.hidden].join() !== content.hidden.join()) kept.set("hide", [...state.hidden].join());
  if (slider && state.frame !== Number(slider.max)) kept.set("frame", state.frame);
  const query = kept.toString();
  try {
    history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
  } catch {
    // Some viewers lend the page no address; it works without.
  }
}

const isDark = () => (state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);

// ---- charts

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
  const rows = Math.max(drawn.filter((trace) => trace.visible).length, 1);
  layout.yaxis.range = [rows - 0.5, -0.75];
  plot.style.height = `${90 + 38 * rows}px`;
}

function traces(chart) {
  const frame = chart.frames?.[state.frame]?.traces;
  return chart.data.map((trace, i) => {
    const drawn = { ...trace, ...frame?.[i], visible: !state.hidden.has(trace.meta) };
    // A heat map wants its hover text cell by cell.
    if (trace.meta?.rows) drawn.text = trace.meta.rows.map((row) => trace.x.map(() => row));
    return drawn;
  });
}

function draw(plot, look) {
  const name = plot.dataset.chart;
  const chart = content.charts[name];
  const panel = plot.parentElement.parentElement.classList.contains("panels");
  const readout = document.querySelector(`[data-readout="${CSS.escape(name)}"]`);
  if (readout) readout.textContent = chart.frames[state.frame].text;
  const drawn = traces(chart);
  const layout = baseLayout(chart.layout, panel);
  fitRows(plot, layout, drawn);
  return Plotly.react(plot, coloured(drawn, look), coloured(layout, look), {
    responsive: true,
    displayModeBar: panel ? false : "hover",
    modeBarButtons: [["toImage"]],
    displaylogo: false,
  });
}

function nearest() {
  const distance = (plot) => {
    const box = plot.getBoundingClientRect();
    return box.bottom < 0 ? innerHeight - box.bottom : Math.max(box.top, 0);
  };
  return [...waiting].reduce((a, b) => (distance(b) < distance(a) ? b : a));
}

/** Draw what is marked, one chart at a time, so that the page answers in between. */
async function drawWaiting() {
  if (drawing) return;
  drawing = true;
  while (waiting.size) {
    const plot = nearest();
    waiting.delete(plot);
    if (plot.closest("[hidden]")) continue;
    const { look, close } = palette();
    await draw(plot, look);
    close();
    await new Promise((resume) => setTimeout(resume));
  }
  drawing = false;
  root.dataset.drawn = plots.filter((plot) => plot.querySelector("svg")).length;
}

function mark(some = plots) {
  some.forEach((plot) => waiting.add(plot));
  delete root.dataset.drawn;
  drawWaiting();
}

// ---- what the reader does

function showTheme() {
  if (state.theme) root.dataset.theme = state.theme;
  const button = document.querySelector("[data-theme-toggle]");
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-pressed", String(isDark()));
}

function showChosen() {
  for (const chip of chips) chip.setAttribute("aria-pressed", String(!state.hidden.has(chip.dataset.toggle)));
  for (const panel of document.querySelectorAll("[data-activation]")) {
    panel.hidden = state.hidden.has(panel.dataset.activation);
  }
}

function choose(hidden) {
  state.hidden = new Set(hidden);
  showChosen();
  keepState();
  mark();
}

function showFrame(frame) {
  state.frame = frame;
  slider.value = frame;
  const moving = plots.filter((plot) => content.charts[plot.dataset.chart].frames);
  document.querySelector("[data-epoch]").textContent =
    `epoch ${content.charts[moving[0].dataset.chart].frames[frame].epoch}`;
  return moving;
}

function toggleTheme() {
  state.theme = isDark() ? "light" : "dark";
  showTheme();
  keepState();
  mark();
}

function toggleOne(name, alone) {
  const names = chips.map((chip) => chip.dataset.toggle);
  if (alone) return choose(names.filter((other) => other !== name));
  const hidden = new Set(state.hidden);
  if (!hidden.delete(name)) hidden.add(name);
  return choose(hidden);
}

function player() {
  const button = document.querySelector("[data-play]");
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
    keepState();
  };
  const step = () => {
    mark(showFrame(state.frame + 1));
    if (state.frame === Number(slider.max)) stop();
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (state.frame === Number(slider.max)) mark(showFrame(0));
    button.textContent = "Pause";
    timer = setInterval(step, 350);
    return undefined;
  });
  slider.addEventListener("input", () => mark(showFrame(Number(slider.value))));
  slider.addEventListener("change", keepState);
  showFrame(state.frame);
}

document.querySelector("[data-theme-toggle]").addEventListener("click", toggleTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  showTheme();
  mark();
});
for (const chip of chips) {
  chip.addEventListener("click", (event) => toggleOne(chip.dataset.toggle, event.shiftKey));
  chip.addEventListener("dblclick", () => toggleOne(chip.dataset.toggle, true));
}
for (const button of document.querySelectorAll("[data-show]")) {
  const names = button.dataset.show === "none" ? chips.map((chip) => chip.dataset.toggle) : [];
  button.addEventListener("click", () => choose(names));
}
document.querySelector(".bar").hidden = chips.length < 2;
if (slider) player();
showTheme();
showChosen();
mark();
