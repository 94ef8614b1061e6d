import { authorizedFetch } from '@snapnote/client';
import { graphcacheConfig, snapnoteExchange } from '@snapnote/client/urql';
import { cacheExchange } from '@urql/exchange-graphcache';
import { createRoot } from 'react-dom/client';
import { Client, fetchExchange, gql, Provider, useMutation, useQuery } from 'urql';
import { client, session, url } from './client.js';

const exchanges = [snapnoteExchange({ client }), cacheExchange(graphcacheConfig), fetchExchange];
const urql = new Client({ url, fetch: authorizedFetch(session), exchanges, preferGetMethod: false, requestPolicy: 'cache-and-network' });
const TASKS = gql`query { tasks(filter: { completed: false }) { nodes { id title } } }`;
const FINISH = gql`mutation ($ids: [ID!]!) { completeTasks(input: { ids: $ids }) { tasks { id completed } } }`;

function Tasks() {
  const [{ data }] = useQuery<{ tasks: { nodes: { id: string; title: string }[] } }>({ query: TASKS });
  const [, finish] = useMutation(FINISH);
  return data?.tasks.nodes.map(({ id, title }) => <button key={id} onClick={() => finish({ ids: [id] })}>Finish {title}</button>);
}
createRoot(document.querySelector('main')!).render(<Provider value={urql}><Tasks /></Provider>);
