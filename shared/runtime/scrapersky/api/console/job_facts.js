// What a domain scan found: each fact with the page that it was seen on and how.

import { fill, h, outLink } from "./dom.js";
import { bytes, label, number, plain, seconds, time } from "./format.js";
import { tableOf } from "./tables.js";
import { card, empty, figure, figures, pairs, pairsOf, tag } from "./widgets.js";

const ABOUT = ["title", "site_name", "description", "language", "canonical_url", "logo_url", "favicon_url"];
const SOFTWARE = /^(is|has)_|_(version|theme)$/;
// Shown in a group of their own, or the evidence of others.
const GROUPED = new Set([
  "contact_info",
  "social_links",
  "tech_stack",
  "organization",
  "addresses",
  "open_graph",
  "evidence",
  "email_classes",
  "security_txt",
  "sources",
  ...ABOUT,
]);

/** Shows the facts once the job has them. */
export function factsView({ node }) {
  return (job) => {
    if (!job.result) return fill(node);
    const { site_data: facts, pages, processing_metrics: metrics } = job.result;
    return fill(
      node,
      summary(facts, metrics),
      groups(facts),
      pagesCard(pages),
      h("div", { class: "columns" }, software(facts), metricsCard(metrics), securityText(facts)),
    );
  };
}

function summary(facts, metrics) {
  const links = Object.values(facts.social_links ?? {}).filter(Boolean);
  return card(
    "Found",
    figures(
      figure("E-mails", number(facts.contact_info.email.length)),
      figure("Phones", number(facts.contact_info.phone.length)),
      figure("Social profiles", number(links.length)),
      figure("Technologies", number(facts.tech_stack.length)),
      figure("Pages read", number(metrics.pages_fetched)),
    ),
  );
}

function groups(facts) {
  const made = [
    contacts(facts),
    social(facts),
    organization(facts),
    addresses(facts),
    technologies(facts),
    about(facts),
    openGraph(facts),
    others(facts),
  ];
  const shown = made.filter(Boolean);
  return shown.length
    ? h("div", { class: "stacked" }, shown)
    : empty("No facts", "The pages that were read show none of those that are looked for.");
}

/** A table of facts: value, what it is, and its evidence. */
function factTable(caption, rows) {
  return tableOf(
    caption,
    [
      {
        name: "value",
        main: true,
        value: (row) => (row.href ? outLink(row.href, row.value) : h("span", { class: "value" }, row.value)),
      },
      { name: "kind", title: "What", short: true, value: (row) => row.kind ?? "–" },
      { name: "method", short: true, value: (row) => (row.method ? h("code", null, row.method) : "–") },
      { name: "page_url", title: "Seen on", value: (row) => (row.page_url ? outLink(row.page_url) : "–") },
    ],
    rows,
  );
}

function factCard(title, rows) {
  return rows.length ? card(title, factTable(title, rows)) : null;
}

const seen = (evidence) => ({ method: evidence?.method, page_url: evidence?.page_url });

function contacts(facts) {
  const { email, phone } = facts.contact_info;
  return factCard("Contact", [
    ...email.map((value) => ({
      value,
      kind: `E-mail, ${facts.email_classes?.[value] ?? "other"}`,
      ...seen(facts.evidence[value]),
    })),
    ...phone.map((value) => ({ value, kind: "Phone", ...seen(facts.evidence[value]) })),
  ]);
}

function social(facts) {
  const links = Object.entries(facts.social_links ?? {}).filter(([, value]) => value);
  return factCard(
    "Social profiles",
    links.map(([network, value]) => ({ value, href: value, kind: label(network), ...seen(facts.evidence[value]) })),
  );
}

function organization(facts) {
  if (!facts.organization) return null;
  const { evidence = {}, ...fields } = facts.organization;
  const rows = Object.entries(fields)
    .filter(([, value]) => value !== null && value !== "" && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => ({
      value: shown(value),
      href: value,
      kind: label(name),
      ...seen(evidence[name] ?? facts.sources?.organization),
    }));
  return factCard("Organization", rows);
}

/** A value of the organization: opening hours have a text of their own. */
function shown(value) {
  if (Array.isArray(value)) return value.map((one) => one?.text ?? plain(one)).join("; ");
  return plain(value);
}

function addresses(facts) {
  return factCard(
    "Addresses",
    facts.addresses.map((one) => ({ value: one.text ?? plain(one), kind: "Address", ...seen(one) })),
  );
}

function technologies(facts) {
  if (!facts.tech_stack.length) return null;
  const columns = [
    { name: "name", main: true, value: (one) => h("span", { class: "value" }, one.name) },
    { name: "category", short: true, value: (one) => tag(one.category, "plain") },
    { name: "version", short: true, value: (one) => one.version ?? "–" },
    { name: "evidence", value: (one) => h("span", { class: "address" }, one.evidence) },
    { name: "page_url", title: "Seen on", value: (one) => (one.page_url ? outLink(one.page_url) : "–") },
  ];
  return card("Technologies", tableOf("Technologies", columns, facts.tech_stack));
}

function about(facts) {
  const given = ABOUT.filter((name) => facts[name]);
  return factCard(
    "About the site",
    given.map((name) => ({
      value: plain(facts[name]),
      href: facts[name],
      kind: label(name),
      ...seen(facts.sources?.[name]),
    })),
  );
}

function software(facts) {
  const names = Object.keys(facts).filter((name) => SOFTWARE.test(name) && facts[name] !== null);
  if (!names.length) return null;
  const [visible, missed] = [
    names.filter((name) => facts[name] !== false),
    names.filter((name) => facts[name] === false),
  ];
  return card("Site software", [
    pairs(visible.map((name) => [name, facts[name]])),
    missed.length > 0 &&
      h(
        "p",
        { class: "fine" },
        `Looked for, and not seen: ${missed.map((name) => label(name.replace(/^(is|has)_/, ""))).join(", ")}.`,
      ),
  ]);
}

function openGraph(facts) {
  const tags = Object.entries(facts.open_graph ?? {});
  return factCard(
    "Open Graph",
    tags.map(([name, value]) => ({ value: plain(value), href: value, kind: name, ...seen(facts.sources?.open_graph) })),
  );
}

function securityText(facts) {
  return facts.security_txt ? card("security.txt", pairsOf(facts.security_txt)) : null;
}

/** Facts that this console has no group for: a newer API may know more. */
function others(facts) {
  const rest = Object.keys(facts).filter((name) => !GROUPED.has(name) && !SOFTWARE.test(name) && facts[name] !== null);
  return rest.length ? card("Other facts", pairs(rest.map((name) => [name, facts[name]]))) : null;
}

function pagesCard(pages) {
  const columns = [
    {
      name: "url",
      main: true,
      value: (page) => [outLink(page.url), page.title && h("span", { class: "fine line" }, page.title)],
    },
    {
      name: "status_code",
      title: "Status",
      numeric: true,
      value: (page) => (page.status_code === null ? "–" : String(page.status_code)),
    },
    {
      name: "skipped_reason",
      title: "Skipped",
      short: true,
      value: (page) => (page.skipped_reason ? h("code", null, page.skipped_reason) : "read"),
    },
    { name: "bytes", numeric: true, value: (page) => bytes(page.bytes) },
    { name: "ms", numeric: true, value: (page) => number(page.ms) },
    { name: "fetched_at", minor: true, value: (page) => time(page.fetched_at) },
  ];
  return card(
    "Pages",
    pages.length ? tableOf("Pages that were asked for", columns, pages) : empty("No pages", "None was asked for."),
  );
}

function metricsCard(metrics) {
  return card(
    "Processing metrics",
    pairs([
      ["start_time", time(metrics.start_time)],
      ["end_time", time(metrics.end_time)],
      ["processing_time", seconds(metrics.processing_time)],
      ["max_pages", number(metrics.max_pages)],
      ["pages_fetched", number(metrics.pages_fetched)],
      ["bytes_fetched", bytes(metrics.bytes_fetched)],
    ]),
  );
}
