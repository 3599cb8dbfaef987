/**
 * Markdown as models write it, to elements. Nothing is ever parsed as HTML. Each piece of text that is shown is made by
 * `leaf(start, end)` from its place in the source, so that tokens keep their places.
 */

import { h } from "../dom.js";

const INLINE =
  /(?<code>(`+)(?!`)[\s\S]*?[^`]\2(?!`))|\*\*(?=\S)(?<bold>[\s\S]*?\S)\*\*|(?<![\w*])\*(?=\S)(?<italic>[^*\n]*?[^\s*])\*(?![\w*])|(?<!\w)_(?=\S)(?<under>[^_\n]*?\S)_(?!\w)|~~(?=\S)(?<gone>[^~]*?\S)~~|\[(?<text>[^\]\n]+)\]\((?<url>https?:\/\/[^\s)]+)\)/g;
const FENCE = /^ {0,3}(```+|~~~+)\s*([\w+#.-]*)/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+/;

/** Returns the blocks of a text: {start, end, make}, where make() returns the element. */
export function parseBlocks(text, leaf) {
  const lines = splitLines(text);
  const blocks = [];
  let index = 0;
  while (index < lines.length) {
    const first = index;
    const [make, next] = readBlock(text, lines, index, leaf);
    index = next;
    if (make) blocks.push({ start: lines[first].start, end: lines[next - 1].end, make });
  }
  return blocks;
}

function splitLines(text) {
  const lines = [];
  let start = 0;
  for (const line of text.split("\n")) {
    lines.push({ start, end: start + line.length, text: line });
    start += line.length + 1;
  }
  return lines;
}

/** Returns how to make the block at a line, and the index of the line after it. */
function readBlock(text, lines, index, leaf) {
  const line = lines[index].text;
  if (!line.trim()) return [null, index + 1];
  const fence = line.match(FENCE);
  if (fence) return readFence(lines, index, fence, leaf);
  const heading = line.match(/^(#{1,6})\s+/);
  if (heading) {
    const { start, end } = lines[index];
    const tag = `h${Math.min(heading[1].length + 2, 6)}`;
    return [() => h(tag, {}, inline(text, start + heading[0].length, end, leaf)), index + 1];
  }
  if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) return [() => h("hr"), index + 1];
  if (ITEM.test(line)) return readList(text, lines, index, leaf);
  if (/^\s*\|.*\|\s*$/.test(line) && /^[\s|:-]+$/.test(lines[index + 1]?.text ?? "")) {
    return readTable(text, lines, index, leaf);
  }
  if (/^>/.test(line)) return readWhile(text, lines, index, /^>\s?/, "blockquote", leaf);
  let next = index + 1;
  while (next < lines.length && isContinued(lines[next].text)) next += 1;
  return [() => h("p", {}, inline(text, lines[index].start, lines[next - 1].end, leaf)), next];
}

function isContinued(line) {
  return line.trim() && !FENCE.test(line) && !ITEM.test(line) && !/^(#{1,6}\s|>)/.test(line);
}

function readFence(lines, index, [, mark, language], leaf) {
  let end = index + 1;
  while (end < lines.length && !lines[end].text.trim().startsWith(mark)) end += 1;
  const make = () => {
    const code = h("code");
    if (end > index + 1) code.append(...leaf(lines[index + 1].start, lines[end - 1].end));
    return h("pre", { "data-language": language || null, tabindex: 0 }, code);
  };
  return [make, Math.min(end + 1, lines.length)];
}

function readWhile(text, lines, index, prefix, tag, leaf) {
  let next = index;
  while (next < lines.length && prefix.test(lines[next].text)) next += 1;
  const parts = lines.slice(index, next);
  const make = () =>
    h(
      tag,
      {},
      parts.flatMap((line, i) => [
        ...(i ? ["\n"] : []),
        ...inline(text, line.start + line.text.match(prefix)[0].length, line.end, leaf),
      ]),
    );
  return [make, next];
}

/** A list within a list is made of the items that are indented further. */
function readList(text, lines, index, leaf) {
  const items = [];
  let next = index;
  while (next < lines.length) {
    const line = lines[next];
    const match = line.text.match(ITEM);
    if (match) {
      items.push({ depth: match[1].length, mark: match[2], ranges: [[line.start + match[0].length, line.end]] });
    } else if (/^\s+\S/.test(line.text) && !FENCE.test(line.text.trim())) {
      items.at(-1).ranges.push([line.start + line.text.match(/^\s+/)[0].length, line.end]);
    } else break;
    next += 1;
  }
  return [() => makeList(text, items, leaf), next];
}

function makeList(text, items, leaf) {
  const depth = items[0].depth;
  const isOrdered = /\d/.test(items[0].mark);
  const list = isOrdered ? h("ol", { start: parseInt(items[0].mark, 10) }) : h("ul");
  for (let i = 0; i < items.length;) {
    let next = i + 1;
    while (next < items.length && items[next].depth > depth) next += 1;
    const content = items[i].ranges.flatMap(([start, end], n) => [
      ...(n ? ["\n"] : []),
      ...inline(text, start, end, leaf),
    ]);
    const below = items.slice(i + 1, next);
    list.append(h("li", {}, content, below.length ? makeList(text, below, leaf) : null));
    i = next;
  }
  return list;
}

function readTable(text, lines, index, leaf) {
  let next = index + 2;
  while (next < lines.length && /^\s*\|/.test(lines[next].text)) next += 1;
  const row = (line, tag) => {
    const cells = [];
    let start = line.start + line.text.indexOf("|") + 1;
    for (const cell of line.text
      .trim()
      .replace(/^\||\|$/g, "")
      .split("|")) {
      const from = start + cell.length - cell.trimStart().length;
      cells.push(h(tag, {}, inline(text, from, from + cell.trim().length, leaf)));
      start += cell.length + 1;
    }
    return h("tr", {}, cells);
  };
  const make = () =>
    h(
      "div.table",
      { tabindex: 0 },
      h(
        "table",
        {},
        h("thead", {}, row(lines[index], "th")),
        h(
          "tbody",
          {},
          lines.slice(index + 2, next).map((line) => row(line, "td")),
        ),
      ),
    );
  return [make, next];
}

/** Returns the nodes of a stretch of text with emphasis, code and links. */
function inline(text, start, end, leaf) {
  const nodes = [];
  let from = start;
  for (const match of text.slice(start, end).matchAll(INLINE)) {
    const at = start + match.index;
    if (at > from) nodes.push(...leaf(from, at));
    nodes.push(emphasized(text, at, match, leaf));
    from = at + match[0].length;
  }
  if (end > from) nodes.push(...leaf(from, end));
  return nodes;
}

function emphasized(text, at, { 0: all, 2: ticks, groups }, leaf) {
  const end = at + all.length;
  if (groups.code) return h("code", {}, leaf(at + ticks.length, end - ticks.length));
  if (groups.bold) return h("strong", {}, inline(text, at + 2, end - 2, leaf));
  if (groups.gone) return h("s", {}, inline(text, at + 2, end - 2, leaf));
  if (groups.url) {
    const link = { href: groups.url, target: "_blank", rel: "noopener noreferrer" };
    return h("a", link, leaf(at + 1, at + 1 + groups.text.length));
  }
  return h("em", {}, inline(text, at + 1, end - 1, leaf));
}
