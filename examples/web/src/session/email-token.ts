import { useEffect, useState } from 'react';

const tokenOfAddress = () => new URLSearchParams(location.hash.slice(1)).get('token') ?? '';

/** The token of a link in an email. It follows the `#`, so no server sees it. It is removed from the address bar. */
export function useEmailToken(): string {
  const [token, setToken] = useState(tokenOfAddress);
  useEffect(() => {
    const take = () => {
      const given = tokenOfAddress();
      if (!given) return;
      setToken(given);
      history.replaceState(history.state, '', location.pathname);
    };
    take();
    // A second link of the same page, opened in this tab.
    addEventListener('hashchange', take);
    return () => removeEventListener('hashchange', take);
  }, []);
  return token;
}
