// Starting work: a domain scan, a batch, a sitemap scan, a places search.

import { API, get } from "./api.js";
import { fill, h } from "./dom.js";
import { counted, money } from "./format.js";
import { field, numberField, startForm } from "./forms.js";
import { go, to } from "./router.js";
import { batchForm } from "./start_batch.js";
import { heading, notice } from "./widgets.js";

const FORMS = {
  domain_scan: {
    title: "Domain scan",
    make: domainForm,
    about:
      "Reads a site's most telling pages and stores what they show of the company behind it, each fact with its page.",
  },
  batch: {
    title: "Batch",
    make: batchForm,
    about: "Scans up to 10,000 sites, as many at once as you allow. Its figures are counted off its jobs.",
  },
  sitemap_scan: {
    title: "Sitemap scan",
    make: sitemapForm,
    about:
      "Finds a site's sitemaps and stores the URLs that they name. The next scan tells what is new, changed and gone.",
  },
  places_search: {
    title: "Places search",
    make: placesForm,
    about: "Searches Google's Places for businesses. Each request has a list price; a search keeps to its budget.",
  },
};

export function view({ main, params: [name], signal, title }) {
  const chosen = FORMS[name] ? name : "domain_scan";
  const { title: words, make, about } = FORMS[chosen];
  title(`Start: ${words}`);
  const tabs = Object.entries(FORMS).map(([key, one]) =>
    h("a", { href: to("start", key), "aria-current": key === chosen ? "page" : null }, one.title),
  );
  fill(
    main,
    h(
      "div",
      { class: "narrow" },
      heading(`Start a ${words.toLowerCase()}`, { below: h("p", null, about) }),
      h("nav", { class: "tabs", "aria-label": "What to start" }, tabs),
      h("section", { class: "card", "aria-label": words }, make({ signal })),
    ),
  );
}

const toJob = (answer) => go(to("jobs", answer.job_id));

function siteField() {
  const one = field({
    name: "base_url",
    help: "A host, a host with a path, or a URL. Its domain is what is scanned.",
    placeholder: "shop.example",
    autocapitalize: "off",
    spellcheck: "false",
    autocomplete: "off",
    inputmode: "url",
  });
  return required(one, "Name a site first.");
}

function required(one, words) {
  one.check = () => {
    const isGood = one.input.value.trim() !== "";
    one.fail(isGood ? null : words);
    return isGood;
  };
  return one;
}

function domainForm({ signal }) {
  const site = siteField();
  const pages = numberField({
    name: "max_pages",
    min: 1,
    max: 100,
    value: "10",
    help: "Pages to read, the most telling first.",
  });
  return startForm({
    name: "Start a domain scan",
    path: () => `${API}/modernized_page_scraper/scan`,
    fields: [site, pages],
    yes: "Start the scan",
    body: () => ({ base_url: site.input.value.trim(), max_pages: Number(pages.input.value || 10) }),
    started: toJob,
    signal,
  });
}

function sitemapForm({ signal }) {
  const site = siteField();
  const pages = numberField({
    name: "max_pages",
    min: 1,
    max: 1_000_000,
    value: "10000",
    help: "URLs to store, over all files.",
  });
  return startForm({
    name: "Start a sitemap scan",
    path: () => `${API}/sitemap/scan`,
    fields: [site, pages],
    yes: "Start the scan",
    body: () => ({ base_url: site.input.value.trim(), max_pages: Number(pages.input.value || 10_000) }),
    started: toJob,
    signal,
  });
}

function placesForm({ signal }) {
  const type = required(
    field({ name: "business_type", placeholder: "dentist", maxlength: 200 }),
    "Say what to look for.",
  );
  const location = required(field({ name: "location", placeholder: "Austin TX", maxlength: 200 }), "Say where.");
  const radius = numberField({ name: "radius_km", min: 1, max: 50, value: "10", step: "any" });
  const fields = field({
    name: "fields",
    type: "select",
    value: "contact",
    options: [
      ["contact", "contact: with website, phone and rating"],
      ["basic", "basic: name, address, point, types"],
      ["ids", "ids alone"],
    ],
    help: "What to ask for, and so what each request costs.",
  });
  const split = field({
    name: "split",
    type: "checkbox",
    help: "Search the circle in parts, for more than the 60 that Google tells of one query.",
  });
  const results = numberField({
    name: "max_results",
    min: 1,
    max: 1000,
    value: "20",
    help: "Up to 60, or with split up to 1,000.",
  });
  const budget = numberField({
    name: "budget_usd",
    min: 0.0001,
    max: 1000,
    step: "any",
    help: "By list price, with all retries. The search ends before a request that would pass it.",
  });
  const refresh = field({
    name: "refresh",
    type: "checkbox",
    help: "Ask Google also when the same search was made a while ago.",
  });
  return startForm({
    name: "Start a places search",
    path: () => `${API}/localminer-discoveryscan/search/places`,
    before: spent(signal),
    fields: [type, location, radius, fields, results, split, budget, refresh],
    yes: "Start the search",
    body: () => ({
      business_type: type.input.value.trim(),
      location: location.input.value.trim(),
      radius_km: Number(radius.input.value || 10),
      fields: fields.input.value,
      max_results: Number(results.input.value || 20),
      ...(split.input.checked && { split: true }),
      ...(refresh.input.checked && { refresh: true }),
      ...(budget.input.value.trim() && { budget_usd: Number(budget.input.value) }),
    }),
    started: toJob,
    signal,
  });
}

/** What this month's searches come to so far. The most that a search may cost is told when it was started. */
function spent(signal) {
  const node = h("div");
  get(`${API}/places/ledger`, { signal }).then(
    ({ data }) =>
      fill(
        node,
        notice(
          "info",
          h(
            "p",
            null,
            `Since ${data.from}: ${counted(data.total_requests, "request")} to Google, ${money(data.total_cost_usd)} by list prices of ${data.prices_of}. What a search may cost at the most is told when it is started.`,
          ),
        ),
      ),
    (error) =>
      !signal.aborted && fill(node, notice("warning", h("p", null, `What was spent is not known: ${error.message}`))),
  );
  return node;
}
