// The pieces that views are made of.

import { fill, h, icon } from "./dom.js";
import { label, number, percent, plain, time } from "./format.js";

export const STATUSES = ["pending", "running", "complete", "failed", "cancelled"];
export const KINDS = ["domain_scan", "sitemap_scan", "places_search"];
const FINAL = new Set(["complete", "failed", "cancelled"]);

export function isFinal(status) {
  return FINAL.has(status);
}

/** A status as a word with a sign and a colour. */
export function chip(status) {
  return h("span", { class: "chip", "data-status": status }, icon(status), status);
}

/** A word that is no status. */
export function tag(text, kind) {
  return h("span", { class: "tag", "data-kind": kind }, text);
}

/** The head of a view: its heading, what is beside it, and what can be done. */
export function heading(text, { above, beside, below, actions } = {}) {
  return h(
    "div",
    { class: "head" },
    h(
      "div",
      { class: "head-text" },
      above && h("p", { class: "crumbs" }, above),
      h("h1", { tabindex: "-1" }, text, beside && h("span", { class: "beside" }, beside)),
      below && h("div", { class: "below" }, below),
    ),
    actions && h("div", { class: "actions" }, actions),
  );
}

/** The way back to what this is a part of. */
export function back(href, words) {
  return h("a", { href }, h("span", { "aria-hidden": "true" }, "← "), words);
}

/** A part of a view with a heading of its own. */
export function card(title, content, { beside, id } = {}) {
  const name = id ?? `part-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  return h(
    "section",
    { class: "card", "aria-labelledby": name },
    h("div", { class: "card-head" }, h("h2", { id: name }, title), beside),
    content,
  );
}

/** What is shown where there is nothing: why, and what to do about it. */
export function empty(title, words, action) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", null, words), action);
}

/** Something to be read now; `kind` is `error`, `warning` or `info`. */
export function notice(kind, ...content) {
  return h("div", { class: "notice", "data-kind": kind, role: kind === "error" ? "alert" : null }, content);
}

/** A problem of the API in its own words, with what leads to its log line. */
export function problemNotice(error) {
  const details = [error.code, error.requestId && `request ${error.requestId}`].filter(Boolean).join(" · ");
  return notice(
    "error",
    h("p", null, error.message),
    error.errors?.length > 0 &&
      h(
        "ul",
        null,
        error.errors.map(({ loc, msg }) => h("li", null, h("code", null, loc.join(".")), ` ${msg}`)),
      ),
    details && h("p", { class: "fine" }, details),
  );
}

export function button(text, listener, { kind = "plain", type = "button", describes } = {}) {
  return h("button", { type, class: `button ${kind}`, on: { click: listener }, "aria-describedby": describes }, text);
}

/** Run an action with its button held, and show where it failed what the API says. */
export async function busy(node, action, problems) {
  if (node.getAttribute("aria-disabled") === "true") return;
  node.setAttribute("aria-disabled", "true");
  fill(problems);
  try {
    await action();
  } catch (error) {
    if (error.name !== "AbortError") fill(problems, problemNotice(error));
  } finally {
    node.removeAttribute("aria-disabled");
  }
}

/** Names and values. Rows without a value are left out, unless `all`. */
export function pairs(rows, { all = false } = {}) {
  const shown = rows.filter(([, value]) => all || (value !== null && value !== undefined && value !== ""));
  return h(
    "dl",
    { class: "pairs" },
    shown.map(([name, value]) =>
      h("div", null, h("dt", null, label(name)), h("dd", null, value instanceof Node ? value : plain(value))),
    ),
  );
}

const TIME_NAMES = /(_at|_time|^expires|_seen)$/;

/** An object of the API as names and values, whatever is in it. */
export function pairsOf(object, { without = [] } = {}) {
  const rows = Object.entries(object ?? {}).filter(([name]) => !without.includes(name));
  const isTime = (name, value) => TIME_NAMES.test(name) && typeof value === "string";
  return pairs(rows.map(([name, value]) => [name, isTime(name, value) ? time(value) : value]));
}

/** How far a job is. */
export function progressBar(value, name) {
  return h(
    "div",
    { class: "progress" },
    h("progress", { max: 100, value, "aria-label": name }, percent(value)),
    h("span", { class: "progress-text" }, percent(value)),
  );
}

/** A figure with its name; what there is none of has no colour. */
export function figure(name, value, status) {
  return h(
    "div",
    { class: "figure", "data-status": value === "0" ? null : status },
    h("dt", null, name),
    h("dd", null, value),
  );
}

export function figures(...all) {
  return h("dl", { class: "figures" }, all);
}

const OF_BATCH = ["complete", "failed", "cancelled"];

/** The jobs of a batch by how they ended, as one bar. The figures beside it say the same in numbers. */
export function stackedBar(batch) {
  const total = batch.total_domains;
  const counts = [batch.completed_domains, batch.failed_domains, batch.cancelled_domains];
  const words = OF_BATCH.map((status, index) => `${number(counts[index])} ${status}`).join(", ");
  const bar = h("div", {
    class: "stack",
    role: "img",
    "aria-label": `${percent(batch.progress)} of ${number(total)} jobs are final: ${words}`,
  });
  OF_BATCH.forEach((status, index) => {
    if (!counts[index]) return;
    const part = h("span", { class: "stack-part", "data-status": status });
    part.style.setProperty("flex-grow", String(counts[index]));
    bar.append(part);
  });
  const open = total - counts[0] - counts[1] - counts[2];
  const rest = h("span", { class: "stack-part" });
  rest.style.setProperty("flex-grow", String(open));
  if (open) bar.append(rest);
  return bar;
}
