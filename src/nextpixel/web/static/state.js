/* The state of the page, and the work that changes it. It is shown by one function, which page.js names. */

import { compiling, Refused } from "./server.js";

export const state = {
  models: [],
  colours: [],
  formats: [],
  kinds: [],
  // Bytes of a file that the server takes.
  largest: 0,
  // What the server is compiling, in words, as long as work waits for it.
  compiling: null,
  model: null,
  // { model, shape, pixels, known, label, origin, from }: `from` are the completions that it was chosen of.
  image: null,
  // { of, shape, images, labels }
  samples: null,
  completed: null,
  // What was found out, each with the image or model that it is `of`.
  bits: null,
  pixel: null,
  sizes: null,
  note: null,
  restored: [],
  // By what is done: { controller, done }.
  working: {},
  message: "",
  spoken: "",
  // The pixel of the image that was pointed at last: { row, column }.
  where: null,
  // See teaching.js. `channel` is that whose pixel is looked at; null for the last one.
  channel: null,
  seen: null,
  order: null,
  drawn: 1,
  playing: false,
  // { name, told, side, order, sees }, the last two once they are known.
  families: [],
  chosen: null,
};

let waiting = false;
let render = () => {};

/** Name the function that shows the state. */
export function showBy(show) {
  render = show;
}

/** Change the state, and show it once all that happens now has happened. */
export function set(changes) {
  Object.assign(state, changes);
  if (waiting) return;
  waiting = true;
  queueMicrotask(() => {
    waiting = false;
    render();
  });
}

// Work -------------------------------------------------------------------------------------------------------------

export function complain(error) {
  if (error.name === "AbortError") return;
  if (!(error instanceof Refused)) console.error(error);
  const sentence = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  set({ message: error instanceof Refused ? sentence : "Something went wrong on this page; load it anew." });
}

/** Do one thing of a name; one that is being done is given up. `doing` gets a signal, and is to tell the part done. */
export async function work(name, doing) {
  giveUp(name);
  const controller = new AbortController();
  const mine = { controller, done: 0 };
  set({ working: { ...state.working, [name]: mine }, message: "" });
  watchCompiling();
  try {
    await doing(controller.signal, (done) => {
      mine.done = done;
      set({});
    });
  } catch (error) {
    complain(error);
  } finally {
    // Another one of the name may have begun meanwhile.
    if (state.working[name] === mine) giveUp(name);
  }
}

export function giveUp(...names) {
  const working = { ...state.working };
  for (const name of names) {
    working[name]?.controller.abort();
    delete working[name];
  }
  set({ working, compiling: isWorking(working) ? state.compiling : null });
}

const isWorking = (working) => Object.keys(working).length > 0;

const BETWEEN_LOOKS = 1000;
let watching = false;

/** While work is done, see now and then whether the server compiles, for which all work waits. */
async function watchCompiling() {
  if (watching) return;
  watching = true;
  for (;;) {
    await new Promise((wake) => setTimeout(wake, BETWEEN_LOOKS));
    if (!isWorking(state.working)) break;
    try {
      const told = await compiling();
      if (isWorking(state.working)) set({ compiling: told });
    } catch {
      // What is wrong with the server is told by the work itself.
    }
  }
  watching = false;
}

// What is shown ---------------------------------------------------------------------------------------------------

const shown = new Map();

/** Whether anything that a part of the page shows is another than when it was last asked. */
export function changed(part, ...inputs) {
  const last = shown.get(part);
  if (last && last.every((input, at) => input === inputs[at])) return false;
  shown.set(part, inputs);
  return true;
}
