/** What a conversation looks like: its messages, or the pieces of its text, with what can be done about each. */

import { byId, formatNumber, h } from "../dom.js";
import { parseBlocks } from "./markdown.js";
import { leafOf } from "./tokens.js";

const NAMES = { user: "You", assistant: "Model", tool: "Result of a tool", system: "System" };
const REASONS = {
  length: "the limit of tokens was reached",
  limit: "the limit of tokens was reached",
  context: "the context is full",
  word: "a stop string was found",
  tool_calls: "it calls a tool",
};
const MISSES = {
  text_differs: "the cached text goes on in another way there",
  evicted: "the rest had to make room",
  cannot_be_cut: "this model's cache cannot be cut there",
  not_copied: "a copy of the rest would have taken longer",
};

/** Shows one conversation. `actions` has retry, goOn, edit and sendResults, each of which gets a message. */
export class Transcript {
  constructor(container, actions) {
    this.container = container;
    this.actions = actions;
    this.views = new Map();
    this.frame = 0;
  }

  /** Shows a conversation from its beginning. */
  show(conversation) {
    this.conversation = conversation;
    this.views.clear();
    this.container.classList.toggle("document", conversation.mode === "completion");
    this.container.replaceChildren();
    this.update();
    this.scrollDown();
  }

  /** Brings the page up to date with the messages, once before the next picture of the screen. */
  updateSoon() {
    this.frame ||= requestAnimationFrame(() => this.update());
  }

  update() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const scroller = this.container;
    const wasAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
    const messages = this.conversation.messages;
    for (const message of messages) {
      if (!this.views.has(message)) this.views.set(message, this.makeView(message));
    }
    for (const [message, view] of this.views) {
      if (messages.includes(message)) view.update(message === messages.at(-1));
      else {
        view.element.remove();
        this.views.delete(message);
      }
    }
    if (wasAtEnd) this.scrollDown();
  }

  makeView(message) {
    const isChat = this.conversation.mode === "chat";
    const view = isChat ? new MessageView(message, this.actions) : new PieceView(message, this.actions);
    this.container.append(view.element);
    return view;
  }

  scrollDown() {
    this.container.scrollTop = this.container.scrollHeight;
  }

  /** Returns the message that shows an element. */
  messageOf(element) {
    for (const [message, view] of this.views) if (view.element.contains(element)) return message;
    return null;
  }
}

/** A message of a chat. Its text is Markdown; blocks that have not changed stay as they are. */
class MessageView {
  constructor(message, actions) {
    this.message = message;
    this.actions = actions;
    this.blocks = [];
    this.body = h("div.body.tokens", bodyAttributes(message));
    this.reasoning = h("details.reasoning", { hidden: true }, h("summary", {}, "Thoughts"), h("div.thoughts"));
    this.calls = h("div.calls");
    this.footer = h("footer");
    const images = (message.images ?? []).map((url) => h("img", { src: url, alt: "attached picture" }));
    this.element = h(
      `article.message.${message.role}`,
      {},
      h("h2", {}, NAMES[message.role] ?? message.role),
      images.length ? h("div.images", {}, images) : null,
      this.reasoning,
      this.body,
      this.calls,
      this.footer,
    );
  }

  update(isLast) {
    const { message } = this;
    this.element.setAttribute("aria-busy", String(!!message.running));
    this.reasoning.hidden = !message.reasoning;
    if (message.reasoning) {
      this.reasoning.open ||= !!message.running && !message.content;
      this.reasoning.lastChild.textContent = message.reasoning;
    }
    this.updateBody();
    this.updateCalls(isLast);
    this.footer.replaceChildren(...footerOf(message, isLast, this.actions));
  }

  updateBody() {
    const { message } = this;
    if (message.role === "assistant") {
      const leaf = leafOf(message);
      const parsed = parseBlocks(message.content, leaf);
      const blocks = parsed.map((block, i) => {
        const source = message.content.slice(block.start, block.end);
        const old = this.blocks[i];
        const isSame = old && old.start === block.start && old.source === source && old.tokens === message.tokens;
        return isSame ? old : { start: block.start, source, tokens: message.tokens, node: block.make() };
      });
      this.body.replaceChildren(...blocks.map((block) => block.node));
      this.blocks = blocks;
    } else this.body.textContent = message.content;
    this.body.hidden = !message.content;
  }

  /** A call is shown once it is complete, or as it grows; the form for its result stays while somebody writes in it. */
  updateCalls(isLast) {
    const calls = this.message.tool_calls ?? [];
    const text = JSON.stringify([calls, isLast, !!this.message.running]);
    if (text === this.shownCalls) return;
    this.shownCalls = text;
    this.calls.replaceChildren(
      ...calls.map((call) =>
        h(
          "div.call",
          {},
          h("code.name", {}, call.function.name),
          h("pre", { tabindex: 0 }, h("code", {}, formatJson(call.function.arguments))),
        ),
      ),
    );
    if (calls.length && isLast && !this.message.running) this.calls.append(this.resultForm(calls));
  }

  resultForm(calls) {
    const fields = calls.map((call) =>
      h("textarea", { rows: 2, "data-call": call.id, placeholder: "What the tool returned" }),
    );
    const labels = calls.map((call, i) => h("label", {}, `Result of ${call.function.name}`, fields[i]));
    const onsubmit = (event) => {
      event.preventDefault();
      this.actions.sendResults(
        calls.map((call, i) => ({ role: "tool", tool_call_id: call.id, content: fields[i].value })),
      );
    };
    return h("form", { onsubmit }, labels, h("button.primary", {}, "Send result"));
  }
}

/** A piece of a text: written by the user, or generated. */
class PieceView {
  constructor(message, actions) {
    this.message = message;
    this.actions = actions;
    this.body = h("span.tokens", bodyAttributes(message));
    this.footer = h("footer");
    this.element = h(`div.piece.${message.role}`, {}, this.body, this.footer);
  }

  update(isLast) {
    const { message } = this;
    this.element.setAttribute("aria-busy", String(!!message.running));
    this.body.replaceChildren(...leafOf(message)(0, message.content.length));
    this.footer.replaceChildren(...(isLast ? footerOf(message, isLast, this.actions) : []));
  }
}

function bodyAttributes(message) {
  const isGenerated = message.role === "assistant" || message.role === "text";
  return isGenerated ? { tabindex: 0, role: "group", "aria-label": "Generated text; arrow keys show its tokens" } : {};
}

function formatJson(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function footerOf(message, isLast, actions) {
  const parts = [];
  if (message.running) parts.push(h("span.progress", { role: "status" }, describeProgress(message)));
  if (message.error) parts.push(h("p.error", { role: "alert" }, message.error));
  if (message.stats?.n_generated) parts.push(h("span.stats", {}, describeStats(message)));
  const buttons = buttonsOf(message, isLast, actions);
  if (buttons.length) parts.push(h("span.actions", {}, buttons));
  return parts;
}

function buttonsOf(message, isLast, actions) {
  if (message.running) return [];
  const button = (label, action) => h("button.quiet", { type: "button", onclick: () => action(message) }, label);
  const copy = button("Copy", () => navigator.clipboard?.writeText(message.content));
  const isGenerated = message.role === "assistant" || message.role === "text";
  if (!isGenerated) return message.role === "user" ? [button("Edit", actions.edit)] : [];
  const isCut = message.stopped || ["length", "limit"].includes(message.stats?.reason);
  return [
    ...(message.content && navigator.clipboard ? [copy] : []),
    ...(isLast ? [button("Retry", actions.retry)] : []),
    ...(isLast && message.content && (isCut || message.role === "text") ? [button("Continue", actions.goOn)] : []),
    ...(isLast && message.role === "text" ? [button("Edit text", actions.edit)] : []),
  ];
}

function describeProgress({ progress, content, tool_calls: calls }) {
  if (progress?.position) return `Waiting: number ${progress.position} in the queue`;
  if (progress?.isAsleep) return "The model sleeps, and is loaded again";
  if (progress?.total)
    return `Reading the prompt: ${progress.processed} of ${progress.total} tokens, ${progress.cache} of them cached`;
  return content || calls ? "Writing" : "Waiting for the first token";
}

/** Returns the cost of a text in a line. */
function describeStats({ stats, stopped }) {
  const speed = stats.per_second ? ` at ${formatNumber(stats.per_second)} tokens/s` : "";
  const parts = [`${stats.n_generated} tokens${speed}`, `prompt ${stats.n_prompt}, ${stats.n_cached} from the cache`];
  if (stats.miss?.at_token > 0 && MISSES[stats.miss.reason]) {
    parts.push(`cached up to token ${stats.miss.at_token}: ${MISSES[stats.miss.reason]}`);
  }
  if (stopped) parts.push("you stopped it");
  else if (REASONS[stats.reason]) parts.push(REASONS[stats.reason]);
  if (stats.note) parts.push(stats.note);
  return parts.join(" · ");
}

/** Shows the buttons with which a newcomer starts, in place of the messages. */
export function showExamples(mode, choose) {
  const place = byId("examples");
  if (place.dataset.mode === mode) return; // one of them may have the focus
  place.dataset.mode = mode;
  const examples = {
    chat: [
      "Tell me a story about a cat.",
      "What is the capital of France?",
      "Write a Python function that adds two numbers.",
    ],
    completion: ["Once upon a time", "Building a website can be done in 10 simple steps:", "def add(a, b):"],
  }[mode];
  const lead =
    mode === "chat"
      ? "Ask something, or begin with an example."
      : "Write the beginning of a text, or take an example. The model goes on.";
  const buttons = examples.map((text) => h("button.example", { type: "button", onclick: () => choose(text) }, text));
  place.replaceChildren(h("p", {}, lead), h("div", {}, buttons));
}
