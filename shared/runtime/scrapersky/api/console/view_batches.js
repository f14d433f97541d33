// All batches, newest first.

import { API } from "./api.js";
import { fill, h } from "./dom.js";
import { label, number, seconds, shortId, time } from "./format.js";
import { follow, freshnessLine } from "./live.js";
import { to } from "./router.js";
import { pagedTable } from "./tables.js";
import { chip, empty, heading, isFinal, problemNotice, stackedBar } from "./widgets.js";

export const BATCHES = `${API}/batch_page_scraper/batch`;
const OPEN_MS = 3000; // lists are not held by the API, so they are asked for again
const IDLE_MS = 15_000; // where all is final only a new batch changes something

const COLUMNS = [
  {
    name: "batch_id",
    title: "Batch",
    main: true,
    value: (one) => [
      h(
        "a",
        { href: to("batches", one.batch_id), class: "strong" },
        `${label(one.kind)}s `,
        h("code", null, shortId(one.batch_id)),
      ),
      h("span", { class: "fine line" }, time(one.created_at)),
    ],
  },
  { name: "status", value: (one) => chip(one.status) },
  { name: "progress", value: (one) => stackedBar(one) },
  { name: "completed_domains", title: "Complete", numeric: true, value: (one) => number(one.completed_domains) },
  { name: "failed_domains", title: "Failed", numeric: true, value: (one) => number(one.failed_domains) },
  { name: "cancelled_domains", title: "Cancelled", numeric: true, value: (one) => number(one.cancelled_domains) },
  { name: "total_domains", title: "Total", numeric: true, value: (one) => number(one.total_domains) },
  { name: "processing_time", title: "Time", numeric: true, value: (one) => seconds(one.processing_time) },
];

export function view({ main, signal, title }) {
  title("Batches");
  const freshness = freshnessLine();
  const problems = h("div");
  const list = pagedTable({
    caption: "Batches",
    columns: COLUMNS,
    path: BATCHES,
    query: {},
    keyOf: (one) => one.batch_id,
    nouns: ["batch", "batches"],
    nothing: () =>
      empty(
        "No batch yet",
        "A batch scans many sites at once. Paste a list, or drop a file.",
        h("a", { class: "button primary", href: to("start", "batch") }, "Start a batch"),
      ),
    signal,
  });
  fill(
    main,
    heading("Batches", {
      below: freshness.node,
      actions: h("a", { class: "button primary", href: to("start", "batch") }, "Start a batch"),
    }),
    problems,
    h("section", { class: "card flush", "aria-label": "Batches" }, list.node),
  );
  follow(
    async () => {
      await list.refresh();
      return { pause: list.items.some((one) => !isFinal(one.status)) ? OPEN_MS : IDLE_MS };
    },
    { signal, freshness, failed: (error) => fill(problems, problemNotice(error)) },
  );
}
