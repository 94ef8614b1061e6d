// Registers tests. They run at the same time, because each has devices and users of its own.

export const tests = [];

export function test(name, run) {
  tests.push({ name, run });
}

/** A test that runs alone, because it measures times. */
export function measure(name, run) {
  tests.push({ name, run, isAlone: true });
}
