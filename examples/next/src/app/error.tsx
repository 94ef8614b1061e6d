'use client';

// Errors in this app itself. Failures of the service are shown by the pages, also without scripts (src/ui/failure-notice.tsx).

import { Notice } from '@/ui/notice';

export default function ErrorPage({ reset }: { reset: () => void }) {
  return (
    <main>
      <Notice title="Something went wrong" advice="The error was logged.">
        <button type="button" onClick={reset}>
          Try again
        </button>
      </Notice>
    </main>
  );
}
