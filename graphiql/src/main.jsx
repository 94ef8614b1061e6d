// The GraphiQL page: an editor, a Headers tab and the documentation of the API at /graphql.
// It loads nothing from other origins and runs under a Content-Security-Policy without eval, blob: or inline scripts.

import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import EditorWorker from 'monaco-editor/esm/vs/editor/editor.worker.js?worker';
import JsonWorker from 'monaco-editor/esm/vs/language/json/json.worker.js?worker';
import GraphQLWorker from 'monaco-graphql/esm/graphql.worker.js?worker';

// graphiql/style.css is not used, because it contains Monaco's styles a second time, and web fonts.
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

// JSON schemas of the API's scalars for the Variables tab. Without them, a JSONObject would be marked as an error.
const SCALARS = {
  DateTime: { type: 'string', format: 'date-time' },
  JSONObject: { type: 'object' },
  URL: { type: 'string', format: 'uri' },
};

/** Stops the running operation when a tab is opened. GraphiQL does so between existing tabs only, and a new tab would show the old events. */
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
    // Keeps tokens out of the browser's storage: headers are not persisted, and the history plugin, which contains them, is off.
    shouldPersistHeaders={false}
    plugins={[]}
  >
    <GraphiQL.Logo>SnapNote</GraphiQL.Logo>
    <StopWithTab />
  </GraphiQL>,
);
