// Forms: labelled fields, the API's own words where one is wrong, and one key for one wish.

import { newKey, post } from "./api.js";
import { fill, h } from "./dom.js";
import { label } from "./format.js";
import { busy, button } from "./widgets.js";

/**
 * A field with its label, help and error. `name` is the API's. `node` is all of it, `input` the control itself; `fail`
 * shows an error or, with null, none. With `unseen` the label is for who cannot see what the field stands beside.
 */
export function field({ name, title = label(name), type = "text", help, options, unseen = false, ...properties }) {
  const id = `field-${name}`;
  const error = h("p", { class: "field-error", id: `${id}-error` });
  const about = help && h("p", { class: "field-help", id: `${id}-help` }, help);
  const described = [help && `${id}-help`, `${id}-error`].filter(Boolean).join(" ");
  const shared = { id, name, "aria-describedby": described, ...properties };
  const input = made(type, shared, options);
  const name_ = h("label", { for: id, class: unseen && "visually-hidden" }, title);
  const node =
    type === "checkbox"
      ? h("div", { class: "field check" }, input, h("div", null, name_, about, error))
      : h("div", { class: "field" }, name_, about, input, error);
  return {
    node,
    input,
    name,
    fail(text) {
      error.textContent = text ?? "";
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
}

function made(type, shared, options) {
  if (type === "textarea") return h("textarea", shared);
  if (type === "select") {
    const { value, ...rest } = shared;
    const select = h(
      "select",
      rest,
      options.map(([key, words]) => h("option", { value: key }, words)),
    );
    if (value !== undefined) select.value = value;
    return select;
  }
  return h("input", { type, ...shared });
}

/** The value of a number's field: null when it is empty, NaN when it is no number. */
export function numberOf(input) {
  if (input.validity.badInput) return NaN;
  return input.value.trim() === "" ? null : Number(input.value);
}

/** A field for a whole number (or, with `step`, another) within bounds, which the API holds to again. */
export function numberField({ min, max, value, step = 1, ...rest }) {
  const one = field({ type: "number", min, max, step, value, inputmode: step === 1 ? "numeric" : "decimal", ...rest });
  one.check = () => {
    const given = numberOf(one.input);
    if (given === null) return true;
    const isGood = !Number.isNaN(given) && given >= min && given <= max && (step !== 1 || Number.isInteger(given));
    one.fail(isGood ? null : `A ${step === 1 ? "whole number" : "number"} from ${min} to ${max}.`);
    return isGood;
  };
  return one;
}

/**
 * A form that starts work. `body()` makes the request, or null after it has shown what is wrong; `started(answer)` goes
 * on. The same body has the same key until it is accepted, so that neither a double click nor a lost answer starts two.
 */
export function startForm({ name, path, fields, before, body, yes, started, signal }) {
  const problems = h("div");
  const submit = button(yes, null, { kind: "primary", type: "submit" });
  const keys = new Map();
  const form = h(
    "form",
    { class: "form", novalidate: true, "aria-label": name },
    before,
    fields.map((one) => one.node),
    problems,
    h("div", { class: "actions" }, submit),
  );

  async function start() {
    const asked = body();
    if (asked === null) return;
    const text = JSON.stringify(asked);
    if (!keys.has(text)) keys.set(text, newKey());
    try {
      const { data } = await post(path(), asked, { key: keys.get(text), signal });
      keys.delete(text);
      started(data, asked);
    } catch (error) {
      showFields(error.errors ?? []);
      throw error;
    }
  }

  function showFields(errors) {
    const at = (one) => errors.find(({ loc }) => loc[0] === "body" && loc[1] === one.name);
    for (const one of fields) one.fail(at(one)?.msg ?? null);
    fields.find((one) => at(one))?.input.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const isWrong = fields.filter((one) => one.check && !one.check());
    if (isWrong.length) {
      fill(problems);
      isWrong[0].input.focus();
      return;
    }
    busy(submit, start, problems);
  });
  return form;
}
