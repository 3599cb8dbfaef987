/** Requests to the server that the page came from, with an API key if it wants one. */

const KEY = "llama-slots-api-key"; // which /docs has as well

/** An answer that is an error; `status` is 0 if there was none. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let askForKey = null;
let pendingKey = null;

/** Sets the function that asks for a key and returns a promise of it; its argument says whether one was refused. */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

/** Asks once for all requests that wait for a key. */
function newKey(refused) {
  pendingKey ??= askForKey(refused)
    .then((key) => sessionStorage.setItem(KEY, key))
    .finally(() => (pendingKey = null));
  return pendingKey;
}

/** Sends a request until its key is accepted. Paths are relative to the page, so that a prefix needs no thought. */
async function send(path, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    const response = await connect(path, { ...options, headers });
    if (response.status !== 401) return checked(response);
    if (key !== null && key === sessionStorage.getItem(KEY)) sessionStorage.removeItem(KEY);
    if (sessionStorage.getItem(KEY) === null) await newKey(key !== null);
  }
}

async function connect(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer. Is it still running?");
  }
}

async function checked(response) {
  if (response.ok) return response;
  const text = await response.text();
  throw new ApiError(response.status, errorMessage(text) ?? `The server answered ${response.status}`);
}

function errorMessage(text) {
  try {
    return JSON.parse(text).error.message;
  } catch {
    return null;
  }
}

export async function getJson(path) {
  return (await send(path)).json();
}

/** Yields the objects of a stream of server-sent events. Throws ApiError, also for an error amid the stream. */
export async function* streamEvents(path, body, signal) {
  const response = await send(path, { method: "POST", body: JSON.stringify(body), signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.match(/^data: ?(.*)/ms)?.[1];
      if (data === undefined || data === "[DONE]") continue;
      const parsed = JSON.parse(data);
      if (parsed.error) throw new ApiError(parsed.error.code ?? 500, parsed.error.message);
      yield parsed;
    }
  }
}
