// The GraphiQL page: an editor, an explorer and the documentation of the API at /graphql, with a sign-in and a list of events.
// It loads nothing from other origins and runs under a Content-Security-Policy without eval, blob: or inline scripts.

import { explorerPlugin } from '@graphiql/plugin-explorer';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { useGraphiQL, useGraphiQLActions, useMonaco } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import EditorWorker from 'monaco-editor/esm/vs/editor/editor.worker.js?worker';
import JsonWorker from 'monaco-editor/esm/vs/language/json/json.worker.js?worker';
import GraphQLWorker from 'monaco-graphql/esm/graphql.worker.js?worker';

// graphiql/style.css is not used, because it contains Monaco's styles a second time, and web fonts.
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './style.css';

import { Account } from './account.jsx';
import { EventList } from './event-list.jsx';
import { openTab } from './events.js';
import { fetcher } from './fetcher.js';
import headersTemplate from './headers.jsonc?raw';
import { storage } from './storage.js';
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

const EXPLORER = explorerPlugin({ showAttribution: false });
const PLUGINS = [EXPLORER, HISTORY_PLUGIN];

/** Stops the running operation when a tab is opened. GraphiQL does so between existing tabs only, and a new tab would show the old events. */
function StopWithTab() {
  const tab = useGraphiQL(({ tabs, activeTabIndex }) => tabs[activeTabIndex]?.id);
  const { stop } = useGraphiQLActions();
  useEffect(() => {
    openTab(tab);
    return stop;
  }, [tab, stop]);
  return null;
}

/** Keeps the editors in the system's theme. GraphiQL's own styles follow it, but its editors read it only at the start. */
function FollowSystemTheme() {
  const theme = useGraphiQL(({ theme }) => theme);
  const { setTheme } = useGraphiQLActions();
  const isReady = useMonaco(({ monaco }) => Boolean(monaco));
  useEffect(() => {
    if (theme !== null || !isReady) return undefined;
    const follow = () => setTheme(null);
    const system = matchMedia('(prefers-color-scheme: dark)');
    follow();
    system.addEventListener('change', follow);
    return () => system.removeEventListener('change', follow);
  }, [theme, setTheme, isReady]);
  return null;
}

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={fetcher}
    storage={storage}
    defaultQuery={welcome}
    defaultHeaders={headersTemplate.trim()}
    defaultEditorToolsVisibility="variables"
    customScalarSchemas={SCALARS}
    shouldPersistHeaders={false}
    plugins={PLUGINS}
  >
    <GraphiQL.Logo>
      <span className="product">SnapNote</span>
      <Account />
    </GraphiQL.Logo>
    <GraphiQL.Footer>
      <EventList />
    </GraphiQL.Footer>
    <StopWithTab />
    <FollowSystemTheme />
  </GraphiQL>,
);
