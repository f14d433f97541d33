// The token: kept in this tab's session storage and nowhere else, so that it goes with the tab.

const NAME = "scrapersky.token";

export function token() {
  return sessionStorage.getItem(NAME);
}

export function keep(text) {
  sessionStorage.setItem(NAME, text);
}

export function forget() {
  sessionStorage.removeItem(NAME);
}

/** What the token says of itself, for showing alone: only the API can check it. An unreadable one says nothing. */
export function claims(text) {
  try {
    const part = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const raw = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const told = JSON.parse(new TextDecoder().decode(raw));
    return typeof told === "object" && told !== null ? told : {};
  } catch {
    return {};
  }
}

/** The tenant that the token names, as text. */
export function tenant(text) {
  const told = claims(text);
  return String(told.tenant_id ?? told.app_metadata?.tenant_id ?? "");
}
