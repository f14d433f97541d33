// The console: which view stands at which place, and who may see it.

import { fill, focusHeading, h } from "./dom.js";
import { shortId, time } from "./format.js";
import { announce } from "./live.js";
import { go, place } from "./router.js";
import { claims, forget, tenant, token } from "./token.js";
import { view as batch } from "./view_batch.js";
import { view as batches } from "./view_batches.js";
import { view as job } from "./view_job.js";
import { view as jobs } from "./view_jobs.js";
import { view as start } from "./view_start.js";
import { view as askForToken } from "./view_token.js";
import { button, empty, heading } from "./widgets.js";

const HOME = "#/batches";
const VIEWS = { batches, jobs, start };
const ITEMS = { batches: batch, jobs: job };

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const session = document.getElementById("session");
let shown = { name: null, control: new AbortController(), update: null };
let refusal = null; // what the API said of the last token
let isFirst = true; // the page's own first view leaves the focus where the browser has it

function viewOf(parts) {
  const [first, second] = parts;
  if (first === "start") return start;
  if (parts.length === 2 && ITEMS[first]) return ITEMS[first];
  return parts.length === 1 && second === undefined ? VIEWS[first] : undefined;
}

function show() {
  const { parts, query } = place();
  if (parts.length === 0) return location.replace(HOME);
  const view = token() === null ? askForToken : (viewOf(parts) ?? unknown);
  const name = `${view === askForToken ? "token" : "view"}/${parts.join("/")}`;
  if (name === shown.name && shown.update) return shown.update(query);
  shown.control.abort();
  const control = new AbortController();
  shown = { name, control, update: null };
  showFrame(parts[0]);
  fill(main);
  scrollTo(0, 0);
  const context = {
    main,
    params: parts.slice(1),
    query,
    signal: control.signal,
    refusal,
    entered: show,
    title,
  };
  refusal = null;
  const update = view(context);
  if (shown.control === control) shown.update = typeof update === "function" ? update : null;
  if (!isFirst) focusHeading();
  isFirst = false;
  return undefined;
}

function title(text) {
  document.title = `${text} · ScraperSky`;
}

function unknown({ main: node }) {
  title("No such view");
  fill(
    node,
    heading("No such view"),
    empty(
      "Nothing stands at this address",
      "It may have been cut off on the way.",
      h("a", { href: HOME }, "Go to the batches"),
    ),
  );
}

/** What stands around every view: the navigation and whose token it is. */
function showFrame(first) {
  const text = token();
  nav.hidden = text === null;
  for (const link of nav.querySelectorAll("a")) {
    const isHere = place(link.getAttribute("href")).parts[0] === first;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (text === null) return fill(session);
  const { exp } = claims(text);
  const ends = typeof exp === "number" ? new Date(exp * 1000).toISOString() : null;
  return fill(
    session,
    h(
      "span",
      { class: "whose" },
      "tenant ",
      h("code", { title: tenant(text) }, shortId(tenant(text)) || "unknown"),
      ends && h("span", { class: "until" }, " until ", time(ends)),
    ),
    button("Forget token", leave, { kind: "quiet" }),
  );
}

function leave() {
  forget();
  announce("The token is forgotten.", { urgent: true });
  show();
}

addEventListener("hashchange", () => (location.hash.startsWith("#/") || location.hash === "" ? show() : undefined));
addEventListener("token-refused", ({ detail }) => {
  if (token() === null) return;
  refusal = detail;
  forget();
  show();
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash is the place of the view
  main.focus();
});

if (location.hash === "" || location.hash === "#") go(HOME);
else show();
