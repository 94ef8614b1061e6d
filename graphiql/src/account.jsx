// The button and the dialog to sign in, and the name of the user who is signed in.

import { Button, Dialog } from '@graphiql/react';
import { useState } from 'react';
import { signIn, signOut, useSession } from './session.js';

export function Account() {
  const email = useSession(({ email }) => email);
  const [isOpen, setIsOpen] = useState(false);
  // A failed sign-out request needs no message: the page has forgotten the tokens.
  const leave = () => signOut().catch(() => {});
  return (
    <div className="account">
      {email && (
        <span className="account-email" title={`Requests run as ${email}`}>
          {email}
        </span>
      )}
      <Button type="button" onClick={email ? leave : () => setIsOpen(true)}>
        {email ? 'Sign out' : 'Sign in'}
      </Button>
      <Dialog open={isOpen} onOpenChange={setIsOpen}>
        <div className="graphiql-dialog-header">
          <Dialog.Title className="graphiql-dialog-title">Sign in</Dialog.Title>
          <Dialog.Close />
        </div>
        <SignInForm onSignedIn={() => setIsOpen(false)} />
      </Dialog>
    </div>
  );
}

function SignInForm({ onSignedIn }) {
  const [error, setError] = useState('');
  const [isSending, setIsSending] = useState(false);

  async function submit(event) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setIsSending(true);
    setError('');
    try {
      await signIn(form.get('email'), form.get('password'));
      onSignedIn();
    } catch ({ message }) {
      setError(message);
      setIsSending(false);
    }
  }

  return (
    <form className="sign-in" onSubmit={submit}>
      <Dialog.Description>
        Requests and subscriptions of all tabs then run as this user. The tokens stay in this page’s memory until you sign out, reload or
        close it. To create a user, run <code>SignUp</code> in the editor.
      </Dialog.Description>
      <label>
        Email
        <input name="email" type="email" autoComplete="username" required autoFocus />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <p role="alert">{error}</p>
      <Button type="submit" disabled={isSending}>
        {isSending ? 'Signing in …' : 'Sign in'}
      </Button>
    </form>
  );
}
