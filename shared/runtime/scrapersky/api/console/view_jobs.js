// The jobs of the tenant, filtered.

import { API } from "./api.js";
import { errorsLine } from "./chart.js";
import { fill, h } from "./dom.js";
import { between, label, seconds, time } from "./format.js";
import { field } from "./forms.js";
import { follow, freshnessLine } from "./live.js";
import { place, replace, to } from "./router.js";
import { pagedTable } from "./tables.js";
import {
  KINDS,
  STATUSES,
  button,
  chip,
  empty,
  heading,
  isFinal,
  notice,
  problemNotice,
  progressBar,
} from "./widgets.js";

const FILTERS = ["kind", "status", "domain", "batch_id"];
const OPEN_MS = 3000; // lists are not held by the API, so they are asked for again
const IDLE_MS = 15_000;
const TYPING_MS = 400;

/** The columns of a list of jobs. */
export const JOB_COLUMNS = [
  {
    name: "domain",
    main: true,
    value: (job) => [
      h("a", { href: to("jobs", job.job_id), class: "strong" }, job.domain),
      h("span", { class: "fine line" }, label(job.kind)),
    ],
  },
  { name: "status", value: (job) => chip(job.status) },
  {
    name: "error",
    title: "Progress or error",
    value: (job) =>
      job.error
        ? [h("code", null, job.error.code), h("span", { class: "fine line" }, job.error.message)]
        : isFinal(job.status)
          ? null
          : progressBar(job.progress, `Progress of ${job.domain}`),
  },
  { name: "attempt", numeric: true, minor: true, value: (job) => String(job.attempt) },
  { name: "created_at", title: "Created", minor: true, value: (job) => time(job.created_at) },
  { name: "time", numeric: true, value: (job) => seconds(between(job.started_at, job.finished_at)) },
];

function filtersOf(query) {
  return Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
}

export function view({ main, query, signal, title }) {
  title("Jobs");
  const freshness = freshnessLine();
  const problems = h("div");
  const errors = errorsLine();
  const list = pagedTable({
    caption: "Jobs",
    columns: JOB_COLUMNS,
    path: `${API}/jobs`,
    query: filtersOf(query),
    keyOf: (job) => job.job_id,
    nouns: ["job"],
    nothing: nothing,
    signal,
    shown: errors.show,
  });

  const fields = [
    field({
      name: "kind",
      type: "select",
      options: [["", "All kinds"], ...KINDS.map((kind) => [kind, label(kind)])],
      value: query.get("kind") ?? "",
    }),
    field({
      name: "status",
      type: "select",
      options: [["", "Every status"], ...STATUSES.map((status) => [status, status])],
      value: query.get("status") ?? "",
    }),
    field({ name: "domain", type: "search", placeholder: "shop.example", value: query.get("domain") ?? "" }),
  ];
  let timer;
  const [kind, status, domain] = fields.map((one) => one.input);
  const changed = () => {
    clearTimeout(timer);
    const given = { ...filtersOf(place().query), kind: kind.value, status: status.value, domain: domain.value.trim() };
    replace(to("jobs", given));
    apply(given);
  };
  kind.addEventListener("change", changed);
  status.addEventListener("change", changed);
  domain.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(changed, TYPING_MS);
  });
  signal.addEventListener("abort", () => clearTimeout(timer));

  async function apply(given) {
    try {
      await list.filter(given);
      fill(problems);
    } catch (error) {
      if (!signal.aborted) fill(problems, problemNotice(error));
    }
  }

  const ofBatch = query.get("batch_id");
  fill(
    main,
    heading("Jobs", {
      below: freshness.node,
      actions: h("a", { class: "button primary", href: to("start", "domain_scan") }, "Start a scan"),
    }),
    ofBatch &&
      notice(
        "info",
        h(
          "p",
          null,
          "Only of ",
          h("a", { href: to("batches", ofBatch) }, "one batch"),
          ". ",
          h("a", { href: to("jobs") }, "Show all"),
        ),
      ),
    h(
      "form",
      {
        class: "filters",
        role: "search",
        "aria-label": "Filter jobs",
        on: { submit: (event) => (event.preventDefault(), changed()) },
      },
      fields.map((one) => one.node),
      button("Clear", () => clear(), { kind: "quiet" }),
    ),
    problems,
    errors.node,
    h("section", { class: "card flush", "aria-label": "Jobs" }, list.node),
  );

  function clear() {
    [kind.value, status.value, domain.value] = ["", "", ""];
    changed();
  }

  follow(
    async () => {
      await list.refresh();
      return { pause: list.items.some((job) => !isFinal(job.status)) ? OPEN_MS : IDLE_MS };
    },
    { signal, freshness, failed: (error) => fill(problems, problemNotice(error)) },
  );

  return (given) => {
    const filters = filtersOf(given);
    [kind.value, status.value, domain.value] = [filters.kind, filters.status, filters.domain];
    apply(filters);
  };
}

function nothing(filters) {
  const isFiltered = Object.values(filters).some(Boolean);
  if (isFiltered)
    return empty(
      "No job fits the filters",
      "Choose others, or clear them. A domain is looked for as a whole, in any spelling.",
    );
  return empty(
    "No job yet",
    "A scan of one site takes seconds.",
    h("a", { class: "button primary", href: to("start", "domain_scan") }, "Start a scan"),
  );
}
