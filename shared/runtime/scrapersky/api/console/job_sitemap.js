// What a sitemap scan found: its files, the URLs that they name, and what changed since the scan before.

import { API } from "./api.js";
import { exportButtons } from "./downloads.js";
import { fill, h, outLink, region } from "./dom.js";
import { bytes, counted, number, plain, time } from "./format.js";
import { field } from "./forms.js";
import { pagedTable } from "./tables.js";
import { card, chip, empty, figure, figures, isFinal, notice, pairs } from "./widgets.js";

const FORMATS = ["csv", "ndjson", "txt"];
const CHANGES = ["added", "changed", "removed"];
const ALL_FILES = ""; // of the choice of a file

const FILE_COLUMNS = [
  {
    name: "url",
    title: "File",
    main: true,
    value: (file) => [
      outLink(file.url),
      file.error && h("span", { class: "fine line" }, h("code", null, file.error.code), " ", file.error.message),
    ],
  },
  { name: "status", value: (file) => chip(file.status) },
  {
    name: "sitemap_type",
    title: "Type",
    short: true,
    value: (file) => [file.sitemap_type ?? "–", file.is_gzip && " (gzip)"],
  },
  { name: "discovery_method", title: "Discovery", short: true, value: (file) => file.discovery_method },
  { name: "url_count", title: "URLs", numeric: true, value: (file) => number(file.url_count) },
  { name: "child_count", title: "Files named", numeric: true, value: (file) => number(file.child_count) },
  { name: "bytes", numeric: true, value: (file) => bytes(file.bytes) },
];
const URL_COLUMNS = [
  { name: "url", main: true, value: (one) => outLink(one.url) },
  { name: "lastmod", short: true, value: (one) => one.lastmod ?? "–" },
  { name: "changefreq", short: true, value: (one) => one.changefreq ?? "–" },
  { name: "priority", numeric: true, value: (one) => (one.priority === null ? "–" : String(one.priority)) },
  { name: "first_seen", minor: true, value: (one) => time(one.first_seen) },
];
const CHANGE_COLUMNS = [
  { name: "url", main: true, value: (one) => outLink(one.url) },
  { name: "change", short: true, value: (one) => one.change },
  { name: "lastmod", short: true, value: (one) => one.lastmod ?? "–" },
  { name: "previous_lastmod", short: true, value: (one) => one.previous_lastmod ?? "–" },
];

export function sitemapView({ node, signal, failed }) {
  let parts = null;
  return async (job) => {
    parts ??= build(node, job.job_id, signal, failed);
    await parts(job);
  };
}

function build(node, id, signal, failed) {
  const summary = h("div");
  const showSummary = region(summary);
  const scan = `${API}/sitemap/scan/${encodeURIComponent(id)}`;
  const shared = { signal, nothing: () => empty("Nothing here", "No file names one.") };
  const choice = field({
    name: "sitemap_id",
    title: "Of which file",
    type: "select",
    options: [[ALL_FILES, "All files"]],
  });
  const files = pagedTable({
    ...shared,
    caption: "Sitemap files",
    columns: FILE_COLUMNS,
    path: `${API}/sitemap-files`,
    query: { job_id: id },
    keyOf: (file) => file.id,
    nouns: ["file"],
    nothing: () => empty("No sitemap", "Neither robots.txt nor the home page nor a common path leads to one, so far."),
    shown: offer,
  });
  const [urlsPart, downloads] = [h("div"), h("div", { class: "actions" })];
  let urls = null;

  const changed = pagedTable({
    ...shared,
    caption: "Changed URLs",
    columns: CHANGE_COLUMNS,
    path: `${scan}/changes`,
    query: { kind: "added" },
    keyOf: (one) => one.sitemap_id + one.url,
    nouns: ["URL"],
  });
  const kind = field({ name: "kind", title: "Change", type: "select", options: CHANGES.map((one) => [one, one]) });
  kind.input.addEventListener("change", () => changed.filter({ kind: kind.input.value }).catch(failed));

  function offer(items) {
    const known = choice.input.options.length;
    for (const file of items.slice(known - 1)) choice.input.append(h("option", { value: file.id }, file.url));
  }

  /** The URLs of the whole scan, or of one file of it: two routes of the API. */
  async function showUrls() {
    const file = choice.input.value;
    const base = file === ALL_FILES ? `${scan}/urls` : `${API}/sitemap-files/${encodeURIComponent(file)}/urls`;
    const name = (format) => (file === ALL_FILES ? `sitemap-scan-${id}.${format}` : `sitemap-${file}.${format}`);
    urls = pagedTable({
      ...shared,
      caption: "URLs",
      columns: URL_COLUMNS,
      path: base,
      query: {},
      keyOf: (one) => one.sitemap_id + one.url,
      nouns: ["URL"],
    });
    fill(downloads, exportButtons(`${base}/export`, FORMATS, name));
    fill(urlsPart, urls.node);
    await urls.refresh();
  }

  choice.input.addEventListener("change", () => showUrls().catch(failed));
  const urlsCard = card("URLs", [h("div", { class: "filters" }, choice.node), urlsPart], { beside: downloads });
  const changesCard = card("Changes since the scan before", [h("div", { class: "filters" }, kind.node), changed.node]);
  fill(node, summary, card("Sitemap files", files.node), urlsCard, changesCard);
  for (const one of [urlsCard, changesCard]) one.hidden = true;

  return async (job) => {
    showSummary([job.result, job.metadata], () => summaryCard(job));
    await files.refresh();
    const isThere = job.status === "complete";
    for (const one of [urlsCard, changesCard]) one.hidden = !isThere;
    if (isThere && urls === null) await Promise.all([showUrls(), changed.refresh()]);
  };
}

function summaryCard({ result, metadata, status }) {
  if (!result) {
    const far = ["sitemaps_found", "sitemaps_done", "sitemaps_failed", "urls_stored"];
    return isFinal(status) ? [] : card("So far", pairs(far.map((name) => [name, metadata[name]])));
  }
  return card("Found", [
    figures(
      figure("Sitemaps", number(result.total_sitemaps)),
      figure("URLs", number(result.total_urls)),
      figure("Added", number(result.added_count), "complete"),
      figure("Changed", number(result.changed_count), "running"),
      figure("Removed", number(result.removed_count), "failed"),
    ),
    result.truncated &&
      notice(
        "warning",
        h(
          "p",
          null,
          `Something was left out: ${counted(result.truncations.length, "cut")}${result.truncations.length === 100 ? " and maybe more" : ""}.`,
        ),
        h(
          "ul",
          null,
          result.truncations.map((cut) =>
            h(
              "li",
              null,
              cut.url ? outLink(cut.url) : "The scan as a whole",
              ` by ${cut.by}`,
              cut.detail && `: ${plain(cut.detail)}`,
            ),
          ),
        ),
      ),
  ]);
}
