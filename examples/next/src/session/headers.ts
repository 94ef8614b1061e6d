// Header fields by which the proxy tells pages and actions about a request. The proxy replaces what a client sends in them.

/** The path and query of the page. */
export const PATH = 'x-snapnote-path';
/** Why the tokens could not be renewed, as JSON. Absent if they are valid or the user is not signed in. */
export const RENEWAL_FAILURE = 'x-snapnote-renewal-failure';
