import Link from 'next/link';
import type { ReactNode } from 'react';

export default function AppLayout({ children }: { children: ReactNode }) {
  return (
    <>
      <header>
        <Link className="brand" href="/courses">
          SnapNote
        </Link>
        <form method="post" action="/session/sign-out">
          <button>Sign out</button>
        </form>
      </header>
      <main>{children}</main>
    </>
  );
}
