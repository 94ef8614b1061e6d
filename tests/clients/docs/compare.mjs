// Compares a response in the documentation with the real one.

const UUID = /[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}/g;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** A text, in which `…` stands for any text, a UUID for any UUID, and a time in UTC for any time. */
export function matches(expected, actual) {
  const anything = expected.replaceAll(UUID, '\0u').replaceAll(TIME, '\0t').replaceAll('…', '\0*');
  const pattern = anything.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const parts = { '\0u': UUID.source, '\0t': TIME.source, '\0\\*': '[^]*' };
  return new RegExp(`^${pattern.replaceAll(/\0(?:u|t|\\\*)/g, (part) => parts[part])}$`).test(actual);
}

/**
 * The first difference, or undefined. Objects have the same keys and arrays the same length; an array that ends with "…" may continue.
 * Numbers, booleans and texts are equal, except for the parts of a text that vary.
 */
export function difference(expected, actual, path = '$') {
  const different = `${path}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`;
  if (typeof expected === 'string') return typeof actual === 'string' && matches(expected, actual) ? undefined : different;
  if (expected === null || typeof expected !== 'object') return expected === actual ? undefined : different;
  if (actual === null || typeof actual !== 'object' || Array.isArray(expected) !== Array.isArray(actual)) return different;
  const continues = Array.isArray(expected) && expected.at(-1) === '…';
  const wanted = continues ? expected.slice(0, -1) : expected;
  const keys = Object.keys(wanted);
  const missing = keys.find((key) => !(key in actual));
  if (missing !== undefined) return `${path}.${missing} is missing`;
  const additional = continues ? undefined : Object.keys(actual).find((key) => !(key in wanted));
  if (additional !== undefined) return `${path}.${additional} is not in the documentation`;
  for (const key of keys) {
    const found = difference(wanted[key], actual[key], `${path}.${key}`);
    if (found) return found;
  }
  return undefined;
}
