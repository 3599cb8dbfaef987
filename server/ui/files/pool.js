/** The live picture of the pool: slots, queue, parked prefixes and speeds, as GET /pool has them. */

import { ApiError, getJson } from "./api.js";
import { byId, formatBytes, formatNumber, h, svg } from "./dom.js";

const BUSY_MS = 400;
/** How soon, and how often, the slot of a request that has just begun is looked for. */
const OWN_MS = 100;
const OWN_TRIES = 10;
const IDLE_MS = 1000;
/** How often a server that may fall asleep is asked while nobody looks at the picture. */
const HIDDEN_MS = 5000;
const ASLEEP = "The model sleeps: nothing is in memory until the next message wakes it.";
const STATES = { idle: "idle", waiting: "waits", prefill: "reads", generating: "writes" };
const SOURCES = {
  own_slot: () => "from its own cache",
  other_slot: (id) => `from slot ${id}`,
  parked: () => "from host memory",
  burst: (id) => `computed together with slot ${id}`,
};

export class PoolView {
  /**
   * `isVisible` says whether anybody can see the picture; nothing is asked for otherwise, unless the server `maySleep`.
   * `onSleep` is called when the model falls asleep or wakes.
   */
  constructor(isVisible, onSleep) {
    this.isVisible = isVisible;
    this.onSleep = onSleep;
    this.maySleep = false;
    this.isAsleep = false;
    this.cards = new Map();
    this.timer = 0;
    this.details = null;
    this.own = new Set();
    this.ownTries = 0;
    document.addEventListener("visibilitychange", () => this.refreshSoon(0));
  }

  refreshSoon(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), delay);
  }

  async refresh() {
    const isVisible = this.isVisible();
    let delay = isVisible || !this.maySleep ? IDLE_MS : HIDDEN_MS;
    if ((isVisible || this.maySleep) && !document.hidden) {
      try {
        const pool = await getJson("pool");
        this.noteSleep(pool.is_sleeping);
        this.show(pool);
        if (this.details !== null || this.ownTries > 0) await this.showTexts();
        if (this.ownTries > 0) delay = OWN_MS;
        else if (pool.slots.some((slot) => slot.state !== "idle")) delay = BUSY_MS;
        this.say(pool.is_sleeping ? ASLEEP : "");
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        this.say(error.status === 501 ? "The server was started with --no-slots." : error.message);
      }
    }
    this.refreshSoon(delay);
  }

  noteSleep(isAsleep) {
    if (isAsleep === this.isAsleep) return;
    this.isAsleep = isAsleep;
    this.onSleep();
  }

  say(text) {
    byId("pool-error").textContent = text;
    byId("pool-error").hidden = !text;
  }

  /** Finds out which slots work for this browser's session, as its request has just begun. */
  noteRequest() {
    this.ownTries = OWN_TRIES;
    this.refreshSoon(0);
  }

  show(pool) {
    this.showSpeeds(pool.rates);
    this.showCells(pool.kv_cache);
    for (const slot of pool.slots) this.showSlot(slot);
    this.showQueue(pool.queue);
    this.showParked(pool.parked);
  }

  showCells({ n_cells: all, n_used: used, is_unified: unified }) {
    byId("cells-meter").max = all;
    byId("cells-meter").value = used;
    byId("cells-text").textContent =
      `${formatNumber(used)} of ${formatNumber(all)} cells hold tokens (${Math.round((100 * used) / all)}%), ` +
      (unified ? "in one pool for all slots" : "a part for each slot");
  }

  showSlot(slot) {
    if (!this.cards.has(slot.id)) this.cards.set(slot.id, new SlotCard(slot.id, (id) => this.toggle(id)));
    const card = this.cards.get(slot.id);
    if (!card.element.isConnected) byId("slots").append(card.element);
    card.update(slot, this.own.has(slot.id), this.details === slot.id);
  }

  toggle(id) {
    this.details = this.details === id ? null : id;
    this.refreshSoon(0);
  }

  /** The texts of slots are only there for the session whose request it is. */
  async showTexts() {
    const slots = await getJson("slots");
    this.ownTries = slots.some((slot) => "prompt" in slot) ? 0 : this.ownTries - 1;
    for (const slot of slots) {
      if ("prompt" in slot) this.own.add(slot.id);
      else if (slot.is_processing) this.own.delete(slot.id);
    }
    for (const slot of slots) this.cards.get(slot.id)?.showText(slot, this.details === slot.id);
  }

  showQueue({ n_waiting: count, first }) {
    byId("queue-text").textContent = count ? `${formatNumber(count)} requests wait for a slot` : "Nobody waits.";
    byId("queue").replaceChildren(
      ...first.map((each) =>
        h(
          "li",
          {},
          h("strong", {}, `${each.position}.`),
          ` request ${each.id_task}: ${formatNumber(each.n_prompt_tokens)} tokens, for ${formatNumber(each.waiting_ms / 1000)} s`,
        ),
      ),
    );
  }

  showParked({ n_sequences: count, n_bytes: bytes, budget_bytes: budget, tree }) {
    const limit = budget === null ? "" : ` of ${formatBytes(budget)}`;
    byId("parked-text").textContent = count
      ? `${count} ${count === 1 ? "prefix" : "prefixes"}, ${formatBytes(bytes)}${limit} of host memory`
      : `None: nothing has lost its slot yet. There is room for ${budget === null ? "any number" : formatBytes(budget)}.`;
    const text = JSON.stringify(tree);
    if (text === this.shownTree) return;
    this.shownTree = text;
    byId("parked").replaceChildren(...branches(tree));
  }

  showSpeeds({ bucket_seconds: seconds, prompt_tokens_per_second: prompt, generated_tokens_per_second: generated }) {
    byId("speed-now").textContent =
      `${formatNumber(generated.at(-1))} written and ${formatNumber(prompt.at(-1))} read tokens/s now`;
    for (const [id, rates] of [
      ["speed-generated", generated],
      ["speed-prompt", prompt],
    ]) {
      byId(id).replaceChildren(chart(rates));
      byId(`${id}-max`).textContent = `up to ${formatNumber(Math.max(...rates))}`;
    }
    byId("speed-span").textContent = `the last ${Math.round((seconds * generated.length) / 60)} minutes`;
  }
}

/** Returns a bar for each span of time. */
function chart(rates) {
  const most = Math.max(...rates, 1);
  const bars = rates.map((rate, i) => {
    const height = rate ? Math.max(1, (28 * rate) / most) : 0;
    return svg("rect", { x: i * 4, y: 30 - height, width: 3, height });
  });
  return svg(
    "svg",
    { viewBox: `0 0 ${rates.length * 4} 30`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ...bars,
  );
}

/** A slot: its state, and a bar of its context in which each part has the width of its tokens. */
class SlotCard {
  constructor(id, toggle) {
    this.state = h("span.state");
    this.mine = h("span.mine", { title: "It works for this browser, or did so last" }, "yours");
    this.speed = h("span.speed");
    this.parts = ["shared", "cached", "computed", "generated", "held"].map((name) =>
      svg("rect", { class: name, y: 0, height: 10 }),
    );
    this.bar = svg("svg", { class: "context", preserveAspectRatio: "none", role: "img" }, ...this.parts);
    this.fill = h("p.fill");
    this.source = h("p.source");
    this.text = h("pre.texts", { hidden: true, tabindex: 0 });
    this.button = h(
      "button.slot-head",
      { type: "button", "aria-expanded": "false", onclick: () => toggle(id) },
      h("strong", {}, `Slot ${id}`),
      this.state,
      this.mine,
      this.speed,
    );
    this.element = h("li.slot", { "data-slot": id }, this.button, this.bar, this.fill, this.source, this.text);
  }

  update(slot, isMine, isOpen) {
    this.element.dataset.state = slot.state;
    this.state.textContent = STATES[slot.state];
    this.mine.hidden = !isMine;
    this.speed.textContent = slot.tokens_per_second ? `${formatNumber(slot.tokens_per_second)} tokens/s` : "";
    this.button.setAttribute("aria-expanded", String(isOpen));
    this.text.hidden = !isOpen;
    this.updateBar(slot);
    this.source.textContent = describeSource(slot);
  }

  /**
   * From left to right: what others hold as well, what else came from the cache, what was computed, what is new; or
   * what is kept for the next request.
   */
  updateBar({
    state,
    n_ctx: n,
    n_tokens: used,
    n_shared: shared,
    n_prompt_tokens: prompt,
    n_prompt_tokens_cache: cached,
  }) {
    const ends = state === "idle" ? [shared, 0, 0, 0, used] : [shared, cached, prompt, used, used];
    let from = 0;
    this.bar.setAttribute("viewBox", `0 0 ${n} 10`);
    this.parts.forEach((part, i) => {
      const to = Math.max(from, Math.min(ends[i], used));
      part.setAttribute("x", from);
      part.setAttribute("width", to - from);
      from = to;
    });
    const text = used
      ? `${formatNumber(used)} of ${formatNumber(n)} tokens`
      : `Empty, with room for ${formatNumber(n)} tokens`;
    this.fill.textContent = shared ? `${text}, the first ${formatNumber(shared)} shared` : text;
    this.bar.setAttribute("aria-label", this.fill.textContent);
  }

  showText(slot, isOpen) {
    if (!isOpen) return;
    this.text.textContent =
      "prompt" in slot
        ? slot.prompt + slot.generated
        : slot.is_processing
          ? "The text is shown to the session alone whose request it is."
          : "No request runs here.";
  }
}

/** Returns from where the prompt's cached tokens came, or what else there is to say. */
function describeSource(slot) {
  if (slot.waits_for !== null) return `Waits for slot ${slot.waits_for} to compute what both prompts begin with.`;
  if (slot.state === "idle") return slot.n_tokens ? "Keeps it for the next request." : "";
  const hits = slot.cache_hits.map((hit) => `${formatNumber(hit.n_tokens)} ${SOURCES[hit.source](hit.slot_id)}`);
  const prompt = `Prompt ${formatNumber(slot.n_prompt_tokens)}, `;
  const reused = hits.length ? hits.join(", ") : "none cached";
  const written = slot.n_decoded
    ? `; ${formatNumber(slot.n_decoded)} written`
    : `; ${formatNumber(slot.n_prompt_tokens_processed)} read`;
  return prompt + reused + written;
}

/** Returns the items for what a parked prefix continues with. */
function branches(node) {
  const items = node.children.map((child) => {
    const size = child.n_bytes ? h("strong", {}, formatBytes(child.n_bytes)) : "in common";
    const also = child.slots.length ? `, also in slot ${child.slots.join(", ")}` : "";
    const text = child.text ? h("q", {}, child.text) : null;
    const below = branches(child);
    return h(
      "li",
      {},
      h(
        "span",
        {},
        `${formatNumber(child.n_tokens)} ${child.n_tokens === 1 ? "token" : "tokens"}, `,
        size,
        also,
        " ",
        text,
      ),
      below.length ? h("ul", {}, below) : null,
    );
  });
  return node.n_hidden ? [...items, h("li", {}, `and ${node.n_hidden} more`)] : items;
}
