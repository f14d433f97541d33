// One job: how it stands, what it found, and what can be done with it.

import { API, get, newKey, post } from "./api.js";
import { confirmed } from "./dialogs.js";
import { save } from "./downloads.js";
import { fill, h, region } from "./dom.js";
import { between, label, number, percent, seconds, shortId, time } from "./format.js";
import { factsView } from "./job_facts.js";
import { placesView } from "./job_places.js";
import { sitemapView } from "./job_sitemap.js";
import { announce, follow, freshnessLine } from "./live.js";
import { to } from "./router.js";
import {
  back,
  button,
  card,
  chip,
  heading,
  isFinal,
  notice,
  pairs,
  pairsOf,
  problemNotice,
  progressBar,
  tag,
} from "./widgets.js";

// Where a job of a kind is held for whoever waits: these tell its own figures as well.
const STATUS_OF = {
  sitemap_scan: `${API}/sitemap/status`,
  places_search: `${API}/localminer-discoveryscan/search/status`,
};
const VIEWS = { domain_scan: factsView, sitemap_scan: sitemapView, places_search: placesView };

export function view({ main, params: [id], signal, title }) {
  title(`Job ${shortId(id)}`);
  const path = `${API}/jobs/${encodeURIComponent(id)}`;
  const freshness = freshnessLine();
  const [head, state, found, problems] = [h("div"), h("div"), h("div"), h("div")];
  const [showHead, showState] = [region(head), region(state)];
  let latest = null;
  let part = null; // the view of the job's kind

  function failed(error) {
    if (!signal.aborted) fill(problems, problemNotice(error));
  }

  fill(main, head, problems, state, found);
  showHead("loading", () => heading(`Job ${shortId(id)}`, { above: crumbs(null), below: freshness.node }));

  async function show(job) {
    if (latest && latest.status !== job.status) announce(`The job is ${job.status}.`, { urgent: true });
    else if (latest && latest.progress !== job.progress) announce(`${percent(job.progress)} done.`);
    latest = job;
    const name = nameOf(job);
    title(name);
    showHead([job.status, job.kind, name], () =>
      heading(name, {
        above: crumbs(job),
        beside: chip(job.status),
        below: [h("span", { class: "fine" }, label(job.kind), " ", h("code", null, id)), freshness.node],
        actions: actions(job),
      }),
    );
    showState(stateOf(job), () => stateCard(job));
    part ??= VIEWS[job.kind]?.({ node: found, signal, failed }) ?? null;
    await part?.(job);
  }

  async function load({ etag, wait, signal: round }) {
    if (latest === null) {
      await show((await get(path, { signal: round })).data);
      if (!STATUS_OF[latest.kind]) return { final: isFinal(latest.status), pause: 0 };
    }
    const own = STATUS_OF[latest.kind];
    const held = own ? `${own}/${encodeURIComponent(id)}` : path;
    const answer = await get(held, { query: { wait }, etag, signal: round });
    if (answer.data) await show({ ...latest, ...answer.data });
    return { etag: answer.etag, final: isFinal(latest.status) };
  }

  const start = () => follow(load, { signal, freshness, failed });
  start();

  function actions(job) {
    return [
      !isFinal(job.status) && button("Cancel job", cancel, { kind: "danger" }),
      (job.status === "failed" || job.status === "cancelled") && button("Retry job", retry),
      isFinal(job.status) &&
        button("Download JSON", () => save(JSON.stringify(latest, null, 2), `job-${id}.json`, "application/json")),
    ];
  }

  function cancel() {
    confirmed({
      title: "Cancel this job?",
      words: "It ends as cancelled at once; a worker that is at it writes nothing more. It can be retried.",
      yes: "Cancel the job",
      kind: "danger",
      action: async () => show((await post(`${path}/cancel`, undefined, { signal })).data),
    });
  }

  function retry() {
    const key = newKey();
    confirmed({
      title: "Retry this job?",
      words:
        latest.error?.retryable === false
          ? "It failed for a reason that is not likely to be another one now."
          : "It is started anew, as the same job.",
      yes: "Retry",
      action: async () => {
        await post(`${path}/retry`, {}, { key, signal });
        [latest, part] = [null, null];
        fill(found);
        start();
      },
    });
  }
}

/** What a job is called: its domain or, of a places search, what was looked for. */
export function nameOf(job) {
  const { business_type: type, location } = job.metadata ?? {};
  return job.kind === "places_search" && type ? `${type} in ${location}` : job.domain;
}

function crumbs(job) {
  const batch = job?.batch_id;
  return batch ? back(to("batches", batch), `Batch ${shortId(batch)}`) : back(to("jobs"), "Jobs");
}

function stateOf({ status, progress, error, attempt, started_at: started, finished_at: finished, metadata }) {
  return { status, progress, error, attempt, started, finished, metadata };
}

function stateCard(job) {
  return card("How it stands", [
    !isFinal(job.status) && progressBar(job.progress, "Progress"),
    job.error && errorNotice(job.error),
    pairs([
      ["created_at", time(job.created_at)],
      ["started_at", job.started_at && time(job.started_at)],
      ["finished_at", job.finished_at && time(job.finished_at)],
      ["time", job.finished_at && job.started_at && seconds(between(job.started_at, job.finished_at))],
      ["attempt", number(job.attempt)],
    ]),
    h("details", null, h("summary", null, "What was asked for, and how it went"), pairsOf(job.metadata)),
  ]);
}

function errorNotice(error) {
  return notice(
    "warning",
    h("p", { class: "strong" }, sentence(error.message)),
    h(
      "p",
      null,
      h("code", null, error.code),
      " ",
      error.retryable ? tag("retryable", "good") : tag("not retryable", "plain"),
      h(
        "span",
        { class: "fine" },
        error.retryable ? " The same job may well end otherwise later." : " The same job would end the same way.",
      ),
    ),
  );
}

function sentence(text) {
  const whole = String(text);
  return `${whole.charAt(0).toUpperCase()}${whole.slice(1)}${/[.!?]$/.test(whole) ? "" : "."}`;
}
