/** Small parts of the page: the theme, the question for a key, the model, and pictures that go with a message. */

import { getJson } from "./api.js";
import { byId, h } from "./dom.js";

const THEME = "llama-slots:theme";
const THEMES = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" };
const MAX_PIXELS = 1536;

/** The button goes from the system's theme to the light one and the dark one. */
export function setUpTheme() {
  const names = Object.keys(THEMES);
  let theme = localStorage.getItem(THEME);
  if (!names.includes(theme)) theme = "auto";
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    byId("theme").textContent = THEMES[theme];
  };
  byId("theme").addEventListener("click", () => {
    theme = names[(names.indexOf(theme) + 1) % names.length];
    localStorage.setItem(THEME, theme);
    apply();
  });
  apply();
}

/** Returns a promise of the key that somebody types in; `refused` says whether another one was just refused. */
export function askForKey(refused) {
  const dialog = byId("key-dialog");
  byId("key-text").textContent = refused
    ? "The server does not know this key. Try another one."
    : "This server wants a key.";
  byId("key").value = "";
  dialog.oncancel = (event) => event.preventDefault();
  dialog.showModal();
  return new Promise((resolve) => {
    const submit = (event) => {
      event.preventDefault();
      byId("key-form").removeEventListener("submit", submit);
      dialog.close();
      // Chromium gives the focus back to a field without a caret, in which nothing can be typed.
      document.activeElement.blur();
      byId("input").focus();
      resolve(byId("key").value.trim());
    };
    byId("key-form").addEventListener("submit", submit);
  });
}

/** Which model answers: the first one, or another of the list, which is there if the server has adapters. */
export class ModelChoice {
  constructor(onChange) {
    this.field = byId("model-choice");
    this.field.addEventListener("change", onChange);
  }

  /** The name that requests give; null for the first model, which needs none. */
  get name() {
    return this.field.selectedIndex > 0 ? this.field.value : null;
  }

  async refresh() {
    const { data } = await getJson("v1/models");
    const chosen = this.field.value;
    this.field.replaceChildren(...data.map(({ id }) => h("option", { value: id }, id)));
    if (data.some(({ id }) => id === chosen)) this.field.value = chosen;
    byId("model-field").hidden = data.length < 2;
  }
}

/** Pictures for the next message, as data URLs. The button is only there if the model sees. */
export class Attachments {
  /** `onUnreadable` gets the names of files that the browser cannot read as pictures. */
  constructor(onUnreadable) {
    this.onUnreadable = onUnreadable;
    this.images = [];
    this.isEnabled = false;
    this.isChat = true;
    byId("attach").addEventListener("click", () => byId("attach-file").click());
    byId("attach-file").addEventListener("change", (event) => this.add(event.target));
    byId("input").addEventListener("paste", (event) => this.isAllowed && this.addFiles(event.clipboardData.files));
    // The browser would leave the page for a file that is dropped.
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      const { files } = event.dataTransfer;
      if (files.length) event.preventDefault();
      if (this.isAllowed) this.addFiles(files);
    });
  }

  /** Only chats have pictures, and only if the model sees. */
  get isAllowed() {
    return this.isEnabled && this.isChat;
  }

  enable(hasVision) {
    this.isEnabled = hasVision;
    this.allow(this.isChat);
  }

  allow(isChat) {
    this.isChat = isChat;
    byId("attach").hidden = !this.isAllowed;
  }

  async add(field) {
    await this.addFiles(field.files);
    field.value = "";
  }

  async addFiles(files) {
    const read = await Promise.allSettled([...files].map(readPicture));
    const unreadable = [...files].filter((_, i) => read[i].status === "rejected").map((file) => file.name);
    this.set([...this.images, ...read.filter((each) => each.status === "fulfilled").map((each) => each.value)]);
    if (unreadable.length) this.onUnreadable(unreadable.join(", "));
  }

  set(images) {
    this.images = images;
    byId("attached").hidden = !images.length;
    byId("attached").replaceChildren(
      ...images.map((url, i) =>
        h(
          "button.quiet",
          {
            type: "button",
            "aria-label": `Remove picture ${i + 1}`,
            onclick: () => this.set(images.filter((each) => each !== url)),
          },
          h("img", { src: url, alt: "" }),
        ),
      ),
    );
  }

  /** Returns the member of a message for the pictures, which are then gone from here. */
  take() {
    const images = this.images;
    this.set([]);
    return images.length ? { images } : {};
  }
}

/** Returns a picture as a data URL; a large one is made smaller, since models see no more anyway. */
async function readPicture(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, MAX_PIXELS / Math.max(bitmap.width, bitmap.height));
  const canvas = h("canvas", { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const isLossless = scale === 1 && file.type === "image/png";
  return canvas.toDataURL(isLossless ? "image/png" : "image/jpeg", 0.9);
}
