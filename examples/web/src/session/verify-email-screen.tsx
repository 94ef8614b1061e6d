import { useClient } from '@snapnote/client/react';
import { useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { describe, send } from '../api/request.ts';
import type { VerifyEmailMutation } from '../gql/graphql.ts';
import { graphql } from '../gql/index.ts';
import { Screen } from '../ui/screen.tsx';
import { useEmailToken } from './email-token.ts';

const VERIFY = graphql(`
  mutation VerifyEmail($token: String!) {
    verifyEmail(input: { token: $token }) {
      user {
        id
        email
      }
      userErrors {
        code
        message
      }
    }
  }
`);

const UNUSABLE = 'This link has expired, was used, or belongs to another account.';

function textOf(result: VerifyEmailMutation['verifyEmail']): string {
  if (result?.user) return `${result.user.email} is verified.`;
  const error = result?.userErrors[0];
  return error && error.code !== 'INVALID_TOKEN' ? error.message : UNUSABLE;
}

/** The page of the link in an email that verifies or changes the address. */
export default function VerifyEmailScreen() {
  const token = useEmailToken();
  return (
    <Screen title="Your email address">
      <div className="form">
        <p role="status">{token ? <Verification key={token} token={token} /> : 'Open the link in the email again.'}</p>
        <Link href="/account" className="form-aside">
          Go to your account
        </Link>
      </div>
    </Screen>
  );
}

/** Uses a token. Returns the result as a text. */
function Verification({ token }: { token: string }) {
  const client = useClient();
  const [result, setResult] = useState('Verifying…');
  /** A token can be used once, but React runs effects twice during development. */
  const isSent = useRef(false);
  useEffect(() => {
    if (isSent.current) return;
    isSent.current = true;
    send(client, VERIFY, { token }).then(
      ({ verifyEmail }) => setResult(textOf(verifyEmail)),
      (error: unknown) => setResult(describe(error)),
    );
  }, [client, token]);
  return result;
}
