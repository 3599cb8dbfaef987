/** Requests for texts: their bodies, and what the events of their streams do to a message. */

import { streamEvents } from "../api.js";
import { TokenReader } from "./tokens.js";

/**
 * Generates the last message of a conversation, or its rest if it has a beginning. `options` are {sampling, format,
 * tools, nProbs, model, isAsleep}; `onChange` is called after each event. Resolves when the text ends; throws ApiError, and AbortError
 * if `signal` stops it.
 */
export async function generate(conversation, options, signal, onChange) {
  const message = conversation.messages.at(-1);
  const isChat = conversation.mode === "chat";
  const [path, body] = isChat
    ? ["v1/chat/completions", chatBody(conversation, options)]
    : ["completion", completionBody(conversation, options)];
  const tokens = new TokenReader(message);
  const state = { calls: [] };
  message.progress = options.isAsleep ? { isAsleep: true } : undefined;
  for await (const event of streamEvents(path, body, signal)) {
    takeProgress(message, event);
    if (isChat) takeChunk(message, tokens, state, event);
    else takeEvent(message, tokens, event);
    onChange();
  }
  delete message.progress;
}

const COMMON = { stream: true, return_progress: true, timings_per_token: true };

function commonOptions({ sampling, nProbs, model }) {
  return { ...sampling, ...COMMON, ...(nProbs ? { n_probs: nProbs } : {}), ...(model ? { model } : {}) };
}

/** A format describes a whole text: the rest of one that was begun is free. */
function formatOptions(message, format) {
  return message.content ? {} : format;
}

function chatBody(conversation, options) {
  const message = conversation.messages.at(-1);
  const history = message.content ? conversation.messages : conversation.messages.slice(0, -1);
  const system = conversation.system.trim() ? [{ role: "system", content: conversation.system }] : [];
  const tools =
    options.tools.length && !message.content ? { tools: options.tools, tool_choice: options.toolChoice } : {};
  return {
    ...commonOptions(options),
    ...formatOptions(message, options.format),
    ...tools,
    messages: [...system, ...history.filter(hasContent).map(requestMessage)],
  };
}

/** An answer of which nothing came is no part of the chat. */
const hasContent = ({ role, content, tool_calls: calls }) => role !== "assistant" || content || calls?.length;

function requestMessage({ role, content, images, tool_calls: calls, tool_call_id: id }) {
  if (role === "tool") return { role, content, tool_call_id: id };
  if (calls?.length) return { role, content: content || null, tool_calls: calls };
  if (!images?.length) return { role, content };
  return {
    role,
    content: [...images.map((url) => ({ type: "image_url", image_url: { url } })), { type: "text", text: content }],
  };
}

function completionBody(conversation, options) {
  const prompt = conversation.messages.map((message) => message.content).join("");
  return { ...commonOptions(options), ...formatOptions(conversation.messages.at(-1), options.format), prompt };
}

/** Takes in the place in the queue, or how much of the prompt is computed. */
function takeProgress(message, event) {
  if (event.queue) message.progress = { position: event.queue.position };
  else if (event.prompt_progress) message.progress = event.prompt_progress;
}

function takeChunk(message, tokens, state, { choices, timings, cache_miss: miss }) {
  const choice = choices[0];
  if (!choice) return;
  const { content, reasoning_content: reasoning, tool_calls: calls } = choice.delta;
  if (reasoning) message.reasoning = (message.reasoning ?? "") + reasoning;
  if (content) delete message.progress;
  const isOther = reasoning || calls;
  if (!isOther) tokens.add(content ?? "", choice.logprobs?.content);
  for (const call of calls ?? []) addToCall(message, state.calls, call);
  if (timings) message.stats = { ...message.stats, ...readTimings(timings) };
  if (choice.finish_reason)
    Object.assign(message.stats ?? (message.stats = {}), { reason: choice.finish_reason, miss });
}

function addToCall(message, calls, part) {
  if (!calls[part.index]) {
    calls[part.index] = { id: part.id, type: "function", function: { name: part.function.name, arguments: "" } };
    message.tool_calls = calls;
  }
  calls[part.index].function.arguments += part.function.arguments ?? "";
}

function takeEvent(message, tokens, event) {
  if (event.content) delete message.progress;
  tokens.add(event.content ?? "", event.completion_probabilities);
  if (event.timings) message.stats = { ...message.stats, ...readTimings(event.timings) };
  if (event.stop)
    Object.assign(message.stats, { reason: event.truncated ? "context" : event.stop_type, miss: event.cache_miss });
}

function readTimings(timings) {
  return {
    n_prompt: timings.cache_n + timings.prompt_n,
    n_cached: timings.cache_n,
    n_generated: timings.predicted_n,
    per_second: timings.predicted_per_second,
  };
}
