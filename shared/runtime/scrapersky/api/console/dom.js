// Elements out of plain values. Text goes in as text and nothing else: no markup is ever made from what the API tells.

const SVG = "http://www.w3.org/2000/svg";
const WEB = /^https?:\/\//i;

/** Whether an address may be linked: a view of this page, the API's reference, or the web. */
function isLinkable(address) {
  return address.startsWith("#") || address === "docs" || WEB.test(address);
}

/**
 * An element. `properties`: `class`, `on` (event listeners by name), `value`, `checked`, `disabled` and the like as
 * properties, everything else as attributes; null, undefined and false leave one out.
 */
export function h(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) setProperty(node, name, value);
  append(node, children);
  return node;
}

function setProperty(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
  } else if (name === "value" || name === "checked" || name === "disabled" || name === "indeterminate") {
    node[name] = value;
  } else if (name === "href" && !isLinkable(String(value))) {
    throw new Error("an address that is none of the web");
  } else if (/^on|^style$|^srcdoc$/i.test(name)) {
    throw new Error(`no element gets ${name} here`);
  } else {
    node.setAttribute(name, value === true ? "" : String(value));
  }
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
}

/** Replace what is in a node. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

/** An SVG element with attributes. */
export function s(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, String(value));
  append(node, children);
  return node;
}

/** A link out of the console where the address is one of the web, else its text. */
export function outLink(address, text = address) {
  if (typeof address !== "string" || !WEB.test(address)) return h("span", { class: "address" }, text ?? "");
  return h("a", { class: "address", href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, text);
}

const SHAPES = {
  pending: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11Z",
  running: "M13.5 8A5.5 5.5 0 1 1 8 2.5",
  complete: "m3.5 8.5 3 3 6-7",
  failed: "m4 4 8 8m0-8-8 8",
  cancelled: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11ZM4.2 4.2l7.6 7.6",
};

/** The sign of a status, beside its word. */
export function icon(name) {
  const path = s("path", { d: SHAPES[name] ?? SHAPES.pending });
  return s("svg", { class: "icon", viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true" }, path);
}

/**
 * Make the children of `parent` those that `items` stand for, and leave those alone that have not changed: neither the
 * focus nor what is selected is lost when the rest is made anew.
 */
export function reconcile(parent, items, keyOf, make) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const wanted = items.map((item) => {
    const key = String(keyOf(item));
    const seen = JSON.stringify(item);
    const old = known.get(key);
    if (old?.dataset.seen === seen) return old;
    const node = make(item);
    node.dataset.key = key;
    node.dataset.seen = seen;
    if (old?.contains(document.activeElement)) refocus(node, () => old.replaceWith(node));
    return node;
  });
  for (const node of [...parent.children]) if (!wanted.includes(node)) node.remove();
  wanted.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}

/** Change what holds the focus, and give it to what is the same in `node` then or, when that is gone, the heading. */
function refocus(node, change) {
  const { tagName, textContent } = document.activeElement;
  change();
  const same = [...node.querySelectorAll(tagName)].find((one) => tagName === "H1" || one.textContent === textContent);
  if (same) same.focus({ preventScroll: true });
  else focusHeading();
}

/** The place of who has lost their own: the heading of the view. */
export function focusHeading() {
  document.querySelector("main h1")?.focus({ preventScroll: true });
}

/** Build a region anew only when what it shows is another. */
export function region(node) {
  let shown;
  return (value, build) => {
    const seen = JSON.stringify(value);
    if (seen === shown) return;
    shown = seen;
    const holder = h("div", null, build());
    if (node.contains(document.activeElement)) refocus(node, () => fill(node, ...holder.childNodes));
    else fill(node, ...holder.childNodes);
  };
}
