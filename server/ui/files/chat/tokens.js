/**
 * The tokens of a text. A message has them in `tokens`, which together are its content: {text, logprob, top}, where
 * `top` lists the most likely tokens at that place as {text, logprob, isEnd}. A stretch whose tokens are not known is
 * one entry with the text alone.
 */

import { h } from "../dom.js";

const decoder = new TextDecoder("utf-8", { fatal: true });
const LEVELS = [0.9, 0.6, 0.3, 0.1];
const END = /^(<\|.+\|>|<\/s>|<eos>|<end_of_turn>)$/;

/** Takes in what a stream says of tokens. Bytes of one character may be spread over several of them. */
export class TokenReader {
  constructor(message) {
    this.message = message;
    message.tokens ??= message.content ? [{ text: message.content }] : [];
    this.pending = [];
  }

  /** Appends `text` to the content; `logprobs` are those of its tokens, or of some that have no text yet. */
  add(text, logprobs) {
    this.pending.push(...(logprobs ?? []));
    if (!text) return;
    this.message.content += text;
    const tokens = this.pending;
    this.pending = [];
    if (decode(tokens.flatMap((token) => token.bytes)) !== text) {
      this.message.tokens.push({ text });
      return;
    }
    const texts = tokens.map((token) => decode(token.bytes));
    if (texts.includes(null)) this.message.tokens.push({ text });
    else tokens.forEach((token, i) => this.message.tokens.push(read(token, texts[i])));
  }
}

function decode(bytes) {
  try {
    return decoder.decode(new Uint8Array(bytes));
  } catch {
    return null;
  }
}

function read(token, text) {
  const top = (token.top_logprobs ?? []).map((each) => ({
    text: decode(each.bytes),
    logprob: each.logprob,
    isEnd: END.test(each.token) || each.bytes.length === 0,
    name: each.token,
  }));
  return { text, logprob: token.logprob, top };
}

/** Returns a function that makes the nodes of a stretch of a message's text: an element for each known token. */
export function leafOf(message) {
  const tokens = message.tokens;
  if (!tokens) return (start, end) => [message.content.slice(start, end)];
  const starts = [];
  let length = 0;
  for (const token of tokens) {
    starts.push(length);
    length += token.text.length;
  }
  return (start, end) => {
    const nodes = [];
    for (let i = lastAtOrBefore(starts, start); i < tokens.length && starts[i] < end; i += 1) {
      const text = message.content.slice(Math.max(start, starts[i]), Math.min(end, starts[i] + tokens[i].text.length));
      if (text)
        nodes.push(tokens[i].top ? h(`span.token.${level(tokens[i].logprob)}`, { "data-token": i }, text) : text);
    }
    return nodes;
  };
}

function lastAtOrBefore(starts, place) {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}

function level(logprob) {
  const probability = Math.exp(logprob);
  const index = LEVELS.findIndex((least) => probability >= least);
  return `p${index < 0 ? LEVELS.length : index}`;
}

/** Cuts a message before a token and puts `choice` in its place. */
export function replaceToken(message, index, choice) {
  message.tokens = message.tokens.slice(0, index);
  if (!choice.isEnd) message.tokens.push({ text: choice.text, logprob: choice.logprob, top: choice.top });
  message.content = message.tokens.map((token) => token.text).join("");
}

const percent = (logprob) => {
  const value = 100 * Math.exp(logprob);
  return `${value >= 99.95 || value < 0.05 ? value.toFixed(0) : value.toFixed(1)}%`;
};

/** Shows line breaks and spaces, which are tokens, too. */
const visible = (text) =>
  text
    .replace(/\n/g, "↵")
    .replace(/\t/g, "⇥")
    .replace(/^ +| +$/g, (all) => "␣".repeat(all.length));

/**
 * The small window over a token: its probability, and the most likely tokens, each a button. It opens for the pointer,
 * for a tap, and for the arrow keys within a text.
 */
export class TokenPopover {
  /** `find(element)` returns the message that an element shows; `pick(message, index, choice)` goes on from a token. */
  constructor(popover, container, find, pick) {
    Object.assign(this, { popover, find, pick, current: null, timer: 0 });
    container.addEventListener("pointerover", (event) => this.onPointer(event));
    container.addEventListener("click", (event) => this.onClick(event));
    container.addEventListener("keydown", (event) => this.onTextKey(event));
    container.addEventListener("scroll", () => this.close());
    container.addEventListener("pointerleave", () => this.closeSoon());
    popover.addEventListener("pointerenter", () => clearTimeout(this.timer));
    popover.addEventListener("pointerleave", () => this.closeSoon());
    popover.addEventListener("keydown", (event) => this.onListKey(event));
    document.addEventListener("pointerdown", (event) => {
      if (!popover.contains(event.target) && !event.target.closest?.(".token")) this.close();
    });
  }

  onPointer(event) {
    if (event.pointerType !== "mouse") return;
    const token = event.target.closest(".token");
    clearTimeout(this.timer);
    if (token) this.timer = setTimeout(() => this.open(token), 120);
    else this.closeSoon();
  }

  onClick(event) {
    const token = event.target.closest(".token");
    if (token && !getSelection().toString()) this.open(token);
  }

  closeSoon() {
    clearTimeout(this.timer);
    if (!this.popover.contains(document.activeElement)) this.timer = setTimeout(() => this.close(), 350);
  }

  close() {
    clearTimeout(this.timer);
    this.current?.classList.remove("current");
    this.current = null;
    this.popover.hidden = true;
  }

  open(token) {
    this.close();
    const message = this.find(token);
    const entry = message?.tokens?.[token.dataset.token];
    if (!entry) return;
    this.current = token;
    token.classList.add("current");
    this.popover.replaceChildren(...this.content(message, Number(token.dataset.token), entry));
    this.popover.hidden = false;
    this.place(token.getClientRects()[0] ?? token.getBoundingClientRect());
  }

  content(message, index, entry) {
    const choices = entry.top.map((choice) => {
      const isTaken = choice.text === entry.text;
      const label = choice.isEnd
        ? "(the text ends)"
        : choice.text === null
          ? `${choice.name} (a part)`
          : visible(choice.text);
      const bar = h("meter", { min: 0, max: 1, value: Math.exp(choice.logprob), "aria-hidden": "true" });
      const onclick = () => {
        this.close();
        this.pick(message, index, { ...choice, top: entry.top });
      };
      const state = { type: "button", onclick, disabled: choice.text === null || !!message.running };
      return h(
        "li",
        {},
        h(
          isTaken ? "button.taken" : "button",
          state,
          h("span.choice", {}, label),
          bar,
          h("span.percent", {}, percent(choice.logprob)),
        ),
      );
    });
    const title = h("p", {}, h("strong", {}, visible(entry.text)), ` had ${percent(entry.logprob)}`);
    return [title, h("ol", {}, choices), h("p.hint", {}, "Choose one to continue from there.")];
  }

  /** Below the token, or above it if there is no room, and within the window. */
  place(box) {
    const { offsetWidth: width, offsetHeight: height } = this.popover;
    const left = Math.max(8, Math.min(box.left, innerWidth - width - 8));
    const fitsBelow = box.bottom + height + 8 < innerHeight;
    this.popover.style.left = `${left}px`;
    this.popover.style.top = `${fitsBelow ? box.bottom + 2 : Math.max(8, box.top - height - 2)}px`;
  }

  onTextKey(event) {
    const body = event.target.closest(".tokens");
    if (!body || event.target !== body) return;
    const tokens = [...body.querySelectorAll(".token")];
    const at = tokens.indexOf(this.current);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && tokens.length) {
      const next = tokens[Math.max(0, Math.min(tokens.length - 1, at + step))];
      next.scrollIntoView({ block: "nearest" });
      this.open(next);
    } else if ((event.key === "ArrowDown" || event.key === "Enter") && at >= 0) {
      this.popover.querySelector("button:not(:disabled)")?.focus();
    } else if (event.key === "Escape" && at >= 0) {
      this.close();
      event.stopPropagation();
    } else return;
    event.preventDefault();
  }

  onListKey(event) {
    const buttons = [...this.popover.querySelectorAll("button:not(:disabled)")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const at = buttons.indexOf(document.activeElement) + step;
      buttons[(at + buttons.length) % buttons.length].focus();
    } else if (event.key === "Escape") {
      const body = this.current?.closest(".tokens");
      this.close();
      body?.focus();
      event.stopPropagation();
    } else return;
    event.preventDefault();
  }
}
