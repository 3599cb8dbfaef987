/** Conversations, which the browser keeps: each under a key of its own, so that two windows do not overwrite all. */

const PREFIX = `llama-slots:conversation:${location.pathname}:`;
export const FORMAT = "llama-slots conversations";

/**
 * A conversation is {id, mode, title, system, updated, messages}. In mode "chat" messages are those of the chat, with
 * `images`, `reasoning`, `stats` and `error` besides; in mode "completion" they are pieces of one text, of the role
 * "prompt" or "text". The tokens of a message, with their probabilities, are not kept.
 */
export function newConversation(mode) {
  return { id: crypto.randomUUID?.() ?? randomId(), mode, title: "", system: "", updated: Date.now(), messages: [] };
}

/** Returns an id also where the page came by HTTP from another machine, for which randomUUID does not exist. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns all conversations, the latest first. */
export function loadConversations() {
  const found = [];
  for (const key of Object.keys(localStorage)) {
    if (!key.startsWith(PREFIX)) continue;
    try {
      found.push(check(JSON.parse(localStorage.getItem(key))));
    } catch {
      localStorage.removeItem(key);
    }
  }
  return found.sort((a, b) => b.updated - a.updated);
}

/** Saves a conversation; an empty one is not kept. Returns false if the browser has no room for it. */
export function saveConversation(conversation) {
  if (!conversation.messages.length) return true;
  conversation.updated = Date.now();
  conversation.title ||= titleOf(conversation);
  try {
    localStorage.setItem(PREFIX + conversation.id, toText(conversation));
    return true;
  } catch {
    return false;
  }
}

export function deleteConversation(conversation) {
  localStorage.removeItem(PREFIX + conversation.id);
}

function toText(value) {
  return JSON.stringify(value, (name, member) => (name === "tokens" || name === "running" ? undefined : member));
}

/** A chat is called by its first message, a completion by the beginning of its text. */
function titleOf({ mode, messages }) {
  const named = mode === "chat" ? messages.slice(0, 1) : messages;
  const words = named
    .map((message) => message.content)
    .join("")
    .trim()
    .replace(/\s+/g, " ");
  return (words.length > 48 ? `${words.slice(0, 47)}…` : words) || "Picture";
}

/** Returns the text of a file with conversations. */
export function exportText(conversations) {
  return toText({ format: FORMAT, version: 1, conversations });
}

/** Returns the conversations in the text of a file, with new ids. Throws an Error that says what was expected. */
export function importText(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("expected a file that was exported here, got something that is not JSON");
  }
  if (file?.format !== FORMAT || !Array.isArray(file.conversations)) {
    throw new Error("expected a file that was exported here, got other JSON");
  }
  return file.conversations.map((each) => ({ ...check(each), id: newConversation("chat").id }));
}

/** Returns a conversation if it is one, with nothing that the page does not know. Throws an Error. */
function check(value) {
  const isText = (each) => typeof each === "string";
  const isMessage = (each) => isText(each?.role) && isText(each.content);
  if (!["chat", "completion"].includes(value?.mode) || !value.messages?.every?.(isMessage)) {
    throw new Error("expected conversations with a mode and messages");
  }
  const images = (each) => each.filter?.((image) => isText(image) && image.startsWith("data:image/"));
  return {
    id: isText(value.id) ? value.id : randomId(),
    mode: value.mode,
    title: isText(value.title) ? value.title : "",
    system: isText(value.system) ? value.system : "",
    updated: Number(value.updated) || Date.now(),
    messages: value.messages.map((message) => ({
      ...message,
      ...(message.images && { images: images(message.images) }),
    })),
  };
}
