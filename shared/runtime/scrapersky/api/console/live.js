// Keeping a view true: held and repeated requests, which stop while nobody looks and go easy while nothing answers.

import { Unreachable, WAIT_SECONDS } from "./api.js";
import { h } from "./dom.js";
import { clock, counted } from "./format.js";

const BETWEEN_MS = 1000; // of two answers: a big batch changes all the time, and people read at their own pace
const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 30_000;
const ANNOUNCE_MS = 8000; // a screen reader is to be told, not talked down

/**
 * Call `load({etag, wait, signal})` again and again until it says `{final: true}`, and after each answer wait
 * `pause` milliseconds. `load` resolves to `{etag, final, pause}`; what it shows is its own affair. An error that
 * passes is tried again, ever more slowly; any other one ends it, through `failed`.
 */
export async function follow(load, { signal, freshness, failed }) {
  let etag = null;
  let tries = 0;
  let wait = 0; // the first answer, and the first after a pause, is to come at once
  while (!signal.aborted) {
    if (document.hidden) {
      freshness.paused();
      await visible(signal);
      wait = 0;
      continue;
    }
    const round = whileWatched(signal);
    let pause;
    try {
      const told = await load({ etag, wait, signal: round.signal });
      [etag, tries, wait] = [told.etag ?? null, 0, WAIT_SECONDS];
      if (told.final) return freshness.final();
      freshness.live();
      pause = told.pause ?? BETWEEN_MS;
    } catch (caught) {
      if (signal.aborted) return undefined;
      if (round.signal.aborted && document.hidden) continue; // nothing went wrong
      const error = round.signal.aborted ? new Unreachable() : caught;
      if (!error.passes) {
        freshness.ended();
        return failed(error);
      }
      pause = Math.max(backoff(tries), (error.retryAfter || 0) * 1000);
      [tries, wait] = [tries + 1, 0];
      freshness.stale(error, pause);
    } finally {
      round.done();
    }
    await sleep(pause, signal);
  }
  return undefined;
}

/** Milliseconds before another try: twice as many each time, a part of them by chance, so that many pages spread. */
function backoff(tries) {
  const longest = Math.min(FIRST_BACKOFF_MS * 2 ** tries, LONGEST_BACKOFF_MS);
  return longest * (0.75 + Math.random() * 0.25);
}

/** A signal that ends with `signal`, and as soon as the tab is hidden or the network gone: nobody hears that answer. */
function whileWatched(signal) {
  const control = new AbortController();
  const end = () => document.hidden && control.abort();
  const both = () => control.abort();
  document.addEventListener("visibilitychange", end);
  addEventListener("offline", both);
  signal.addEventListener("abort", both);
  return {
    signal: control.signal,
    done() {
      document.removeEventListener("visibilitychange", end);
      removeEventListener("offline", both);
      signal.removeEventListener("abort", both);
    },
  };
}

function visible(signal) {
  return until(signal, (done) => {
    const check = () => !document.hidden && done();
    document.addEventListener("visibilitychange", check);
    return () => document.removeEventListener("visibilitychange", check);
  });
}

/** So many milliseconds, or less when the network comes back or the tab is hidden and seen again. */
function sleep(milliseconds, signal) {
  return until(signal, (done) => {
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
    document.addEventListener("visibilitychange", done);
    return () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", done);
    };
  });
}

function until(signal, begin) {
  return new Promise((resolve) => {
    let clean = null;
    const done = () => {
      signal.removeEventListener("abort", done);
      clean?.();
      resolve();
    };
    signal.addEventListener("abort", done);
    clean = begin(done);
    if (signal.aborted) done();
  });
}

/** The line that says of which moment the view is, and whether it still follows. */
export function freshnessLine() {
  const text = h("span", null, "Loading…");
  const node = h("p", { class: "freshness", "data-state": "loading" }, h("span", { class: "dot" }), text);
  let asOf = null;
  const say = (state, words) => {
    node.dataset.state = state;
    text.textContent = words;
  };
  const moment = () => (asOf === null ? "nothing was told yet" : `as of ${clock(asOf)}`);
  return {
    node,
    live() {
      asOf = Date.now();
      say("live", `Live, ${moment()}`);
    },
    final() {
      asOf = Date.now();
      say("final", `Final, ${moment()}`);
    },
    paused: () => say("paused", `Paused while this tab is hidden, ${moment()}`),
    ended: () => say("stale", `Not followed any more, ${moment()}`),
    stale(error, pause) {
      const why = navigator.onLine ? error.message : "This device is offline.";
      say(
        "stale",
        `${why} Shown is what was told before, ${moment()}; next try in ${counted(Math.ceil(pause / 1000), "second")}.`,
      );
      announce(`${why} Shown is what was told before.`);
    },
  };
}

let told = 0;

/** Say it to who does not see the page; `urgent` says it even right after something else. */
export function announce(text, { urgent = false } = {}) {
  const now = Date.now();
  if (!urgent && now - told < ANNOUNCE_MS) return;
  told = now;
  document.getElementById("live").textContent = text;
}
