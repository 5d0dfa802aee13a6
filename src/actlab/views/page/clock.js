// What moves the epoch: the controls, and while it plays the clock.

const KEYS = { " ": "play", ArrowLeft: "back", ArrowRight: "forward", Home: "start", End: "end" };

/**
 * Make the controls of a section work.
 *
 * @param section the element that holds them; its keys move the epoch, too.
 * @param last the last epoch.
 * @param page { state, keep, draw }: `draw` draws all that moves with the epoch.
 * @returns { draw }: shows the state in the controls; `page.go` is set to what goes to an epoch.
 */
export function clock(section, last, page) {
  const { state } = page;
  const slider = section.querySelector("[data-epoch]");
  const output = section.querySelector("[data-epoch-now]");
  const button = section.querySelector('[data-go="play"]');
  const speed = section.querySelector("[data-speed]");
  let playing = false;
  let before = 0;
  const show = () => {
    slider.value = String(Math.round(state.epoch));
    output.textContent = `epoch ${Math.round(state.epoch)} of ${last}`;
  };
  const stop = () => {
    playing = false;
    button.textContent = "Play";
    state.epoch = Math.round(state.epoch);
    page.draw();
    page.keep();
  };
  const step = (time) => {
    if (!playing) return;
    state.epoch = Math.min(state.epoch + (Math.min(Math.max(time - before, 0), 250) / 1000) * Number(speed.value), last);
    before = time;
    if (state.epoch >= last) return stop();
    page.draw();
    requestAnimationFrame(step);
    return undefined;
  };
  const play = () => {
    if (playing) return stop();
    if (state.epoch >= last) state.epoch = 0;
    playing = true;
    button.textContent = "Pause";
    before = performance.now();
    requestAnimationFrame(step);
    return undefined;
  };
  page.go = (epoch) => {
    state.epoch = Math.min(Math.max(epoch, 0), last);
    if (!playing) stop();
  };
  const moves = {
    play,
    start: () => page.go(0),
    end: () => page.go(last),
    back: () => page.go(Math.round(state.epoch) - 1),
    forward: () => page.go(Math.round(state.epoch) + 1),
  };
  slider.addEventListener("input", () => page.go(Number(slider.value)));
  listen(section, moves, page);
  return { draw: show };
}

function listen(section, moves, page) {
  for (const button of section.querySelectorAll("[data-go]")) {
    button.addEventListener("click", () => moves[button.dataset.go]());
  }
  for (const name of ["seed", "layer", "label", "axes"]) {
    const chosen = section.querySelector(`[data-${name}]`);
    if (!chosen) continue;
    chosen.value = String(page.state[name]);
    chosen.addEventListener("change", () => {
      page.state[name] = name === "seed" ? Number(chosen.value) : chosen.value;
      page.draw();
      page.keep();
    });
  }
  section.addEventListener("keydown", (event) => {
    const move = KEYS[event.key];
    // Buttons, sliders and lists keep the keys that are their own.
    const own = event.target.matches("select, input") || (event.key === " " && event.target.matches("button, summary"));
    if (!move || own || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    moves[move]();
  });
}
