// Tables that are lists on a narrow screen, and lists of the API that go on page by page.

import { get } from "./api.js";
import { fill, h, reconcile } from "./dom.js";
import { counted, label } from "./format.js";
import { busy, button } from "./widgets.js";

export const PAGE = 50; // items that are asked for at a time
const LARGEST_PAGE = 500; // of the API

/**
 * A table. `columns`: `{name, title?, value(item), numeric?, main?, minor?, short?}`, named as the API's fields. Where
 * it is narrow, minor ones are left out, and short ones stand side by side. The roles are written out because a browser
 * forgets them where the style makes a list of the table.
 */
export function table(caption, columns) {
  const body = h("tbody", { role: "rowgroup" });
  const titles = columns.map((column) => column.title ?? label(column.name));
  const head = columns.map((column, index) =>
    h("th", { role: "columnheader", scope: "col", class: column.numeric ? "numeric" : null }, titles[index]),
  );
  const node = h(
    "table",
    { role: "table" },
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
    body,
  );
  const row = (item) =>
    h(
      "tr",
      { role: "row" },
      columns.map((column, index) => {
        const kind = [
          column.name === "status" && "status",
          ...["numeric", "main", "minor", "short"].filter((one) => column[one]),
        ]
          .filter(Boolean)
          .join(" ");
        const shown = { role: "cell", class: kind || null, "data-label": titles[index] };
        return h("td", shown, h("div", { class: "cell" }, column.value(item)));
      }),
    );
  return {
    node: h("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption }, node),
    show: (items, keyOf) => reconcile(body, items, keyOf, row),
  };
}

/** A whole table out of items that are all there. */
export function tableOf(caption, columns, items, keyOf = (item) => items.indexOf(item)) {
  const made = table(caption, columns);
  made.show(items, keyOf);
  return made.node;
}

/**
 * A list of the API: its first page, "load more" by cursor, and `refresh`, which asks again for as many as are shown.
 * `shown(items, {more})` is called whenever they change. `of` names the answer's list.
 */
export function pagedTable({ caption, columns, path, query, keyOf, nouns, nothing, signal, shown, of = "items" }) {
  const made = table(caption, columns);
  const none = h("div", { class: "loading fine" }, "Loading…");
  const count = h("span", { class: "fine" });
  const problems = h("div");
  const more = button("Load more", () => busy(more, loadMore, problems));
  const foot = h("div", { class: "table-foot" }, count, more);
  let items = [];
  let cursor = null;
  let asked = query;
  let latest = 0;
  made.node.hidden = foot.hidden = true;

  function show() {
    made.show(items, keyOf);
    made.node.hidden = items.length === 0;
    fill(none, items.length === 0 && nothing(asked)).classList.remove("loading");
    none.hidden = items.length > 0;
    foot.hidden = items.length === 0;
    more.hidden = cursor === null;
    count.textContent = `${counted(items.length, ...nouns)} shown${cursor === null ? "" : ", and there are more"}`;
    shown?.(items, { more: cursor !== null });
  }

  async function page(limit, from) {
    const turn = ++latest;
    const { data } = await get(path, { query: { ...asked, limit, cursor: from }, signal });
    return turn === latest ? data : null; // another question was asked meanwhile
  }

  async function refresh() {
    const limit = Math.min(Math.max(items.length, PAGE), LARGEST_PAGE);
    const data = await page(limit);
    if (data === null) return null;
    const fresh = data[of];
    if (items.length <= fresh.length || data.next_cursor === null) [items, cursor] = [fresh, data.next_cursor];
    else {
      const seen = new Set(fresh.map(keyOf)); // what is shown beyond one page stays as it was told
      items = [...fresh, ...items.filter((item) => !seen.has(keyOf(item)))];
    }
    show();
    return data;
  }

  async function loadMore() {
    const data = await page(PAGE, cursor);
    if (data === null) return;
    const seen = new Set(items.map(keyOf));
    [items, cursor] = [[...items, ...data[of].filter((item) => !seen.has(keyOf(item)))], data.next_cursor];
    show();
    if (more.hidden) made.node.focus({ preventScroll: true }); // the button that had the focus is gone
  }

  return {
    node: h("div", null, none, made.node, foot, problems),
    refresh,
    async filter(given) {
      [asked, items, cursor] = [given, [], null];
      return refresh();
    },
    get items() {
      return items;
    },
  };
}
