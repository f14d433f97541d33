// Why jobs failed, by code: bars, which are a table for who does not see them, out of counts of the API's own rows.

import { get } from "./api.js";
import { h, region, s } from "./dom.js";
import { counted, label, number } from "./format.js";
import { busy, button, empty, tag } from "./widgets.js";

const PAGE = 500; // the largest that the API has
const UNASKED = 2000; // failed jobs that are counted without being asked to: four requests

/** Counts by error code of the jobs that have failed, the most frequent first. */
export function byCode(jobs) {
  const counts = new Map();
  for (const { error, status } of jobs) {
    if (status !== "failed" || !error) continue;
    const known = counts.get(error.code) ?? { code: error.code, retryable: error.retryable, count: 0 };
    known.count += 1;
    counts.set(error.code, known);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1));
}

/** The chart of such counts. `about` says what they are counts of; without `caption`, to who does not see it alone. */
export function bars(counts, about, { caption = true } = {}) {
  const most = Math.max(...counts.map(({ count }) => count));
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  const row = ({ code, retryable, count }) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, h("code", null, code)),
      h("td", { class: "bar-cell" }, bar(count / most)),
      h("td", { class: "numeric" }, number(count)),
      h("td", { class: "numeric fine" }, `${Math.round((100 * count) / total)} %`),
      h("td", null, retryable ? tag("retryable", "good") : tag("not retryable", "plain")),
    );
  const heads = ["code", "", "jobs", "share", "retryable"].map((name, index) =>
    h(
      index === 1 ? "td" : "th",
      { scope: index === 1 ? null : "col", class: index > 1 && index < 4 ? "numeric" : null },
      label(name),
    ),
  );
  return h(
    "figure",
    { class: "chart" },
    h(
      "div",
      { class: "chart-scroll", tabindex: "0", role: "region", "aria-label": "Errors by code" },
      h(
        "table",
        null,
        h("caption", { class: "visually-hidden" }, about),
        h("thead", { class: "visually-hidden" }, h("tr", null, heads)),
        h("tbody", null, counts.map(row)),
      ),
    ),
    caption && h("figcaption", { class: "fine" }, about),
  );
}

/** A line that says how many of some jobs failed; opened, it shows their chart. It is not there while none has. */
export function errorsLine() {
  const line = h("summary");
  const chart = h("div");
  const showChart = region(chart);
  const node = h("details", { class: "card errors", hidden: true }, line, chart);
  return {
    node,
    show(jobs) {
      const counts = byCode(jobs);
      const failed = counts.reduce((sum, { count }) => sum + count, 0);
      const about = `${counted(failed, "failed job")} among the ${counted(jobs.length, "job")} listed below`;
      node.hidden = failed === 0;
      if (node.hidden) return;
      line.textContent = `${about}: errors by code`;
      showChart([counts, about], () => bars(counts, about, { caption: false }));
    },
  };
}

function bar(share) {
  const track = s("rect", { class: "bar-track", width: "100%", height: 10, rx: 5 });
  const filled = s("rect", { class: "bar-fill", width: `${Math.max(share * 100, 1.5)}%`, height: 10, rx: 5 });
  return s("svg", { class: "bar-chart", height: 10, width: "100%", "aria-hidden": "true" }, track, filled);
}

/** The errors of a whole batch, counted page by page over its failed jobs whenever their number is another. */
export function batchErrors(jobsPath, signal) {
  const node = h("div", null, h("p", { class: "fine" }, "Counting…"));
  const show = region(node);
  const problems = h("div");
  let [known, wanted, isCounting] = [-1, 0, false];

  async function count() {
    if (isCounting) return;
    isCounting = true;
    try {
      const jobs = [];
      let cursor = null;
      do {
        const { data } = await get(jobsPath, { query: { status: "failed", limit: PAGE, cursor }, signal });
        jobs.push(...data.items);
        cursor = data.next_cursor;
      } while (cursor !== null);
      known = jobs.length;
      const counts = byCode(jobs);
      node.counts = counts;
      show(counts, () => bars(counts, `${counted(jobs.length, "failed job")} of this batch, counted one by one`));
    } finally {
      isCounting = false;
    }
  }

  function ask() {
    const start = button(`Count all ${number(wanted)}`, () => busy(start, count, problems));
    return [
      empty(
        "Not counted yet",
        `${counted(wanted, "job")} failed: to count them by code takes ${counted(Math.ceil(wanted / PAGE), "request")}.`,
        start,
      ),
      problems,
    ];
  }

  return {
    node,
    /** Show the errors of a batch of which so many jobs failed. */
    async update(failed) {
      wanted = failed;
      if (failed === 0) return show("none", () => empty("No errors", "No job of this batch has failed."));
      if (failed === known) return undefined;
      if (failed > UNASKED) return show(["ask", failed], ask);
      return count();
    },
    get counts() {
      return node.counts ?? [];
    },
  };
}
