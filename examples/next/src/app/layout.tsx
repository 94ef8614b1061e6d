import type { Metadata } from 'next';
import { connection } from 'next/server';
import type { ReactNode } from 'react';
import './globals.css';

export const metadata: Metadata = { description: 'Notes and tasks by course' };

export default async function Layout({ children }: { children: ReactNode }) {
  // No page is rendered at build time, because each response has its own nonce for scripts.
  await connection();
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
