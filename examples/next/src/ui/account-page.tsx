// What the pages of sign-in and sign-up share.

import { describe, isUserErrorCode, textsByField } from '@/service/texts';
import { pathOf } from '@/session/begin';
import { AccountForm } from '@/ui/account-form';

export interface AccountPageProps {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}

/** The error in the address, after a form without scripts. */
function problemOf(code: unknown, retryAfterMs: unknown): string | undefined {
  if (typeof code !== 'string') return undefined;
  if (isUserErrorCode(code)) return textsByField([{ code, field: null }])['form'];
  const { title, advice } = describe({ code, retryAfterMs: Number(retryAfterMs) || null });
  return `${title}. ${advice}`;
}

export async function AccountPage({ searchParams, isNew }: AccountPageProps & { isNew: boolean }) {
  const { code, retryAfterMs, next: wanted } = await searchParams;
  const next = pathOf(wanted);
  const title = isNew ? 'Create an account' : 'Sign in';
  const other = `${isNew ? '/sign-in' : '/sign-up'}?next=${encodeURIComponent(next)}`;
  return (
    <main className="gate">
      <title>{`${title} – SnapNote`}</title>
      <p className="brand">SnapNote</p>
      <h1>{title}</h1>
      <AccountForm
        action={isNew ? '/session/sign-up' : '/session/sign-in'}
        submit={isNew ? 'Create account' : 'Sign in'}
        next={next}
        hasName={isNew}
        problem={problemOf(code, retryAfterMs)}
      />
      <p>
        <a href={other}>{isNew ? 'I have an account' : 'Create an account'}</a>
      </p>
    </main>
  );
}
