import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { useMutation, useQuery } from '@apollo/client/react';
import { authorizedFetch } from '@snapnote/client';
import { defaultOptions, followChanges, snapnoteLink, typePolicies } from '@snapnote/client/apollo';
import { createRoot } from 'react-dom/client';
import { client, session, url } from './client.js';

const link = ApolloLink.from([snapnoteLink({ client }), new HttpLink({ uri: url, fetch: authorizedFetch(session) })]);
const apollo = new ApolloClient({ link, cache: new InMemoryCache({ typePolicies }), defaultOptions });
followChanges(apollo, client);
const TASKS = gql`query { tasks(filter: { completed: false }) { nodes { id title } } }`;
const FINISH = gql`mutation ($ids: [ID!]!) { completeTasks(input: { ids: $ids }) { tasks { id completed } } }`;

function Tasks() {
  const { data } = useQuery<{ tasks: { nodes: { id: string; title: string }[] } }>(TASKS, { client: apollo });
  const [finish] = useMutation(FINISH, { client: apollo });
  return data?.tasks.nodes.map(({ id, title }) => <button key={id} onClick={() => finish({ variables: { ids: [id] } })}>Finish {title}</button>);
}
createRoot(document.querySelector('main')!).render(<Tasks />);
