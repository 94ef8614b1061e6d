// The emails of the service, which are files in its data folder.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './browser.mjs';
import { APP, MAILS } from './processes.mjs';

function mails() {
  const names = existsSync(MAILS) ? readdirSync(MAILS) : [];
  return names.filter((name) => name.endsWith('.eml')).map((name) => readFileSync(join(MAILS, name), 'utf8'));
}

/** Waits for the email to a user that has a link to a page of the app. Returns the path of the link. */
export async function emailedLink({ email }, page) {
  let link;
  await eventually(() => {
    const text = mails().find((mail) => mail.includes(`\r\nTo: ${email}\r\n`) && mail.includes(`${APP}${page}#token=`));
    link = text?.split(/\s+/).find((word) => word.startsWith(`${APP}${page}#token=`));
    return link;
  }, `an email to ${email} with a link to ${page}`);
  return link.slice(APP.length);
}
