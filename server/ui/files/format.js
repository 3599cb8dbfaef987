/** What an answer has to look like - a JSON schema, a grammar, an expression, a choice - and the tools it may call. */

import { byId } from "./dom.js";

const FORMATS = {
  json_schema: {
    label: "JSON Schema, which the answer has to match",
    example:
      '{\n  "type": "object",\n  "properties": {\n    "name": {"type": "string", "maxLength": 20},\n    "age": {"type": "integer", "minimum": 0, "maximum": 120}\n  },\n  "required": ["name", "age"],\n  "additionalProperties": false\n}',
    read: parseJson,
  },
  grammar: {
    label: "Grammar in GBNF",
    example: 'root ::= animal ("," " " animal){0,3}\nanimal ::= "cat" | "dog" | "owl" | "fox"',
    read: (text) => text,
  },
  regex: { label: "Regular expression", example: "[A-Z][a-z]+ [0-9]{1,3}", read: (text) => text },
  choice: {
    label: "Choices, one on a line",
    example: "yes\nno\nmaybe",
    read: (text) =>
      text
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean),
  },
};

const EXAMPLE_TOOLS = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "Get the weather of a city",
      parameters: {
        type: "object",
        properties: { city: { type: "string", maxLength: 20 }, unit: { enum: ["celsius", "fahrenheit"] } },
        required: ["city", "unit"],
      },
    },
  },
];

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}`);
  }
}

/** The form of both. It throws an Error, and shows it, for what cannot be sent. */
export class FormatForm {
  constructor() {
    this.kind = byId("format-kind");
    this.text = byId("format-text");
    this.tools = byId("tools-text");
    this.texts = {};
    this.kind.addEventListener("change", () => this.showKind());
    this.text.addEventListener("input", () => (this.texts[this.kind.value] = this.text.value));
    byId("format-example").addEventListener("click", () => this.fill(this.text, FORMATS[this.kind.value].example));
    byId("tools-example").addEventListener("click", () =>
      this.fill(this.tools, JSON.stringify(EXAMPLE_TOOLS, null, 2)),
    );
    this.showKind();
  }

  fill(field, text) {
    field.value = text;
    field.dispatchEvent(new Event("input"));
    field.focus();
    field.setSelectionRange(0, 0);
    field.scrollTop = 0;
  }

  showKind() {
    const format = FORMATS[this.kind.value];
    byId("format-field").hidden = !format;
    if (!format) return;
    byId("format-label").textContent = format.label;
    this.text.value = this.texts[this.kind.value] ?? "";
  }

  /** Returns the options of a request for the format. */
  format() {
    const kind = this.kind.value;
    const text = this.text.value;
    if (!(kind in FORMATS) || !text.trim()) return this.valid("format-error", {});
    try {
      return this.valid("format-error", { [kind]: FORMATS[kind].read(text) });
    } catch (error) {
      throw this.invalid("format-error", error);
    }
  }

  /** Returns the tools of a request, none if there are none. */
  toolList() {
    const text = this.tools.value.trim();
    if (!text) return this.valid("tools-error", []);
    try {
      const tools = parseJson(text);
      if (!Array.isArray(tools)) throw new Error('Expected a list of tools: [{"type": "function", ...}]');
      return this.valid("tools-error", tools);
    } catch (error) {
      throw this.invalid("tools-error", error);
    }
  }

  toolChoice() {
    return byId("tool-choice").value;
  }

  /** Returns in a few words what is set, for the button that leads here. */
  summary() {
    const parts = [];
    if (this.kind.value in FORMATS && this.text.value.trim()) parts.push(this.kind.selectedOptions[0].textContent);
    if (this.tools.value.trim()) parts.push("tools");
    return parts.join(", ");
  }

  valid(id, value) {
    byId(id).textContent = "";
    return value;
  }

  invalid(id, error) {
    byId(id).textContent = error.message;
    return error;
  }
}
