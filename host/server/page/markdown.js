// The Markdown that models write, as elements: paragraphs, headings, lists, quotes, code, tables, emphasis.
// Pictures are left as text, so that no answer makes the browser ask another machine for anything.

import { button, element } from "./element.js";

const FENCE = /^\s{0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const HEADING = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const RULE = /^\s{0,3}([-*_])(?:\s*\1){2,}\s*$/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const INLINE = new RegExp([
  /(`+)(.+?)\1/, /\*\*(?=\S)(.+?)\*\*/, /\*(?=\S)([^*]+?)\*/, /(?<!\w)_(?=\S)([^_]+?)_(?!\w)/,
  /\[([^\]]+)\]\((https?:[^\s)]+)\)/,
].map(({ source }) => source).join("|"), "gs");

/** Elements for a text. */
export function markdown(text) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const made = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    if (!line.trim()) {
      at += 1;
    } else if (fence) {
      let end = at + 1;
      while (end < lines.length && !closes(lines[end], fence[1])) end += 1;
      made.push(code(lines.slice(at + 1, end).join("\n"), fence[2]));
      at = end + 1;
    } else if (heading) {
      // Below the page's own headings; the outline of an answer is not the page's.
      made.push(element(`h${Math.min(6, heading[1].length + 3)}`, {}, inline(heading[2])));
      at += 1;
    } else if (RULE.test(line)) {
      made.push(element("hr"));
      at += 1;
    } else if (line.startsWith(">")) {
      const end = ending(lines, at, (next) => next.startsWith(">"));
      const inside = lines.slice(at, end).map((next) => next.replace(/^> ?/, "")).join("\n");
      made.push(element("blockquote", {}, markdown(inside)));
      at = end;
    } else if (ITEM.test(line)) {
      // An empty line ends a list unless an item or an indented line follows.
      const end = ending(lines, at, (next, before) => ITEM.test(next) || before.trim() || /^\s{2,}\S/.test(next));
      made.push(list(lines.slice(at, end)));
      at = end;
    } else if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "") && lines[at + 1].includes("-")) {
      const end = ending(lines, at, (next) => next.includes("|"));
      made.push(table(lines.slice(at, end)));
      at = end;
    } else {
      const end = ending(lines, at, (next) => next.trim()
        && ![FENCE, HEADING, ITEM].some((other) => other.test(next)));
      made.push(element("p", {}, lines.slice(at, end).flatMap((next, index) => [
        index ? element("br") : null, ...inline(next)])));
      at = end;
    }
  }
  return made;
}

function ending(lines, start, goesOn) {
  let end = start + 1;
  while (end < lines.length && goesOn(lines[end], lines[end - 1])) end += 1;
  return end;
}

function closes(line, fence) {
  const bare = line.trim();
  return bare.length >= fence.length && [...bare].every((letter) => letter === fence[0]);
}

function code(text, language) {
  const body = element("code", {}, text);
  const copy = button("Copy", async () => {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  }, { "aria-label": "Copy code" });
  return element("div", { className: "code" },
    element("div", { className: "code-head" }, element("span", {}, language), navigator.clipboard ? copy : null),
    element("pre", { tabIndex: 0, role: "group", "aria-label": language ? `Code, ${language}` : "Code" }, body));
}

function list(lines) {
  const [, indent, mark] = ITEM.exec(lines[0]);
  const ordered = /\d/.test(mark);
  const items = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && item[1].length <= indent.length + 1) items.push([item[3]]);
    else items.at(-1).push(line.replace(/^ {1,4}/, ""));
  }
  const made = items.map((item) => {
    const first = element("li", {}, inline(item[0]));
    first.append(...markdown(item.slice(1).join("\n")));
    return first;
  });
  return ordered ? element("ol", { start: parseInt(mark, 10) }, made) : element("ul", {}, made);
}

function table(lines) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const row = (line, tag) => element("tr", {}, cells(line).map((cell) => element(tag, {}, inline(cell))));
  return element("div", { className: "table", tabIndex: 0, role: "group", "aria-label": "Table" },
    element("table", {}, element("thead", {}, row(lines[0], "th")),
      element("tbody", {}, lines.slice(2).map((line) => row(line, "td")))));
}

function inline(text) {
  const made = [];
  let end = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, , literal, strong, starred, underlined, label, address] = found;
    made.push(text.slice(end, found.index));
    if (literal !== undefined) made.push(element("code", {}, literal.trim() || literal));
    else if (strong !== undefined) made.push(element("strong", {}, inline(strong)));
    else if (address !== undefined) made.push(link(label, address));
    else made.push(element("em", {}, inline(starred ?? underlined)));
    end = found.index + whole.length;
  }
  made.push(text.slice(end));
  return made;
}

function link(label, address) {
  return element("a", { href: address, title: address, target: "_blank", rel: "noopener noreferrer" }, inline(label));
}
