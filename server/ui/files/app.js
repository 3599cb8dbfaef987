/** The page: its parts, what is open, and what happens when something is sent. */

import { ApiError, getJson, onKeyNeeded } from "./api.js";
import * as store from "./chat/conversations.js";
import { byId, download, formatNumber, h } from "./dom.js";
import { FormatForm } from "./format.js";
import { generate } from "./chat/generation.js";
import { setUpPanels, isPoolVisible } from "./panels.js";
import { askForKey, Attachments, ModelChoice, setUpTheme } from "./parts.js";
import { PoolView } from "./pool.js";
import { Settings } from "./settings.js";
import { replaceToken, TokenPopover } from "./chat/tokens.js";
import { showExamples, Transcript } from "./chat/transcript.js";

const N_PROBS = 8;
const PROBABILITIES = "llama-slots:probabilities";
const HINTS = { chat: "Messages, formatted by the model's template", completion: "One text that the model continues" };

const input = byId("input");
const settings = new Settings(byId("settings-form"));
const format = new FormatForm();
const attachments = new Attachments((names) => notice(`No picture that this browser can read: ${names}`));
const modelChoice = new ModelChoice(() => update());
const pool = new PoolView(isPoolVisible, showModel);
let conversations = store.loadConversations();
let open = store.newConversation("chat");
let running = null;
let defaultSystem = "";
let model = null;

const transcript = new Transcript(byId("transcript"), { retry, goOn, edit, sendResults });

/** Shows a conversation; what runs in another one is stopped. */
function show(conversation) {
  stop();
  open = conversation;
  transcript.show(open);
  byId("system").value = open.system;
  for (const radio of document.getElementsByName("mode")) radio.checked = radio.value === open.mode;
  byId("mode-hint").textContent = HINTS[open.mode];
  byId("system-field").hidden = byId("tools-field").hidden = open.mode !== "chat";
  if (settings.options.length) settings.show(open.mode);
  showList();
  update();
}

/** Shows what depends on whether something runs, and on whether there is anything yet. */
function update() {
  const isEmpty = !open.messages.length;
  const isChat = open.mode === "chat";
  byId("examples").hidden = !isEmpty;
  if (isEmpty) showExamples(open.mode, choose);
  byId("stop").hidden = !running;
  byId("send").hidden = !!running;
  byId("send").textContent = isChat ? "Send" : isEmpty || input.value ? "Generate" : "Continue";
  input.placeholder = isChat
    ? "Message"
    : isEmpty
      ? "Beginning of a text"
      : "What comes next, or nothing: the model goes on";
  attachments.allow(isChat);
  const summary = format.summary();
  const name = modelChoice.name;
  byId("active").textContent = [summary && `with ${summary}`, name && `by ${name}`].filter(Boolean).join(", ");
}

function showList() {
  const items = conversations.map((each) =>
    h(
      each === open ? "li.open" : "li",
      {},
      h(
        "button.quiet.title",
        { type: "button", onclick: () => show(each), "aria-current": each === open ? "true" : null },
        each.title || "New",
      ),
      h(
        "button.quiet.delete",
        { type: "button", onclick: () => remove(each), "aria-label": `Delete ${each.title}` },
        "✕",
      ),
    ),
  );
  byId("conversations").replaceChildren(...items);
}

function remove(conversation) {
  if (!confirm(`Delete “${conversation.title}”?`)) return;
  store.deleteConversation(conversation);
  conversations = conversations.filter((each) => each !== conversation);
  if (conversation === open) startNew(open.mode);
  else showList();
}

function startNew(mode) {
  show({ ...store.newConversation(mode), system: mode === "chat" ? defaultSystem : "" });
  input.focus();
}

function choose(text) {
  input.value = text;
  grow();
  byId("send").focus();
}

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function send() {
  const text = input.value;
  if (running || !(text.trim() || attachments.images.length || (open.mode === "completion" && open.messages.length)))
    return;
  if (open.mode === "chat") open.messages.push({ role: "user", content: text, ...attachments.take() });
  else if (text) open.messages.push({ role: "prompt", content: text });
  input.value = "";
  grow();
  start();
}

/** Begins a new message of the model, and generates it. */
function start() {
  open.messages.push({ role: open.mode === "chat" ? "assistant" : "text", content: "" });
  return run();
}

/** Generates the last message, or the rest of it. */
async function run() {
  const conversation = open;
  const message = open.messages.at(-1);
  let options;
  try {
    options = {
      sampling: settings.values,
      nProbs: byId("probabilities").checked ? N_PROBS : 0,
      format: format.format(),
      tools: format.toolList(),
      toolChoice: format.toolChoice(),
      model: modelChoice.name,
      isAsleep: pool.isAsleep,
    };
  } catch (error) {
    if (!message.content) open.messages.pop();
    transcript.update();
    notice(`The request was not sent. ${error.message}`);
    update();
    return;
  }
  notice("");
  const hasFormat = message.content && (Object.keys(options.format).length || options.tools.length);
  for (const name of ["error", "stopped", "stats"]) delete message[name];
  message.running = true;
  const controller = (running = new AbortController());
  if (!conversations.includes(conversation)) conversations.unshift(conversation);
  update();
  transcript.update();
  pool.noteRequest();
  try {
    await generate(conversation, options, controller.signal, () => transcript.updateSoon());
    if (hasFormat && message.stats) message.stats.note = "without the format and tools, which are for whole answers";
  } catch (error) {
    if (error.name === "AbortError") message.stopped = true;
    else if (error instanceof ApiError) message.error = error.message;
    else throw error;
  } finally {
    delete message.running;
    delete message.progress;
    if (running === controller) running = null;
    finish(conversation);
  }
}

function finish(conversation) {
  if (!store.saveConversation(conversation))
    notice("The browser has no room for this conversation. Export it, or delete others.");
  if (conversation === open) transcript.update();
  showList();
  update();
  pool.noteRequest();
}

function stop() {
  running?.abort();
}

function retry() {
  if (running) return;
  open.messages.pop();
  start();
}

function goOn() {
  if (!running) run();
}

/** Takes a message of the user back to the field, or the whole text of a completion. */
function edit(message) {
  if (running) return;
  const index = open.mode === "chat" ? open.messages.indexOf(message) : 0;
  const taken = open.messages.splice(index);
  input.value = open.mode === "chat" ? message.content : taken.map((each) => each.content).join("");
  attachments.set(message.images ?? []);
  transcript.update();
  grow();
  update();
  input.focus();
}

function sendResults(results) {
  if (running) return;
  open.messages.push(...results);
  start();
}

/** Goes on from a token that was chosen in place of another one; what came after it is gone. */
function pick(message, index, choice) {
  if (running) return;
  open.messages.splice(open.messages.indexOf(message) + 1);
  replaceToken(message, index, choice);
  delete message.tool_calls;
  transcript.update();
  if (choice.isEnd) finish(open);
  else run();
}

/** Makes the field as high as its text. */
function grow() {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
  update();
}

async function importFile(file) {
  try {
    const found = store.importText(await file.text());
    const isFull = found.filter((each) => !store.saveConversation(each)).length;
    conversations = store.loadConversations();
    notice(isFull ? `${isFull} conversations did not fit into the browser.` : "");
    if (found.length) show(conversations.find((each) => each.id === found[0].id) ?? open);
  } catch (error) {
    notice(`${file.name} was not imported: ${error.message}`);
  }
}

function setUpEvents() {
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  input.addEventListener("input", grow);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && running && !event.defaultPrevented) stop();
  });
  byId("stop").addEventListener("click", stop);
  byId("new").addEventListener("click", () => startNew(open.mode));
  byId("export").addEventListener("click", () =>
    download("llama-slots-conversations.json", store.exportText(conversations)),
  );
  byId("import").addEventListener("click", () => byId("import-file").click());
  byId("import-file").addEventListener("change", (event) => {
    if (event.target.files[0]) importFile(event.target.files[0]);
    event.target.value = "";
  });
  byId("system").addEventListener("change", (event) => {
    open.system = event.target.value;
    store.saveConversation(open);
  });
  byId("settings-reset").addEventListener("click", () => settings.reset());
  for (const radio of document.getElementsByName("mode")) radio.addEventListener("change", () => startNew(radio.value));
  byId("panel-format").addEventListener("input", update);
  byId("probabilities").checked = localStorage.getItem(PROBABILITIES) !== "no";
  byId("probabilities").addEventListener("change", (event) =>
    localStorage.setItem(PROBABILITIES, event.target.checked ? "yes" : "no"),
  );
  addEventListener("pagehide", () => running && store.saveConversation(open));
}

/** Says what is served, and whether it sleeps. */
function showModel() {
  if (!model) return;
  const { model_alias: name, total_slots: slots, default_generation_settings: defaults } = model;
  byId("model").textContent = pool.isAsleep
    ? `${name} sleeps; a message wakes it`
    : `${name}, ${slots} slots of ${formatNumber(defaults.n_ctx)} tokens`;
}

/** Asks what the server is, as soon as the model is loaded. */
async function connect() {
  for (;;) {
    try {
      const [props, description] = await Promise.all([getJson("props"), getJson("openapi.json")]);
      settings.load(description.components.schemas, props);
      settings.show(open.mode);
      attachments.enable(props.modalities.vision);
      defaultSystem = props.ui_settings?.systemMessage ?? "";
      if (!open.messages.length && open.mode === "chat") byId("system").value = open.system = defaultSystem;
      document.title = `${props.model_alias} · llama-slots`;
      model = props;
      pool.maySleep = props.sleep_idle_seconds > 0;
      pool.isAsleep = props.is_sleeping;
      showModel();
      pool.refreshSoon(0);
      await modelChoice.refresh();
      update();
      return;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      byId("model").textContent = error.status === 503 ? "The model is loading" : error.message;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

onKeyNeeded(askForKey);
setUpTheme();
setUpPanels(() => {
  pool.refreshSoon(0);
  if (model && !byId("panel-settings").hidden) modelChoice.refresh().catch(() => {}); // the list may stay as it is
});
setUpEvents();
new TokenPopover(byId("popover"), byId("transcript"), (element) => transcript.messageOf(element), pick);
show(open);
connect();
