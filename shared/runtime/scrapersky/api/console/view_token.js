// The way in: a token, which stays in this tab.

import { API, ask } from "./api.js";
import { fill, h } from "./dom.js";
import { field } from "./forms.js";
import { keep } from "./token.js";
import { busy, button, heading, notice, problemNotice } from "./widgets.js";

export function view({ main, refusal, entered, title }) {
  title("Token");
  const entry = field({
    name: "token",
    title: "Bearer token",
    type: "password",
    help: "A JWT that this API accepts. It is kept in this tab until the tab is closed or you forget it, and sent to this API alone.",
  });
  entry.input.setAttribute("autocomplete", "off");
  entry.input.setAttribute("spellcheck", "false");
  const problems = h(
    "div",
    null,
    refusal && [notice("warning", h("p", null, "The API does not accept the token any more.")), problemNotice(refusal)],
  );
  const enter = button("Show my jobs", null, { kind: "primary", type: "submit" });
  const form = h(
    "form",
    { class: "form", novalidate: true },
    entry.node,
    problems,
    h("div", { class: "actions" }, enter),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = entry.input.value.trim().replace(/^Bearer +/i, "");
    if (!/^[!-~]+$/.test(text)) {
      entry.fail(text ? "A token is one word of letters, digits, dots, - and _." : "Paste a token first.");
      entry.input.focus();
      return;
    }
    entry.fail(null);
    busy(enter, () => tried(text), problems);
  });

  async function tried(text) {
    await ask("GET", `${API}/jobs`, { query: { limit: 1 }, bearer: text });
    keep(text);
    entered();
  }

  fill(
    main,
    h(
      "div",
      { class: "narrow" },
      heading("Enter a token", {
        below: "The console shows what the API tells the bearer of a token: batches, jobs and what they found.",
      }),
      h("section", { class: "card", "aria-label": "Token" }, form),
      h(
        "section",
        { class: "card quiet-card", "aria-labelledby": "no-token" },
        h("h2", { id: "no-token" }, "No token yet?"),
        h("p", null, "With a local stack running, this prints one:"),
        h("pre", { tabindex: "0" }, h("code", null, ".venv/bin/scrapersky token")),
        h(
          "p",
          { class: "fine" },
          "Of a deployment, whoever issues its tokens gives you one; it names your tenant in ",
          h("code", null, "tenant_id"),
          ".",
        ),
      ),
    ),
  );
  if (refusal) entry.input.focus();
}
