/** The list of conversations and the side with its tabs: which of them are open. */

import { byId } from "./dom.js";

const TABS = ["pool", "settings", "format"];
const narrow = matchMedia("(max-width: 1080px)");
const body = document.body;

/** `onShow` is called when the side or another tab of it opens. */
export function setUpPanels(onShow) {
  for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => select(name, onShow));
  byId("tab-pool").parentElement.addEventListener("keydown", (event) => moveBetweenTabs(event, onShow));
  const setOpen = (isOpen) => {
    body.dataset.side = isOpen ? "open" : "closed";
    byId("side-toggle").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) onShow();
  };
  setOpen(!narrow.matches);
  narrow.addEventListener("change", () => setOpen(!narrow.matches));
  byId("side-toggle").addEventListener("click", () => {
    setOpen(body.dataset.side !== "open");
    if (narrow.matches && body.dataset.side === "open") byId("side").querySelector('[aria-selected="true"]').focus();
  });
  byId("side-close").addEventListener("click", () => {
    setOpen(false);
    byId("side-toggle").focus();
  });
  setUpList();
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      if (narrow.matches && byId("side").contains(document.activeElement)) byId("side-close").click();
      else if (body.dataset.list === "open") byId("list-toggle").click();
      else return;
      event.preventDefault();
    },
    true,
  );
}

/** On a narrow screen the list closes as soon as something is chosen from it, or elsewhere. */
function setUpList() {
  const toggle = byId("list-toggle");
  const setOpen = (isOpen) => {
    body.dataset.list = isOpen ? "open" : "closed";
    toggle.setAttribute("aria-expanded", String(isOpen));
  };
  toggle.addEventListener("click", () => {
    setOpen(body.dataset.list !== "open");
    if (body.dataset.list === "open") byId("new").focus();
    else toggle.focus();
  });
  document.addEventListener("click", (event) => {
    const isChoice = event.target.closest(".title, #new");
    if (isChoice || !event.target.closest("#list, #list-toggle")) setOpen(false);
  });
}

function select(name, onShow) {
  for (const each of TABS) {
    const isSelected = each === name;
    byId(`tab-${each}`).setAttribute("aria-selected", String(isSelected));
    byId(`tab-${each}`).tabIndex = isSelected ? 0 : -1;
    byId(`panel-${each}`).hidden = !isSelected;
  }
  onShow();
}

function moveBetweenTabs(event, onShow) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const at = TABS.findIndex((name) => byId(`tab-${name}`) === event.target);
  if (!step || at < 0) return;
  const name = TABS[(at + step + TABS.length) % TABS.length];
  select(name, onShow);
  byId(`tab-${name}`).focus();
  event.preventDefault();
}

export const isPoolVisible = () => body.dataset.side === "open" && !byId("panel-pool").hidden;
