/* Talking to the server. */

const token = new URLSearchParams(location.hash.slice(1)).get("token");

/** A refusal that is to be read as it is. */
export class Refused extends Error {}

/** The answer of the server, or an error that tells that there is none. */
async function answered(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer; is it still running?");
  }
}

async function checked(answer) {
  if (answer.ok) return answer;
  let sentence = `The server answers ${answer.status}.`;
  try {
    sentence = (await answer.json()).error ?? sentence;
  } catch {
    // An answer that is no JSON has nothing more to tell.
  }
  throw new Refused(sentence);
}

const headers = (kind) => ({ "content-type": kind, ...(token ? { authorization: `Bearer ${token}` } : {}) });

async function get(path) {
  return (await checked(await answered(`api/${path}`, { headers: headers("application/json") }))).json();
}

/** What the server tells of its models. */
export const models = () => get("models");

/** What the server is just compiling, for which all work waits; null if it is nothing, or has only begun. */
export const compiling = async () => (await get("compiling")).told;

/** Ask with a JSON object, or send the bytes of a file. */
async function post(path, body, signal) {
  const kind = body instanceof Blob ? "application/octet-stream" : "application/json";
  const content = body instanceof Blob ? body : JSON.stringify(body);
  return checked(await answered(`api/${path}`, { method: "POST", headers: headers(kind), body: content, signal }));
}

/** The one answer to a question. */
export async function ask(path, body, signal) {
  const answer = await (await post(path, body, signal)).json();
  signal?.throwIfAborted();
  return answer;
}

/** The events of an answer, a line each, as they come. */
export async function* events(path, body, signal) {
  const reader = (await post(path, body, signal)).body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    signal?.throwIfAborted();
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
