// The browser's storage for tabs, history and settings, without secrets.

const PREFIX = 'graphiql:';
// Entries that contain queries, variables and headers in JSON.
const COLLECTIONS = new Set(['tabState', 'queries', 'favorites'].map((name) => PREFIX + name));
// The value of an argument or a variable whose name ends in "password" or "token".
const SECRET = /((?:password|token)"?\s*:\s*)(?:"""[^]*?"""|"(?:[^"\\\n]|\\.)*")/gi;

/** `localStorage`, but headers, and strings that are passwords or tokens, are not stored. */
export const storage = {
  getItem: (key) => localStorage.getItem(key),
  setItem: (key, value) => localStorage.setItem(key, COLLECTIONS.has(key) ? withoutHeaders(value) : withoutSecrets(value)),
  removeItem: (key) => localStorage.removeItem(key),
  get length() {
    return ownKeys().length;
  },
  clear() {
    ownKeys().forEach((key) => localStorage.removeItem(key));
  },
};

function ownKeys() {
  return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
}

function withoutHeaders(json) {
  const stored = (key, value) => {
    if (key === 'headers') return null;
    return typeof value === 'string' ? withoutSecrets(value) : value;
  };
  return JSON.stringify(JSON.parse(json), stored);
}

function withoutSecrets(text) {
  return text.replace(SECRET, '$1""');
}
