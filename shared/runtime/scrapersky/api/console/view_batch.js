// One batch: how it stands, why jobs failed, its jobs, and what can be done with it.

import { get, newKey, post } from "./api.js";
import { batchErrors } from "./chart.js";
import { exportButtons } from "./downloads.js";
import { fill, h, region } from "./dom.js";
import { counted, label, number, percent, seconds, shortId, time } from "./format.js";
import { field } from "./forms.js";
import { announce, follow, freshnessLine } from "./live.js";
import { to } from "./router.js";
import { rejectedOf } from "./start_batch.js";
import { pagedTable, tableOf } from "./tables.js";
import { BATCHES } from "./view_batches.js";
import { JOB_COLUMNS } from "./view_jobs.js";
import { confirmed } from "./dialogs.js";
import {
  STATUSES,
  back,
  button,
  card,
  chip,
  empty,
  figure,
  figures,
  heading,
  isFinal,
  notice,
  pairs,
  problemNotice,
  stackedBar,
} from "./widgets.js";

const JOBS_MS = 3000; // between two looks at the rows while the figures change

export function view({ main, params: [id], signal, title }) {
  title(`Batch ${shortId(id)}`);
  const path = `${BATCHES}/${encodeURIComponent(id)}`;
  const freshness = freshnessLine();
  const [head, top, problems] = [h("div"), h("div"), h("div")];
  const [showHead, showTop] = [region(head), region(top)];
  const errors = batchErrors(`${path}/jobs`, signal);
  const status = field({
    name: "status",
    title: "Status",
    type: "select",
    options: [["", "Every status"], ...STATUSES.map((one) => [one, one])],
  });
  const list = pagedTable({
    caption: "Jobs of the batch",
    columns: JOB_COLUMNS,
    path: `${path}/jobs`,
    query: {},
    keyOf: (job) => job.job_id,
    nouns: ["job"],
    nothing: ({ status: asked }) =>
      empty(asked ? `No job is ${asked}` : "No job yet", "Choose another status to see the others."),
    signal,
  });
  status.input.addEventListener("change", () => list.filter({ status: status.input.value }).catch(failed));
  let latest = null;
  let looked = 0;
  let wake = null;

  function failed(error) {
    if (!signal.aborted) fill(problems, problemNotice(error));
  }

  fill(
    main,
    head,
    problems,
    rejectedOf(id) && rejected(rejectedOf(id)),
    top,
    h("div", { class: "columns" }, card("Errors by code", errors.node)),
    card("Jobs", [h("div", { class: "filters" }, status.node), list.node]),
  );
  showHead("loading", () => heading(`Batch ${shortId(id)}`, { above: crumbs(), below: freshness.node }));

  function show(batch) {
    if (latest && latest.status !== batch.status) announce(`The batch is ${batch.status}.`, { urgent: true });
    else if (latest && latest.progress !== batch.progress)
      announce(`${percent(batch.progress)} of the jobs are final.`);
    latest = batch;
    showHead([batch.status, batch.kind, batch.total_domains], () =>
      heading(`Batch of ${counted(batch.total_domains, label(batch.kind).toLowerCase())}`, {
        above: crumbs(),
        beside: chip(batch.status),
        below: [h("span", { class: "fine" }, "Batch ", h("code", null, id)), freshness.node],
        actions: actions(batch),
      }),
    );
    showTop(batch, () => card("Progress", progress(batch)));
  }

  async function rows(batch) {
    looked = Date.now();
    await Promise.all([list.refresh(), errors.update(batch.failed_domains)]);
  }

  async function load({ etag, wait, signal: round }) {
    const query = { domain_statuses: "false", wait };
    const answer = await get(`${path}/status`, { query, etag, signal: round });
    if (answer.data) {
      show(answer.data);
      const isLast = isFinal(answer.data.status);
      if (isLast || Date.now() - looked > JOBS_MS) await rows(answer.data);
    } else if (latest && Date.now() - looked > JOBS_MS) await rows(latest);
    return { etag: answer.etag, final: isFinal(latest.status) };
  }

  const start = () => follow(load, { signal, freshness, failed });
  wake = () => isFinal(latest?.status) && start(); // a retry opens what was final
  start();

  function actions(batch) {
    const open = batch.total_domains - batch.completed_domains - batch.failed_domains - batch.cancelled_domains;
    const isRetryable = isFinal(batch.status) && batch.failed_domains + batch.cancelled_domains > 0;
    const [downloads, trouble] = exportButtons(
      `${path}/results`,
      ["csv", "ndjson"],
      (format) => `batch-${id}.${format}`,
    );
    return [
      open > 0 && button("Cancel batch", cancel, { kind: "danger" }),
      isRetryable && button("Retry failed", retry),
      downloads,
      trouble,
    ];
  }

  function cancel() {
    confirmed({
      title: "Cancel this batch?",
      words: "Every job that is not final ends as cancelled. What was found stays, and cancelled jobs can be retried.",
      yes: "Cancel the batch",
      kind: "danger",
      action: async () => show((await post(`${path}/cancel`, undefined, { signal })).data),
    });
  }

  function retry() {
    const counts = [...errors.counts];
    if (latest.cancelled_domains) counts.push({ code: "cancelled", retryable: true, count: latest.cancelled_domains });
    const boxes = counts.map(({ code, retryable, count }) => {
      const words = `${code}: ${counted(count, "job")}${retryable ? "" : ", not likely to end otherwise"}`;
      return { code, box: field({ name: `retry-${code}`, title: words, type: "checkbox", checked: retryable }) };
    });
    const key = newKey();
    confirmed({
      title: "Retry failed jobs?",
      words: boxes.length
        ? "Jobs that ended for these reasons are started anew, as the same jobs."
        : "All failed and cancelled jobs are started anew, but those that name no domain.",
      content: h(
        "fieldset",
        { class: "plain-set" },
        h("legend", { class: "visually-hidden" }, "Reasons"),
        boxes.map(({ box }) => box.node),
      ),
      yes: "Retry",
      action: async () => {
        const codes = boxes.filter(({ box }) => box.input.checked).map(({ code }) => code);
        await post(`${path}/retry`, boxes.length ? { error_codes: codes } : {}, { key, signal });
        wake();
      },
    });
  }
}

function crumbs() {
  return back(to("batches"), "Batches");
}

function progress(batch) {
  const open = batch.total_domains - batch.completed_domains - batch.failed_domains - batch.cancelled_domains;
  return [
    h("div", { class: "big-progress" }, stackedBar(batch), h("span", { class: "big-figure" }, percent(batch.progress))),
    figures(
      figure("Total", number(batch.total_domains)),
      figure("Complete", number(batch.completed_domains), "complete"),
      figure("Failed", number(batch.failed_domains), "failed"),
      figure("Cancelled", number(batch.cancelled_domains), "cancelled"),
      figure("Open", number(open), "running"),
    ),
    batch.error && notice("warning", h("p", null, batch.error.message, ". ", h("code", null, batch.error.code))),
    pairs([
      ["created_at", time(batch.created_at)],
      ["start_time", batch.start_time && time(batch.start_time)],
      ["end_time", batch.end_time && time(batch.end_time)],
      ["processing_time", batch.processing_time !== null && seconds(batch.processing_time)],
      ["max_pages", number(batch.metadata.max_pages)],
      ["max_concurrent", number(batch.metadata.max_concurrent)],
    ]),
  ];
}

/** The entries that the API refused when this tab started the batch. */
function rejected({ items, truncated }) {
  const columns = [
    { name: "input", main: true, value: (one) => h("code", null, one.input) },
    { name: "reason", value: (one) => one.reason },
  ];
  return card("Rejected entries", [
    h(
      "p",
      null,
      `${counted(items.length, "entry", "entries")} named no domain. Each is a job of the batch, failed with `,
      h("code", null, "invalid_domain"),
      truncated && "; more of them stand in the results",
      ".",
    ),
    tableOf("Rejected entries", columns, items),
  ]);
}
