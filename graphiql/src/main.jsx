// The GraphiQL page: an editor, a form for headers and the manual of the API at /graphql.
// It loads nothing from elsewhere and runs under a policy without eval, blob: or inline scripts.

import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import EditorWorker from 'monaco-editor/esm/vs/editor/editor.worker.js?worker';
import JsonWorker from 'monaco-editor/esm/vs/language/json/json.worker.js?worker';
import GraphQLWorker from 'monaco-graphql/esm/graphql.worker.js?worker';

// Not graphiql/style.css: it holds Monaco's styles a second time, and web fonts.
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import 'graphiql/graphiql.css';
import './style.css';

import { fetcher } from './fetcher.js';
import headersTemplate from './headers.jsonc?raw';
import welcome from './welcome.graphql?raw';

const WORKERS = { graphql: GraphQLWorker, json: JsonWorker };
globalThis.MonacoEnvironment = {
  getWorker(_id, language) {
    const Worker = WORKERS[language] ?? EditorWorker;
    return new Worker();
  },
};

// What the variables tab accepts for the API's scalars; without it a JSONObject would be marked as a mistake.
const SCALARS = {
  DateTime: { type: 'string', format: 'date-time' },
  JSONObject: { type: 'object' },
  URL: { type: 'string', format: 'uri' },
};

/** Ends what runs when another tab is opened: GraphiQL does so between tabs, but a new tab would get the old one's events. */
function StopWithTab() {
  const tab = useGraphiQL(({ tabs, activeTabIndex }) => tabs[activeTabIndex]?.id);
  const { stop } = useGraphiQLActions();
  useEffect(() => stop, [tab, stop]);
  return null;
}

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={fetcher}
    defaultQuery={welcome}
    defaultHeaders={headersTemplate.trim()}
    defaultEditorToolsVisibility="headers"
    customScalarSchemas={SCALARS}
    // Tokens must not lie in the browser's storage: the headers are not kept, nor is the history, which would hold them.
    shouldPersistHeaders={false}
    plugins={[]}
  >
    <GraphiQL.Logo>SnapNote</GraphiQL.Logo>
    <StopWithTab />
  </GraphiQL>,
);
