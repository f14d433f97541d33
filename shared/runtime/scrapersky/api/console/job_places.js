// What a places search found: its places, what it cost, and a scan of their own sites.

import { API, newKey, post, put } from "./api.js";
import { confirmed } from "./dialogs.js";
import { fill, h, outLink, region } from "./dom.js";
import { money, number } from "./format.js";
import { field, numberField } from "./forms.js";
import { announce } from "./live.js";
import { go, to } from "./router.js";
import { keepRejected } from "./start_batch.js";
import { pagedTable } from "./tables.js";
import { button, card, empty, figure, figures, notice, pairs, tag } from "./widgets.js";

const CLASSES = ["own_site", "social", "directory", "none"];
const JUDGEMENTS = ["New", "Selected", "Maybe", "Not a Fit", "Archived"];
const STOPPED = {
  all_found: "Everything that there is was found.",
  max_results: "It ended at max_results.",
  cap: "Google tells no more than 60 of one query; there may be more.",
  max_requests: "It ended at max_requests.",
  budget: "It ended before a request that would have passed its budget.",
  time: "Its worker had no more time.",
};

const COLUMNS = [
  {
    name: "name",
    main: true,
    value: (one) => [
      h("span", { class: "value" }, one.name ?? one.place_id),
      h("span", { class: "fine line" }, one.primary_type ?? one.business_type),
    ],
  },
  { name: "formatted_address", title: "Address", value: (one) => one.formatted_address ?? "–" },
  { name: "phone", short: true, value: (one) => one.phone ?? "–" },
  { name: "website", value: (one) => (one.website ? outLink(one.website, one.domain ?? one.website) : "–") },
  {
    name: "website_class",
    title: "Website class",
    short: true,
    value: (one) =>
      one.website_class ? tag(one.website_class, one.website_class === "own_site" ? "good" : "plain") : "–",
  },
  {
    name: "rating",
    numeric: true,
    value: (one) => (one.rating === null ? "–" : `${one.rating.toFixed(1)} (${number(one.user_ratings_total)})`),
  },
];

export function placesView({ node, signal, failed }) {
  const summary = h("div");
  const showSummary = region(summary);
  let list = null;
  let stored = -1;

  function build(id) {
    const path = `${API}/localminer-discoveryscan/results/${encodeURIComponent(id)}`;
    const kind = field({
      name: "website_class",
      type: "select",
      options: [["", "Every class"], ...CLASSES.map((one) => [one, one])],
    });
    list = pagedTable({
      caption: "Places",
      columns: [...COLUMNS, { name: "judgement", title: "Status", value: (one) => judgement(one, signal) }],
      path,
      query: {},
      of: "places",
      keyOf: (one) => one.id,
      nouns: ["place"],
      nothing: ({ website_class: asked }) =>
        asked
          ? empty(`No place with ${asked}`, "Choose another class.")
          : empty("No place so far", "A search that finds none is complete all the same."),
      signal,
    });
    kind.input.addEventListener("change", () => list.filter({ website_class: kind.input.value }).catch(failed));
    const scan = button("Scan their own sites", () => scanSites(path, signal), { kind: "primary" });
    fill(node, summary, card("Places", [h("div", { class: "filters" }, kind.node), list.node], { beside: scan }));
  }

  return async (job) => {
    if (list === null) build(job.job_id);
    showSummary([job.stored_places, job.requests, job.cost_usd, job.stopped, job.metadata], () => summaryCard(job));
    if (job.stored_places !== stored) {
      await list.refresh();
      stored = job.stored_places;
    }
  };
}

/** What the tenant thinks of a place: chosen in its row, and said at once. */
function judgement(place, signal) {
  const name = place.name ?? place.place_id;
  const chosen = field({
    name: `status-${place.id}`,
    title: `Status of ${name}`,
    type: "select",
    options: JUDGEMENTS.map((one) => [one, one]),
    value: place.status,
    unseen: true,
  });
  let saving = Promise.resolve(); // one after the other, so that the last one chosen is the last one said
  chosen.input.addEventListener("change", () => (saving = saving.then(save)));

  async function save() {
    const wanted = chosen.input.value;
    if (wanted === place.status) return;
    try {
      const { data } = await put(`${API}/places/staging/status`, { place_ids: [place.id], status: wanted }, { signal });
      if (data.unknown.length) throw new Error("This place is not known any more.");
      place.status = wanted;
      chosen.fail(null);
      announce(`${name} is ${wanted}.`, { urgent: true });
    } catch (error) {
      if (signal.aborted) return;
      if (chosen.input.value === wanted) chosen.input.value = place.status;
      chosen.fail(error.message);
      announce(error.message, { urgent: true });
    }
  }

  return chosen.node;
}

function summaryCard(job) {
  return card("Search", [
    figures(
      figure("Places", number(job.total_places)),
      figure("New", number(job.new_places), "complete"),
      figure("Requests", number(job.requests)),
      figure("Cost by list price", money(job.cost_usd)),
    ),
    job.reused_from &&
      notice(
        "info",
        h(
          "p",
          null,
          "The same search was made a while ago, so nothing was asked: ",
          h("a", { href: to("jobs", job.reused_from) }, "that search"),
          ".",
        ),
      ),
    job.stopped && h("p", null, h("code", null, job.stopped), " ", STOPPED[job.stopped] ?? ""),
    pairs([
      ["max_requests", job.metadata.max_requests],
      ["max_cost_usd", money(job.metadata.max_cost_usd)],
      ["radius_km", job.metadata.radius_km],
      ["max_results", job.metadata.max_results],
      ["fields", job.metadata.fields],
    ]),
  ]);
}

function scanSites(path, signal) {
  const pages = numberField({ name: "max_pages", min: 1, max: 100, value: "10" });
  const key = newKey();
  confirmed({
    title: "Scan the places' own sites?",
    words:
      "A batch of domain scans is started, of all places with a site of their own. Social pages and directories are left out.",
    content: pages.node,
    yes: "Start the batch",
    action: async () => {
      if (!pages.check()) {
        pages.input.focus();
        return false;
      }
      const { data } = await post(`${path}/scan`, { max_pages: Number(pages.input.value || 10) }, { key, signal });
      keepRejected(data);
      return go(to("batches", data.batch_id));
    },
  });
}
