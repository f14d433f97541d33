// Questions before what cannot be taken back.

import { fill, focusHeading, h } from "./dom.js";
import { busy, button } from "./widgets.js";

let made = 0;

/**
 * Ask, and do it on a yes. `action` may throw: then the dialog stays and shows why; with false it just stays. `content`
 * are nodes between the words and the buttons. Who asked has the focus again afterwards.
 */
export function confirmed({ title, words, content, yes, kind = "primary", action }) {
  made += 1;
  const [name, about] = [`dialog-${made}`, `dialog-${made}-about`];
  const problems = h("div");
  const agree = button(
    yes,
    () =>
      busy(
        agree,
        async () => {
          if ((await action()) !== false) dialog.close();
        },
        problems,
      ),
    { kind },
  );
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": name, "aria-describedby": about, on: { close: gone } },
    h("h2", { id: name }, title),
    h("p", { id: about }, words),
    content,
    problems,
    h(
      "div",
      { class: "actions" },
      button("Leave it", () => dialog.close()),
      agree,
    ),
  );
  function gone() {
    dialog.remove();
    if (document.activeElement === document.body) focusHeading(); // the button that asked is there no more
  }
  document.body.append(dialog);
  dialog.showModal();
  fill(problems);
}
