// Apollo Client with automatic persisted queries. It sends a hash first, and the document if the service does not know the hash. Prints the
// names that it reads and the number of its requests: first by POST, then with another client by GET. Arguments: URL, ACCESS TOKEN.
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { createHash } from 'node:crypto';

const [url, token] = process.argv.slice(2);
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

for (const useGETForHashedQueries of [false, true]) {
  let requests = 0;
  const http = new HttpLink({
    uri: url,
    headers: { authorization: `Bearer ${token}` },
    fetch: (...request) => (requests++, fetch(...request)),
  });
  const link = new PersistedQueryLink({ sha256, useGETForHashedQueries }).concat(http);
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  const names = [];
  for (const query of [gql`query A { me { id name } }`, gql`query B { me { id email } }`]) {
    const { data } = await client.query({ query });
    names.push(data.me.name ?? data.me.email);
  }
  console.log(JSON.stringify({ names, requests }));
}
