"use strict";

const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const state = { colours: [], model: null, bits: null, running: null, asking: null, timer: 0, version: 0 };

// Talking to the server --------------------------------------------------------------------------------------------

class Refused extends Error {}

function complain(error) {
  if (error.name === "AbortError") return;
  if (!(error instanceof Refused)) console.error(error);
  const sentence = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  $("message").textContent = error instanceof Refused ? sentence : "Something went wrong on this page; load it anew.";
  $("message").hidden = false;
}

/** The answer of the server, or an error that tells that there is none. */
async function answered(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer; is it still running?");
  }
}

const headers = (kind) => ({ "content-type": kind, ...(token ? { authorization: `Bearer ${token}` } : {}) });

async function refusedBy(answer) {
  let sentence = `The server answers ${answer.status}.`;
  try {
    sentence = (await answer.json()).error ?? sentence;
  } catch {
    // An answer that is no JSON has nothing more to tell.
  }
  return new Refused(sentence);
}

async function ask(path, body, signal) {
  const answer = await answered(`api/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: headers("application/json"),
    body: body === undefined ? undefined : JSON.stringify({ model: state.model?.name, ...body }),
    signal,
  });
  if (!answer.ok) throw await refusedBy(answer);
  return answer;
}

/** The events of an answer, a line each, as they come. */
async function* events(path, body, signal) {
  const reader = (await ask(path, body, signal)).body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) {
      const event = JSON.parse(line);
      if (event.kind === "error") throw new Refused(event.error);
      yield event;
    }
  }
}

// Drawing images ---------------------------------------------------------------------------------------------------

/** Draw images into tiles, and show them while they come; the class of each, by number, goes with it. */
async function draw(form, path, body, tiles, progress, labels, note) {
  state.running?.abort();
  const running = (state.running = new AbortController());
  state.form = form;
  const stop = form.querySelector(".stop");
  const count = body.count;
  $("message").hidden = true;
  tiles.replaceChildren();
  if (note) note.hidden = true;
  progress.value = 0;
  progress.hidden = stop.hidden = false;
  tiles.setAttribute("aria-busy", "true");
  try {
    for await (const event of events(path, body, running.signal)) {
      if (event.kind === "note") {
        note.textContent = event.note;
        note.hidden = false;
      } else if (event.kind === "images") {
        progress.value = event.done;
        place(tiles, bytesOf(event.pixels), count, labels);
      }
    }
    $("spoken").textContent = `${count} images are drawn.`;
  } catch (error) {
    complain(error);
  } finally {
    // Another drawing may have begun meanwhile, and needs them.
    if (state.running === running || state.form !== form) {
      progress.hidden = stop.hidden = true;
      tiles.setAttribute("aria-busy", "false");
    }
    if (state.running === running) state.running = null;
  }
}

function place(tiles, pixels, count, labels) {
  const size = pixels.length / count;
  for (let number = 0; number < count; number++) {
    const own = pixels.subarray(number * size, (number + 1) * size);
    let button = tiles.children[number];
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      button.ariaLabel = `Image ${number + 1}: go on with it`;
      const canvas = document.createElement("canvas");
      enlarge(canvas, state.model, 84);
      button.append(canvas);
      button.addEventListener("click", () => {
        editor.take(button.pixels);
        if (labels) $("image-label").value = labels[number];
        $("spoken").textContent = `Image ${number + 1} is now your image.`;
      });
      tiles.append(button);
    }
    button.pixels = own;
    show(button.firstChild, state.model, own);
  }
  $("samples-hint").hidden = !$("samples").children.length;
}

const number = (id) => Number($(id).value);
/** The class chosen; undefined for none, and for every one. */
const label = (id) => state.model.labels?.[$(id).value];

$("generate").addEventListener("submit", (event) => {
  event.preventDefault();
  const every = $("label").value === "every";
  const body = { count: number("count"), label: label("label"), every_class: every, temperature: number("temperature"), seed: number("seed") };
  const { labels } = state.model;
  const drawn = labels && Array.from({ length: body.count }, (_, at) => (every ? at % labels.length : number("label")));
  draw(event.target, "sample", body, $("samples"), $("generate-progress"), drawn);
});

$("complete").addEventListener("submit", (event) => {
  event.preventDefault();
  const body = {
    count: number("completions"),
    candidates: number("candidates"),
    label: label("image-label"),
    temperature: number("temperature"),
    seed: number("seed"),
    pixels: textOf(editor.pixels),
    known: textOf(editor.known),
  };
  draw(event.target, "complete", body, $("completed"), $("complete-progress"), null, $("complete-note"));
});

for (const button of document.querySelectorAll(".stop")) button.addEventListener("click", () => state.running?.abort());

// The editor -------------------------------------------------------------------------------------------------------

const editor = new Editor(
  $("editor"),
  () => {
    const { shape, levels } = state.model;
    const kind = document.querySelector("[name=tool]:checked").value;
    const most = levels - 1;
    const colours = [1, 3, 5].map((at) => Math.round((parseInt($("colour").value.slice(at, at + 2), 16) / 255) * most));
    const values = shape[0] < 3 ? [number("level"), most] : [...colours, most];
    return { kind, size: Math.max(1, number("brush") || 1), levels: values };
  },
  (text, aloud) => {
    $("where").textContent = text;
    if (aloud) $("spoken").textContent = text;
  },
  () => forgetResults(),
);
$("tools").addEventListener("submit", (event) => event.preventDefault());
$("image-label").addEventListener("change", () => forgetResults());

for (const button of document.querySelectorAll("[data-unknown]")) {
  button.addEventListener("click", () => editor.forget(button.dataset.unknown));
}
$("blank").addEventListener("click", () => editor.begin(state.model));
$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  if (!file) return;
  $("message").hidden = true;
  const { model } = state;
  try {
    const query = new URLSearchParams({ model: state.model.name, fit: $("fit").checked ? "1" : "0" });
    const answer = await answered(`api/upload?${query}`, { method: "POST", headers: headers("application/octet-stream"), body: file });
    if (!answer.ok) throw await refusedBy(answer);
    const { pixels, notes } = await answer.json();
    if (state.model !== model) return;
    editor.take(bytesOf(pixels));
    $("where").textContent = notes.length ? `The picture was ${notes.join(", ")}.` : "The picture is taken as it is.";
  } catch (error) {
    complain(error);
  } finally {
    $("file").value = "";
  }
});

// Likelihood -------------------------------------------------------------------------------------------------------

/** What was found out about an image that is no more. */
function forgetResults() {
  $("bits-result").hidden = $("sizes").hidden = true;
  state.bits = null;
  state.version++;
  clearTimeout(state.timer);
  state.asking?.abort();
  state.asking = null;
}

$("bits").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("message").hidden = true;
  try {
    const image = textOf(editor.pixels);
    const { version } = state;
    const found = await (await ask("bits", { pixels: image, label: label("image-label") })).json();
    if (state.version !== version) return;
    state.bits = { ...found, image, map: new Float32Array(bytesOf(found.map).buffer) };
    state.asking = null;
    $("bits-result").hidden = false;
    tellFigures();
    showHeat();
    showHistogram();
  } catch (error) {
    complain(error);
  }
});

function tellFigures() {
  const { nats, bits_per_dim: bits, complexity, complexity_format: form, typicality, classes } = state.bits;
  const unknown = editor.known.filter((each) => !each).length;
  const lines = [
    ...(unknown ? [["Note", `the ${unknown} unknown pixels count with the values under them`]] : []),
    [state.model.reconstructs ? "Likelihood, given its code" : "Likelihood", `${nats.toFixed(2)} nats, ${bits.toFixed(4)} bits/dim`],
    ["Complexity", `${complexity.toFixed(3)} bits/dim beyond ${form} (more is stranger)`],
    ...(typicality === undefined ? [] : [["Typicality", `${typicality.toFixed(2)} nats from the mean of held-out images`]]),
    ...(classes ? [["Class", classes.slice(0, 3).map(([name, share]) => `${name} ${(100 * share).toFixed(1)} %`).join(", ")]] : []),
  ];
  $("figures").replaceChildren(
    ...lines.flatMap(([name, value]) => {
      const term = document.createElement("dt");
      const text = document.createElement("dd");
      term.textContent = name;
      text.textContent = value;
      return [term, text];
    }),
  );
  $("spoken").textContent = lines.map(([name, value]) => `${name}: ${value}.`).join(" ");
}

function showHeat() {
  const [, height, width] = state.model.shape;
  const { map } = state.bits;
  const top = Math.max(...map, 1e-9);
  const picture = new ImageData(width, height);
  map.forEach((bits, at) => picture.data.set([...state.colours[Math.round((255 * bits) / top)], 255], 4 * at));
  const canvas = $("heat");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
  enlarge(canvas, state.model, 280);
  $("heat-scale").textContent = `black: 0 bits, brightest: ${top.toFixed(2)} bits a pixel`;
  $("pixel-text").textContent = "Point at a pixel to see what the model expects there.";
  $("bars").getContext("2d").clearRect(0, 0, 512, 160);
}

const heat = new Pointed($("heat"), () => state.model.shape.slice(1), (row, column) => expect(row, column, true));
$("heat").addEventListener("pointermove", (event) => expect(...heat.at(event)));
$("heat").addEventListener("pointerdown", (event) => expect(...heat.at(event)));

/** Ask what the model expects at a pixel, when the pointer rests there. */
function expect(row, column, aloud = false) {
  if (!state.bits) return;
  if (!aloud && heat.row === row && heat.column === column && state.asking) return;
  heat.row = row;
  heat.column = column;
  clearTimeout(state.timer);
  state.asking?.abort();
  const asking = (state.asking = new AbortController());
  const bits = state.bits.map[row * state.model.shape[2] + column];
  $("pixel-text").textContent = `Row ${row}, column ${column}: ${bits.toFixed(2)} bits.`;
  state.timer = setTimeout(async () => {
    try {
      const body = { pixels: state.bits.image, row, column, label: label("image-label") };
      if (state.model.labels && body.label === undefined) body.label = state.bits.classes[0][0];
      const found = await (await ask("pixel", body, asking.signal)).json();
      showBars(found.distributions);
      const share = (channel) => found.distributions[channel][found.values[channel]];
      const parts = found.values.map((value, channel) => `level ${value} was given ${(100 * share(channel)).toPrecision(3)} %`);
      const ofClass = state.model.labels ? `, as a ${body.label}` : "";
      $("pixel-text").textContent = `Row ${row}, column ${column}: ${bits.toFixed(2)} bits; ${parts.join(", ")}${ofClass}.`;
      if (aloud) $("spoken").textContent = $("pixel-text").textContent;
    } catch (error) {
      complain(error);
    }
  }, 120);
}

const ink = (name) => getComputedStyle(document.body).getPropertyValue(name) || "gray";

function resolved(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour || ink(name);
}

function showBars(distributions) {
  const canvas = $("bars");
  const pen = canvas.getContext("2d");
  const { width, height } = canvas;
  const colours = distributions.length < 3 ? [resolved("--accent"), resolved("--quiet")] : ["#d62728", "#2ca02c", "#1f77b4", resolved("--quiet")];
  const top = Math.max(...distributions.flat());
  pen.clearRect(0, 0, width, height);
  distributions.forEach((shares, channel) => {
    pen.fillStyle = colours[channel];
    pen.globalAlpha = distributions.length > 1 ? 0.6 : 1;
    const step = width / shares.length;
    shares.forEach((share, level) => {
      const size = (share / top) * (height - 8);
      pen.fillRect(level * step, height - size, Math.max(1, step - (step > 6 ? 2 : 0)), size);
    });
  });
}

/** Where the image lies among the images that were held out in training. */
function showHistogram() {
  const { quantiles } = state.model;
  $("histogram-figure").hidden = state.bits.share_below === null;
  if (state.bits.share_below === null) return;
  const canvas = $("histogram");
  const pen = canvas.getContext("2d");
  const { width, height } = canvas;
  const low = Math.min(quantiles[0], state.bits.nats);
  const high = Math.max(quantiles.at(-1), state.bits.nats);
  const place = (nats) => 8 + ((nats - low) / (high - low || 1)) * (width - 16);
  const bins = new Float64Array(32);
  const at = (nats) => Math.min(31, Math.floor(((nats - low) / (high - low || 1)) * 32));
  // Between two quantiles lie equally many images, evenly for all that is known.
  for (let index = 1; index < quantiles.length; index++) {
    for (let part = 0; part < 16; part++) {
      bins[at(quantiles[index - 1] + ((quantiles[index] - quantiles[index - 1]) * (part + 0.5)) / 16)] += 1;
    }
  }
  const top = Math.max(...bins);
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = resolved("--quiet");
  bins.forEach((count, bin) => pen.fillRect(8 + (bin * (width - 16)) / 32, height - (count / top) * (height - 14), (width - 16) / 32 - 1, (count / top) * (height - 14)));
  pen.fillStyle = resolved("--alarm");
  pen.fillRect(place(state.bits.nats) - 1.5, 0, 3, height);
  const share = state.bits.share_below;
  $("histogram-text").textContent =
    `Red: this image, ${state.bits.nats.toFixed(1)} nats; grey: held-out images, ${quantiles[0].toFixed(0)} to ${quantiles.at(-1).toFixed(0)} nats. ` +
    `${(100 * share).toFixed(0)} % of them are more likely.`;
}

// Compressing ------------------------------------------------------------------------------------------------------

$("compress").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("message").hidden = true;
  try {
    const { version } = state;
    const { sizes } = await (await ask("compress", { pixels: textOf(editor.pixels), label: label("image-label") })).json();
    if (state.version !== version) return;
    const rows = Object.entries(sizes).map(([name, bytes]) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = name;
      row.append(head);
      for (const text of [bytes, ((8 * bytes) / editor.pixels.length).toFixed(3)]) {
        const cell = document.createElement("td");
        cell.textContent = text;
        row.append(cell);
      }
      return row;
    });
    $("sizes").tBodies[0].replaceChildren(...rows);
    $("sizes").hidden = false;
    $("spoken").textContent = Object.entries(sizes).map(([name, bytes]) => `${name}: ${bytes} bytes.`).join(" ");
  } catch (error) {
    complain(error);
  }
});

// Beginning --------------------------------------------------------------------------------------------------------

function options(select, entries) {
  select.replaceChildren(
    ...entries.map(([value, text]) => {
      const option = document.createElement("option");
      option.value = value;
      option.textContent = text;
      return option;
    }),
  );
}

function choose(model) {
  state.running?.abort();
  state.model = model;
  const [channels, height, width] = model.shape;
  $("about").textContent =
    `${model.family}, ${model.parameters.toLocaleString("en")} parameters; images of ${channels} × ${height} × ${width}, ${model.levels} levels` +
    (model.nats == null ? "" : `; ${model.nats.toFixed(2)} nats on held-out images`) +
    (model.reconstructs ? ", each given a code made of the image itself: no density, and not comparable with other models" : "");
  for (const each of document.querySelectorAll(".for-labels")) each.hidden = !model.labels;
  for (const each of document.querySelectorAll(".for-grey")) each.hidden = channels > 2;
  for (const each of document.querySelectorAll(".for-colour")) each.hidden = channels < 3;
  $("compress-section").hidden = !model.compresses;
  for (const id of ["generate", "complete"]) $(id).closest("section").hidden = !model.draws;
  if (model.labels) {
    const names = model.labels.map((name, index) => [index, name]);
    options($("label"), [["every", "every class"], ...names]);
    options($("image-label"), [["", "unknown"], ...names]);
  }
  $("level").max = model.levels - 1;
  $("level").value = model.levels - 1;
  $("samples").replaceChildren();
  $("completed").replaceChildren();
  $("samples-hint").hidden = true;
  editor.begin(model);
}

async function begin() {
  try {
    const { models, colours } = await (await ask("models")).json();
    state.colours = colours;
    options($("model"), models.map((model) => [model.name, model.name]));
    $("model").addEventListener("change", () => choose(models.find((model) => model.name === $("model").value)));
    document.querySelector("main").hidden = false;
    choose(models[0]);
  } catch (error) {
    complain(error);
  }
}

begin();
