/* What a pixel sees: of this model by gradients, in the order of drawing, and in families side by side. */

import { Pointed } from "./editor.js";
import { bytesOf, fit, paint, paintKinds } from "./pictures.js";
import { ask, events } from "./server.js";
import { changed, set, state, work } from "./state.js";

const $ = (id) => document.getElementById(id);
const SIDE = 280;
const FAMILY_SIDE = 144;
const SECONDS_OF_PLAY = 12;
const [LATER, UNSEEN, SEEN, ITSELF] = [0, 1, 2, 3];

let wired = false;
let near = false;

/** Begin with a model, as soon as this part of the page is near. */
export function teach() {
  if (!wired) wire();
  if (near) fetchAll();
}

function fetchAll() {
  const { model } = state;
  if (state.order?.of !== model) {
    work("order", async (signal) => {
      const { order } = await ask("order", { model: model.name }, signal);
      set({ order: { of: model, places: order } });
    });
  }
  if (state.seen?.of !== model && model.explains) {
    explain(Math.floor(model.shape[1] / 2), Math.floor(model.shape[2] / 2), { pause: 0 });
  }
  if (!state.families.at(-1).sees && !state.working.families) {
    work("families", async (signal) => {
      // One by one, so that a pixel that is chosen meanwhile need not wait for all of them.
      for (let number = 0; number < state.families.length; number++) {
        const { order, sees } = await ask("families", { number }, signal);
        const change = (family, at) => (at === number ? { ...family, order, sees: bytesOf(sees) } : family);
        set({ families: state.families.map(change) });
      }
    });
  }
}

/** Find what a pixel of the model sees. Who walks over pixels asks for the last one only, after a pause. */
function explain(row, column, { aloud = false, pause = 150 } = {}) {
  const { model } = state;
  if (!model.explains) return;
  const channel = state.channel ?? model.shape[0] - 1;
  set({ seen: { of: model, row, column, kinds: null, sentences: [] } });
  work("explain", async (signal, tell) => {
    if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
    signal.throwIfAborted();
    for await (const event of events("explain", { model: model.name, row, column, channel }, signal)) {
      tell(event.done);
      const sentences = event.sentences ?? [];
      set({ seen: { of: model, row, column, kinds: bytesOf(event.kinds), sentences } });
      if (aloud && sentences.length) set({ spoken: `${sentences.join("; ")}.` });
    }
  });
}

// Showing ----------------------------------------------------------------------------------------------------------

/** Show the part of the state that belongs here. */
export function showTeaching() {
  const { model, image, kinds, working } = state;
  if (changed("kinds", kinds)) showLegend(kinds);
  if (changed("teaching", model)) showModel(model);
  const seen = state.seen?.of === model ? state.seen : null;
  if (changed("seen", seen, Boolean(working.explain))) showSeen(model, seen, kinds);
  showDrawn(model, image);
  if (!$("families").children.length) makeFamilies(state.families);
  if (changed("chosen", state.families, state.chosen, kinds, Boolean(working.families))) {
    state.families.forEach((family, at) => showFamily(family, $("families").children[at], kinds));
  }
  $("play").setAttribute("aria-pressed", String(state.playing));
  $("play").textContent = state.playing ? "Pause" : "Play";
  if (document.activeElement !== $("step") || state.playing) $("step").value = state.drawn;
}

function showLegend(kinds) {
  $("kinds").replaceChildren(
    ...kinds.map(({ colour, name }) => {
      const item = document.createElement("li");
      const swatch = document.createElement("span");
      swatch.style.background = `rgb(${colour.join(" ")})`;
      item.append(swatch, name);
      return item;
    }),
  );
}

function showModel(model) {
  fit($("seen"), model.shape, SIDE);
  const names = model.shape[0] < 3 ? ["grey", "alpha"] : ["red", "green", "blue", "alpha"];
  $("channel").replaceChildren(
    ...names.slice(0, model.shape[0]).map((name, channel) => {
      const option = document.createElement("option");
      option.value = channel;
      option.textContent = name;
      return option;
    }),
  );
  $("channel").value = model.shape[0] - 1;
}

function showSeen(model, seen, kinds) {
  const [, height, width] = model.shape;
  if (seen?.kinds) {
    paintKinds($("seen"), height, width, seen.kinds, kinds);
  } else {
    const blank = new Uint8Array(height * width).fill(LATER);
    if (seen) blank[seen.row * width + seen.column] = ITSELF;
    paintKinds($("seen"), height, width, blank, kinds);
  }
  const hint = state.working.explain ? "Taking gradients at random images …" : "Choose a pixel to see what it depends on.";
  const waiting = model.explains ? hint : "The images of this model are too large for this; nextpixel explain does it.";
  $("seen-text").textContent = seen?.sentences.length ? `${seen.sentences.join("; ")}.` : waiting;
}

/** The image as far as it is drawn. */
function showDrawn(model, image) {
  const places = state.order?.of === model ? state.order.places : null;
  const [, height, width] = image.shape;
  // The order of an image of another size than the model's is in rows.
  const inOrder = places && places.length === height * width ? places : null;
  const count = Math.round(state.drawn * height * width);
  if (!changed("drawn", image, inOrder, count)) return;
  const known = new Uint8Array(height * width);
  for (let rank = 0; rank < count; rank++) known[inOrder ? inOrder[rank] : rank] = 1;
  paint($("drawn"), model, image.shape, image.pixels, known);
  const last = count ? (inOrder ? inOrder[count - 1] : count - 1) : 0;
  const text = `${count.toLocaleString("en")} of ${(height * width).toLocaleString("en")} pixels`;
  $("drawn-text").textContent =
    count && count < height * width ? `${text}; the last at row ${Math.floor(last / width)}, column ${last % width}.` : `${text}.`;
}

/** The pixel that is looked at in a family: where it was chosen, or whose turn it is. */
function place(family) {
  const { chosen } = state;
  const pixels = family.side ** 2;
  if (chosen?.rank !== undefined && family.order) return family.order[Math.min(pixels - 1, Math.floor(chosen.rank * pixels))];
  const { row, column } = chosen?.row !== undefined ? chosen : { row: Math.floor(family.side * 0.6), column: Math.floor(family.side * 0.4) };
  return row * family.side + column;
}

function makeFamilies(families) {
  families.forEach((family, at) => {
    const figure = document.createElement("figure");
    const title = document.createElement("h4");
    title.textContent = family.name;
    const canvas = document.createElement("canvas");
    canvas.className = "pixels";
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-roledescription", "map of what a pixel sees");
    canvas.ariaLabel = `What a pixel sees in a ${family.name}. Arrow keys choose another pixel.`;
    const share = document.createElement("p");
    share.className = "quiet";
    const caption = document.createElement("figcaption");
    caption.textContent = family.told;
    fit(canvas, [1, family.side, family.side], FAMILY_SIDE);
    const pointed = new Pointed(canvas, () => [family.side, family.side], (row, column) => {
      set({ chosen: { row, column }, playing: false, spoken: told(state.families[at], row * family.side + column) });
    });
    canvas.addEventListener("pointerdown", (event) => {
      [pointed.row, pointed.column] = pointed.at(event);
      set({ chosen: { row: pointed.row, column: pointed.column }, playing: false });
    });
    figure.append(title, canvas, share, caption);
    $("families").append(figure);
  });
}

/** What each pixel is to one of a family's. */
function kindsOf(family, chosen) {
  const pixels = family.side ** 2;
  const bytes = Math.ceil(pixels / 8);
  const found = new Uint8Array(pixels).fill(LATER);
  if (!family.sees) return found;
  for (const before of family.order) {
    if (before === chosen) break;
    found[before] = UNSEEN;
  }
  for (let other = 0; other < pixels; other++) {
    if (family.sees[chosen * bytes + (other >> 3)] & (128 >> (other & 7))) found[other] = SEEN;
  }
  found[chosen] = ITSELF;
  return found;
}

function told(family, chosen) {
  if (!family.sees) return state.working.families ? "Taking gradients …" : "Not found out yet.";
  const found = kindsOf(family, chosen);
  const [unseen, seen] = [UNSEEN, SEEN].map((kind) => found.filter((value) => value === kind).length);
  return unseen + seen ? `Sees ${seen} of the ${unseen + seen} pixels before it.` : "The first pixel: it sees none.";
}

function showFamily(family, figure, kinds) {
  const chosen = place(family);
  const canvas = figure.querySelector("canvas");
  paintKinds(canvas, family.side, family.side, kindsOf(family, chosen), kinds);
  figure.querySelector("p").textContent = told(family, chosen);
}

// What the user does -----------------------------------------------------------------------------------------------

function play(last) {
  requestAnimationFrame((now) => {
    if (!state.playing) return;
    const drawn = Math.min(1, state.drawn + (now - last) / (1000 * SECONDS_OF_PLAY));
    set({ drawn, chosen: { rank: drawn }, playing: drawn < 1 });
    if (drawn < 1) play(now);
  });
}

function wire() {
  wired = true;
  $("to-teach").addEventListener("click", () => {
    $("teach").scrollIntoView();
    $("teach-title").focus();
  });
  const pointed = new Pointed($("seen"), () => state.model.shape.slice(1), (row, column) => explain(row, column, { aloud: true }));
  $("seen").addEventListener("pointerdown", (event) => {
    [pointed.row, pointed.column] = pointed.at(event);
    explain(pointed.row, pointed.column);
  });
  $("channel").addEventListener("change", () => {
    set({ channel: Number($("channel").value) });
    if (state.seen) explain(state.seen.row, state.seen.column);
  });
  $("play").addEventListener("click", () => {
    if (state.playing) return set({ playing: false });
    set({ playing: true, drawn: state.drawn < 1 ? state.drawn : 0 });
    play(performance.now());
  });
  $("step").addEventListener("input", () => {
    const drawn = Number($("step").value);
    set({ drawn, chosen: { rank: drawn }, playing: false });
  });
  new IntersectionObserver(
    (entries) => {
      near = entries.some((entry) => entry.isIntersecting);
      if (near) fetchAll();
    },
    { rootMargin: "100px" },
  ).observe($("teach"));
}
