import { useEffect, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { describe } from '../api/request.ts';
import { signInExternally } from './account.ts';
import { pageOfSignIn } from './oidc.ts';
import type { SignedOutProps } from './signed-out.tsx';
import { RequestFailed } from '@snapnote/client';

/** A code can be used once, but React runs effects twice during development. */
let started: Promise<void> | undefined;

/** The page to which an external identity provider returns. */
export function Callback({ onSignedIn }: SignedOutProps) {
  const [, navigate] = useLocation();
  const [page] = useState(pageOfSignIn);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    started ??= signInExternally(new URLSearchParams(location.search));
    const finish = async () => {
      await started;
      navigate(page, { replace: true });
      await onSignedIn();
    };
    finish().catch((error: unknown) => {
      started = undefined;
      setProblem(error instanceof Error && !(error instanceof RequestFailed) ? error.message : describe(error));
    });
  }, [navigate, onSignedIn, page]);
  return (
    <>
      <h1>{problem ? 'Sign-in failed' : 'Signing in…'}</h1>
      <p className="form-problem" role="alert">
        {problem}
      </p>
      {problem && <Link href={page}>Back to sign-in</Link>}
    </>
  );
}
