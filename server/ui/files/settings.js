/** The form of the options of requests. What each of them is comes from the server's own description of its API. */

import { byId, h } from "./dom.js";

const STORED = `llama-slots:settings:${location.pathname}`;

/** Options of the page itself, and such as make no sense in it. Those that are not supported say so themselves. */
const HIDDEN = new Set([
  ...["prompt", "n", "stream", "return_tokens", "response_fields", "sse_ping_interval", "verbose", "return_progress"],
  ...["timings_per_token", "modalities", "system_prompt", "response_format", "structured_outputs", "grammar"],
  ...["json_schema", "regex", "choice", "guided_json", "guided_regex", "guided_choice", "guided_grammar"],
  ...["n_probs", "post_sampling_probs", "backend_sampling", "image_data", "lora"],
]);

const GROUPS = [
  ["Most used", ["temperature", "n_predict", "top_k", "top_p", "min_p", "repeat_penalty", "stop", "seed"]],
  ["Repetition", ["repeat_last_n", "penalize_nl", "presence_penalty", "frequency_penalty", /^dry_/]],
  [
    "Other samplers",
    [/^dynatemp_/, "typical_p", "tfs_z", "top_n_sigma", /^xtc_/, /^adaptive_/, /^mirostat/, "samplers", "min_keep"],
  ],
  ["Cache and slots", ["cache_prompt", /^n_cache/, "cache_salt", /slot/, "n_keep", "n_discard", /^speculative/]],
  ["More", [/./]],
];

/** The settings that differ from the server's, which are sent with each request. The browser keeps them. */
export class Settings {
  constructor(form) {
    this.form = form;
    this.options = [];
    this.values = {};
    this.defaults = {};
  }

  /** `schemas` are those of the API's description, `props` what the server says of itself. */
  load(schemas, props) {
    const properties = schemas.CompletionRequestBody.properties;
    const chat = schemas.ChatCompletionRequestBody.properties;
    const own = props.default_generation_settings.params;
    for (const [name, schema] of Object.entries(properties)) {
      if (HIDDEN.has(name) || schema.description === "not supported") continue;
      const standard = own[name] ?? schema.default;
      const differs = JSON.stringify(chat[name]?.default) !== JSON.stringify(schema.default);
      this.defaults[name] = { completion: standard, chat: differs ? chat[name]?.default : standard };
      this.options.push({ name, schema });
    }
    this.values = read() ?? this.known(props.ui_settings ?? {});
  }

  known(values) {
    return Object.fromEntries(Object.entries(values).filter(([name]) => name in this.defaults));
  }

  /** Shows the form; defaults are those of chats or of completions. */
  show(mode) {
    this.mode = mode;
    const left = new Set(this.options);
    const groups = GROUPS.map(([title, names], i) => {
      const options = names.flatMap((pattern) =>
        [...left].filter((option) => {
          const matches = pattern instanceof RegExp ? pattern.test(option.name) : pattern === option.name;
          return matches && left.delete(option);
        }),
      );
      const fields = options.map((option) => this.field(option));
      return fields.length ? h("details", { open: i === 0 }, h("summary", {}, title), fields) : null;
    });
    this.form.replaceChildren(...groups.filter(Boolean));
    this.showCount();
  }

  field({ name, schema }) {
    const id = `option-${name}`;
    const control = this.control(id, name, schema);
    const fallback = describe(this.defaults[name][this.mode]);
    control.setAttribute("aria-describedby", `${id}-help`);
    control.addEventListener("change", () => this.change(name, schema, control));
    const help = h("p.help", { id: `${id}-help` }, `${sentence(schema.description)} Default: ${fallback}.`);
    return h("div.field", {}, h("label", { for: id }, name), control, help);
  }

  control(id, name, schema) {
    const value = this.values[name];
    if (schema.type === "boolean") {
      const labels = { "": "default", true: "yes", false: "no" };
      const choices = Object.entries(labels).map(([key, label]) =>
        h("option", { value: key, selected: key === String(value ?? "") }, label),
      );
      return h("select", { id }, choices);
    }
    const { minimum: min, maximum: max } = schema;
    const placeholder = describe(this.defaults[name][this.mode]);
    if (schema.type === "integer" || schema.type === "number") {
      const step = schema.type === "integer" ? 1 : "any";
      // Beyond these a number of JavaScript is not exact, and browsers ignore such a limit.
      const limits = Math.abs(max ?? 0) < 2 ** 53 ? { min, max } : {};
      return h("input", { id, type: "number", step, ...limits, placeholder, value: value ?? "" });
    }
    const text = value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
    return h("input", { id, type: "text", placeholder, value: text, spellcheck: "false" });
  }

  change(name, schema, control) {
    const value = valueOf(control, schema);
    if (value === undefined) delete this.values[name];
    else if (control.checkValidity()) this.values[name] = value;
    control.reportValidity();
    localStorage.setItem(STORED, JSON.stringify(this.values));
    this.showCount();
  }

  reset() {
    this.values = {};
    localStorage.setItem(STORED, "{}");
    this.show(this.mode);
  }

  showCount() {
    const count = Object.keys(this.values).length;
    byId("settings-count").textContent = count ? `${count} changed` : "All as the server has them";
    byId("settings-reset").hidden = !count;
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(STORED));
  } catch {
    return null;
  }
}

/** Lists are JSON, or one string. */
function valueOf(control, schema) {
  const text = control.value;
  if (text === "" && control.validity.valid) return undefined;
  if (schema.type === "boolean") return text === "true";
  if (schema.type === "integer" || schema.type === "number") return Number(text);
  if (schema.type === "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return schema.type === "array" ? [text] : text;
  }
}

function describe(value) {
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Array.isArray(value)) return value.length ? JSON.stringify(value) : "none";
  return value === "" || value === null || value === undefined ? "none" : String(value);
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
