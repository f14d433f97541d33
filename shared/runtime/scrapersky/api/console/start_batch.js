// A batch out of a pasted list or a file: what will be sent is shown before it is.

import { API } from "./api.js";
import { fill, h } from "./dom.js";
import { counted, label, number } from "./format.js";
import { field, numberField, startForm } from "./forms.js";
import { MAX_BYTES, MAX_DOMAINS, Unreadable, entriesOf } from "./entries.js";
import { go, to } from "./router.js";
import { notice } from "./widgets.js";

const SHOWN = 200; // entries of the preview: more are not read by anybody
const PARSE_MS = 150; // after the last letter
const PATHS = { domain_scan: `${API}/batch_page_scraper/batch`, sitemap_scan: `${API}/sitemap/batch/create` };
const LIMITS = { domain_scan: { max: 100, value: "10" }, sitemap_scan: { max: 1_000_000, value: "10000" } };

const answers = new Map(); // rejected entries of the batches that this page has started: only that answer tells them

/** Remember what the API refused of a batch that was started. */
export function keepRejected({ batch_id: id, rejected = [], rejected_truncated: truncated }) {
  if (rejected.length) answers.set(id, { items: rejected, truncated });
}

export function rejectedOf(id) {
  return answers.get(id) ?? null;
}

export function batchForm({ signal }) {
  const kind = field({ name: "kind", type: "select", options: Object.keys(PATHS).map((one) => [one, label(one)]) });
  const domains = field({
    name: "domains",
    type: "textarea",
    rows: 9,
    help: "One host or URL a line, or CSV with a column domain, domains, url or website.",
    placeholder: "shop.example\nhttps://www.bakery.example/contact",
    spellcheck: "false",
    autocapitalize: "off",
  });
  const file = h("input", {
    type: "file",
    id: "field-file",
    accept: ".txt,.csv,.tsv,text/plain,text/csv",
    class: "visually-hidden-input",
  });
  const drop = h(
    "div",
    { class: "drop" },
    file,
    h(
      "label",
      { for: "field-file" },
      h("span", { class: "strong" }, "Choose a file"),
      " or drop one here: .txt or .csv, up to ",
      number(MAX_DOMAINS),
      " domains",
    ),
  );
  const preview = h("div", { class: "preview", role: "status" });
  const pages = numberField({ name: "max_pages", min: 1, ...LIMITS.domain_scan, help: "Pages to read of each site." });
  const concurrent = numberField({
    name: "max_concurrent",
    min: 1,
    max: 1000,
    value: "5",
    help: "Sites to scan at the same time, at most.",
  });
  let fileName = "";
  let found = { entries: [], duplicates: [] };
  let timer;

  function look() {
    clearTimeout(timer);
    found = { entries: [], duplicates: [] };
    domains.fail(null);
    try {
      found = entriesOf(domains.input.value, fileName);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      domains.fail(error.message);
    }
    if (found.entries.length > MAX_DOMAINS) {
      domains.fail(
        `${number(found.entries.length)} are more than the ${number(MAX_DOMAINS)} that a batch takes: split the list.`,
      );
    }
    fill(preview, previewOf(found));
  }

  async function take(chosen) {
    if (!chosen) return;
    if (chosen.size > MAX_BYTES)
      return domains.fail(
        `${chosen.name} is larger than ${MAX_BYTES / 1024 ** 2} MiB: no list of ${number(MAX_DOMAINS)} domains is.`,
      );
    const raw = new Uint8Array(await chosen.arrayBuffer());
    const isUtf16 = raw.length > 1 && ((raw[0] === 0xff && raw[1] === 0xfe) || (raw[0] === 0xfe && raw[1] === 0xff));
    const encoding = !isUtf16 ? "utf-8" : raw[0] === 0xff ? "utf-16le" : "utf-16be";
    try {
      domains.input.value = new TextDecoder(encoding, { fatal: true }).decode(raw);
    } catch {
      return domains.fail(`${chosen.name} is no ${encoding.toUpperCase()} text: save it as UTF-8.`);
    }
    fileName = chosen.name;
    look();
    return domains.input.focus();
  }

  domains.input.addEventListener("input", () => {
    fileName = "";
    clearTimeout(timer);
    timer = setTimeout(look, PARSE_MS);
  });
  file.addEventListener("change", () => {
    take(file.files[0]);
    file.value = ""; // the same file once more is a choice as well
  });
  dropping(drop, take);
  kind.input.addEventListener("change", () => {
    const { max, value } = LIMITS[kind.input.value];
    Object.assign(pages.input, { max, value });
    pages.node.querySelector(".field-help").textContent =
      kind.input.value === "domain_scan" ? "Pages to read of each site." : "URLs to store of each site.";
  });
  signal.addEventListener("abort", () => clearTimeout(timer));

  const form = startForm({
    name: "Start a batch",
    path: () => PATHS[kind.input.value],
    signal,
    fields: [kind, { ...domains, node: h("div", null, domains.node, drop, preview) }, pages, concurrent],
    yes: "Start the batch",
    body() {
      look();
      if (found.entries.length === 0 && !domains.input.hasAttribute("aria-invalid"))
        domains.fail("Paste a list, or choose a file.");
      if (domains.input.hasAttribute("aria-invalid")) {
        domains.input.focus();
        return null;
      }
      return {
        domains: found.entries,
        max_pages: Number(pages.input.value || LIMITS[kind.input.value].value),
        max_concurrent: Number(concurrent.input.value || 5),
      };
    },
    started(answer) {
      keepRejected(answer);
      go(to("batches", answer.batch_id));
    },
  });
  return form;
}

/** What will be sent: how many, which are left out, and the entries themselves. */
function previewOf({ entries, duplicates }) {
  if (entries.length === 0) return [];
  const more = entries.length - SHOWN;
  const left = duplicates.length ? `, ${counted(duplicates.length, "duplicate")} left out` : "";
  return [
    notice(
      "info",
      h(
        "p",
        null,
        h("strong", null, `${counted(entries.length, "entry", "entries")} will be sent`),
        `${left}; a batch takes ${number(MAX_DOMAINS)}. What names no domain is told in the answer.`,
      ),
    ),
    h(
      "details",
      null,
      h("summary", null, "Entries"),
      h(
        "ol",
        { class: "entries" },
        entries.slice(0, SHOWN).map((entry) => h("li", null, entry)),
      ),
      more > 0 && h("p", { class: "fine" }, `and ${number(more)} more`),
    ),
    duplicates.length > 0 &&
      h(
        "details",
        null,
        h("summary", null, "Duplicates"),
        h(
          "ul",
          { class: "entries" },
          duplicates.slice(0, SHOWN).map(([entry, first]) => h("li", null, entry, " is ", first)),
        ),
      ),
  ];
}

function dropping(node, take) {
  const over = (isOver) => (event) => {
    event.preventDefault();
    node.classList.toggle("over", isOver);
  };
  node.addEventListener("dragenter", over(true));
  node.addEventListener("dragover", over(true));
  node.addEventListener("dragleave", over(false));
  node.addEventListener("drop", (event) => {
    over(false)(event);
    take(event.dataTransfer.files[0]);
  });
}
