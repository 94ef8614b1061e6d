// A failure of the service, with the time after which to try again. The server renders it, so it needs no scripts.

import { headers } from 'next/headers';
import type { Failure } from '@/service/send';
import { describe } from '@/service/texts';
import { PATH } from '@/session/headers';
import { Notice } from '@/ui/notice';

export async function FailureNotice({ failure }: { failure: Failure }) {
  const path = (await headers()).get(PATH) ?? '/';
  return (
    <Notice {...describe(failure)}>
      <a href={path}>Try again</a>
    </Notice>
  );
}
