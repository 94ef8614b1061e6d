import react from '@vitejs/plugin-react';
import { defineConfig, loadEnv } from 'vite';
import { contentSecurityPolicy } from './build/content-security-policy.ts';
import { serviceWorker } from './build/service-worker.ts';
import { woff2Only } from './build/woff2-only.ts';

export default defineConfig(({ mode }) => ({
  plugins: [react(), woff2Only(), contentSecurityPolicy(loadEnv(mode, '.')), serviceWorker()],
  // The client package has its own development dependencies, so React could be bundled twice.
  resolve: { dedupe: ['react', 'react-dom', 'graphql'] },
  // The links in the service's emails open http://localhost:3000 by default.
  server: { port: 3000, strictPort: true },
  preview: { port: 3000, strictPort: true },
  build: {
    target: 'es2023',
    // data: URLs would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
}));
