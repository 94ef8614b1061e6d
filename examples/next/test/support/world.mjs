/** What the tests share: the relay and the browser. It is filled before they run. */
export const world = {};
