// Values as people read them. Names are the API's own, with spaces instead of underscores.

import { h } from "./dom.js";

const NUMBERS = new Intl.NumberFormat("en");
const MONEY = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 4 });
const TIMES = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const INITIALS = {
  url: "URL",
  urls: "URLs",
  usd: "USD",
  id: "ID",
  ids: "IDs",
  csv: "CSV",
  json: "JSON",
  ms: "ms",
  km: "km",
  wordpress: "WordPress",
  woocommerce: "WooCommerce",
  form7: "Form 7",
  seo: "SEO",
  wpforms: "WPForms",
};
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `max_pages` -> `Max pages`, `base_url` -> `Base URL`. */
export function label(name) {
  const words = String(name)
    .split("_")
    .map((word) => INITIALS[word] ?? word);
  const text = words.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function number(value) {
  return typeof value === "number" ? NUMBERS.format(value) : "–";
}

/** `1 job`, `2 jobs`. */
export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

export function money(value) {
  return typeof value === "number" ? MONEY.format(value) : "–";
}

export function bytes(value) {
  if (typeof value !== "number") return "–";
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit && size < 10 ? size.toFixed(1) : Math.round(size)} ${UNITS[unit]}`;
}

/** Seconds: `0.42 s`, `12.3 s`, `4 min 5 s`, `2 h 3 min`. */
export function seconds(value) {
  if (typeof value !== "number") return "–";
  if (value < 10) return `${value.toFixed(2)} s`;
  if (value < 60) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Seconds between two times of the API; null when either is not there. */
export function between(start, end) {
  return start && end ? (Date.parse(end) - Date.parse(start)) / 1000 : null;
}

/** A time of the API in this machine's zone; its own words are the title. */
export function time(text) {
  const at = Date.parse(text ?? "");
  if (Number.isNaN(at)) return "–";
  return h("time", { datetime: text, title: text }, TIMES.format(at));
}

export function clock(at) {
  return CLOCK.format(at);
}

export function percent(value) {
  return `${Math.floor(value)} %`;
}

/** The first part of an id; ids are random, so that eight characters tell them apart in a list. */
export function shortId(id) {
  return String(id).slice(0, 8);
}

/** A value of any shape in one line. */
export function plain(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return number(value);
  if (Array.isArray(value)) return value.length ? value.map(plain).join(", ") : "–";
  if (typeof value === "object") {
    const parts = Object.entries(value).map(([name, inner]) => `${label(name)}: ${plain(inner)}`);
    return parts.length ? parts.join("; ") : "–";
  }
  return String(value);
}
