// The entries of a batch out of a pasted text or a file, by the rules that the command line has:
//
// | the first line                                               | is read as                                         |
// | ------------------------------------------------------------ | -------------------------------------------------- |
// | has a cell `domain`, `domains`, `url` or `website`, any case | CSV by `,`, `;` or tab: the first of these columns |
// | has other cells, or the file is named .csv or .tsv           | an error: the header is missing                    |
// | anything else                                                | a list: one domain a line                          |
//
// Blank lines and comments (`#` at the beginning or, in a list, after a space) count for nothing.

export const MAX_DOMAINS = 10_000; // of one batch
export const MAX_BYTES = 32 * 1024 * 1024; // ten thousand of the longest URLs fit; a video by mistake does not
const COLUMNS = ["domain", "domains", "url", "website"];
const DELIMITERS = [",", ";", "\t"];
const COMMENT = /(^|\s)#.*/;

/** What a text cannot be read as, in words for who gave it. */
export class Unreadable extends Error {}

/**
 * `{entries, duplicates}`: what is to be sent, as it is written, and what names a domain that stood before, as
 * `[text, first]`. Whether an entry names a domain is for the API to say.
 */
export function entriesOf(text, fileName = "") {
  const given = read(text.replace(/^\uFEFF/, ""), fileName);
  const first = new Map();
  const duplicates = [];
  for (const entry of given) {
    const key = keyOf(entry);
    if (first.has(key)) duplicates.push([entry, first.get(key)]);
    else first.set(key, entry);
  }
  return { entries: [...first.values()], duplicates };
}

/** The host that a text names, as the API has it, or the text itself: then the API says what is wrong with it. */
export function keyOf(text) {
  const rest = text.trim().replace(/^https?:/i, "");
  if (
    /^[a-z][a-z0-9+-]*:[/\\]/i.test(rest) ||
    rest
      .replace(/^[/\\]+/, "")
      .split(/[/\\?#]/, 1)[0]
      .includes("@")
  )
    return text;
  const url = URL.parse?.(`https://${rest}`) ?? parsed(`https://${rest}`);
  if (url === null) return text;
  return url.hostname.replace(/\.$/, "").replace(/^(www\.)+(?=[^.]+\.)/, "");
}

function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function read(text, fileName) {
  const lines = text.split(/\r\n|\r|\n/);
  const head = lines.find((line) => !isSkipped(line)) ?? "";
  const delimiter = delimiterOf(head);
  if (columnOf(cells(head, delimiter)) >= 0) return fromCsv(text, delimiter);
  if (head && (/\.(csv|tsv)$/i.test(fileName) || hasCells(head))) {
    throw new Unreadable(
      `The first line must name a column ${COLUMNS.slice(0, -1).join(", ")} or ${COLUMNS.at(-1)}, and is: ${head.slice(0, 100)}`,
    );
  }
  return lines.map((line) => line.replace(COMMENT, "").trim()).filter(Boolean);
}

function isSkipped(line) {
  if (!line.trim()) return true;
  return line.trimStart().startsWith("#") && columnOf(cells(line, delimiterOf(line))) < 0;
}

function delimiterOf(head) {
  const worth = (one) => [columnOf(cells(head, one)) >= 0 ? 1 : 0, head.split(one).length];
  return DELIMITERS.reduce((best, one) => {
    const [a, b] = [worth(best), worth(one)];
    return b[0] > a[0] || (b[0] === a[0] && b[1] > a[1]) ? one : best;
  });
}

/** Whether a line is a row of cells. No host name holds a delimiter; after a slash, an address may. */
function hasCells(head) {
  return !head.includes("/") && DELIMITERS.some((one) => head.includes(one));
}

function columnOf(row) {
  const names = row.map((cell) => cell.trim().toLowerCase());
  return COLUMNS.map((column) => names.indexOf(column)).find((index) => index >= 0) ?? -1;
}

function cells(line, delimiter) {
  return rows(line, delimiter)[0] ?? [];
}

function fromCsv(text, delimiter) {
  const found = [];
  let column = -1;
  let hasComments = true;
  for (const row of rows(text, delimiter)) {
    if (column < 0) {
      column = columnOf(row);
      hasComments = column <= 0 || !row[0].startsWith("#");
    } else if (column < row.length) {
      const entry = row[column].trim();
      if (entry && !(hasComments && row[0].startsWith("#"))) found.push(entry);
    }
  }
  return found;
}

/** Rows of cells (RFC 4180), with spaces allowed before a quoted one. */
function rows(text, delimiter) {
  const all = [];
  let [row, cell, isQuoted, wasQuoted] = [[], "", false, false];
  const endRow = () => {
    row.push(cell);
    if (row.length > 1 || row[0].trim()) all.push(row);
    [row, cell, wasQuoted] = [[], "", false];
  };
  for (let at = 0; at < text.length; at += 1) {
    const one = text[at];
    if (isQuoted) {
      if (one === '"' && text[at + 1] === '"') cell += text[(at += 1)];
      else if (one === '"') isQuoted = false;
      else cell += one;
    } else if (one === '"' && !wasQuoted && !cell.trim()) [cell, isQuoted, wasQuoted] = ["", true, true];
    else if (one === delimiter) [row, cell, wasQuoted] = [[...row, cell], "", false];
    else if (one === "\n" || one === "\r") {
      if (one === "\r" && text[at + 1] === "\n") at += 1;
      endRow();
    } else cell += one;
  }
  if (isQuoted) throw new Unreadable("A quoted cell does not end.");
  if (cell || row.length) endRow();
  return all;
}
