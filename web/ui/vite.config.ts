import { svelte } from '@sveltejs/vite-plugin-svelte';
import { resolve } from 'node:path';
import { defineConfig } from 'vite';

const page = (name: string) => resolve(import.meta.dirname, `${name}.html`);

export default defineConfig({
  plugins: [svelte()],
  worker: { format: 'es' },
  build: {
    outDir: '../static',
    emptyOutDir: true,
    target: 'es2022',
    // Our pages send "default-src 'self'": nothing may become a data: address or an inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // MapLibre is one big file by nature; it is loaded after the page stands.
    chunkSizeWarningLimit: 1500,
    rollupOptions: {
      input: {
        index: page('index'),
        call: page('call'),
        board: page('board'),
        unit: page('unit'),
        agency: page('agency'),
        track: page('track'),
        figures: page('figures'),
      },
    },
  },
  server: {
    port: 5173,
    proxy: { '/api': { target: process.env['SIAGA_API'] ?? 'http://127.0.0.1:8112', ws: true } },
  },
});
