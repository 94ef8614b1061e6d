import '@fontsource-variable/atkinson-hyperlegible-next/wght.css';
import '@fontsource-variable/stix-two-text/wght.css';
import '@fontsource-variable/stix-two-text/wght-italic.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/dialogs.css';
import './styles/gate.css';
import './styles/shell.css';
import './styles/screens.css';
import './styles/lists.css';
import './styles/notes.css';
import './styles/tasks.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/app.tsx';
import { applyTheme } from './ui/theme.ts';

applyTheme();
createRoot(document.querySelector('#root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  addEventListener('load', () => void navigator.serviceWorker.register('/sw.js').catch(() => {}));
}
