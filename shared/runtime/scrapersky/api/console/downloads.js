// Exports as files: fetched with the token, which a plain link could not carry.

import { Problem, address, send } from "./api.js";
import { h } from "./dom.js";
import { busy, button } from "./widgets.js";

/** Hand a text or blob to the browser as a file. */
export function save(content, name, type = "application/octet-stream") {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const url = URL.createObjectURL(blob);
  hand(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has begun to read by then
}

/** Follow a link that nobody sees: the address of a blob of ours, or one that the API made. */
function hand(url, name) {
  const link = document.createElement("a");
  link.href = url;
  if (name) link.download = name;
  link.rel = "noopener noreferrer";
  document.body.append(link);
  link.click();
  link.remove();
}

/**
 * Fetch an export and save it. A script may not see where a redirect leads, so it asks for none: what is too long for an
 * answer is told as `url`, of a file that is elsewhere for a few minutes. There the browser goes by itself, without the
 * token.
 */
export async function download(path, query, name) {
  const response = await send("GET", address(path, { ...query, redirect: "false" }), {});
  const isElsewhere = response.headers.get("Content-Type")?.startsWith("application/json");
  if (!isElsewhere) return save(await response.blob(), name);
  const { url } = await response.json();
  if (!/^https?:\/\//i.test(url)) throw new Problem(502, { detail: "The API named no address for the file." });
  return hand(url, name);
}

/** Buttons for the formats of an export. */
export function exportButtons(path, formats, nameOf) {
  const problems = h("div");
  const buttons = formats.map((format) => {
    const node = button(`Download ${format.toUpperCase()}`, () =>
      busy(node, () => download(path, { format }, nameOf(format)), problems),
    );
    return node;
  });
  return [buttons, problems];
}
