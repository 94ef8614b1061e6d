import { useClient } from '@snapnote/client/react';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { describe, send } from '../api/request.ts';
import { graphql } from '../gql/index.ts';
import { Screen } from '../ui/screen.tsx';

const VERIFY = graphql(`
  mutation VerifyEmail($token: String!) {
    verifyEmail(input: { token: $token }) {
      user {
        id
        email
      }
      userErrors {
        message
      }
    }
  }
`);

/** The page of the link in an email that verifies or changes the address. */
export default function VerifyEmailScreen() {
  const client = useClient();
  const [result, setResult] = useState('Verifying…');
  useEffect(() => {
    const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
    send(client, VERIFY, { token }).then(
      ({ verifyEmail }) => setResult(verifyEmail?.user ? `${verifyEmail.user.email} is verified.` : 'This link has expired or was used.'),
      (error: unknown) => setResult(describe(error)),
    );
  }, [client]);
  return (
    <Screen title="Your email address">
      <p role="status">{result}</p>
      <p>
        <Link href="/account">Go to your account</Link>
      </p>
    </Screen>
  );
}
