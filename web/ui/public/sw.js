// Keeps the crew's page openable without a network. It never answers for the interface: only files and what the map needs.
const KEPT = 'siaga-unit-1';
const FILES = ['/unit', '/icon.svg', '/manifest.webmanifest'];

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(KEPT)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

async function freshOrKept(request, name) {
  const cache = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(name ?? request, answer.clone());
    return answer;
  } catch (cause) {
    const kept = await cache.match(name ?? request);
    if (kept) return kept;
    throw cause;
  }
}

// Files under /assets/ carry a hash of their content in their name: a kept one is always right.
async function keptOrFresh(request) {
  const cache = await caches.open(KEPT);
  return (await cache.match(request)) ?? freshOrKept(request);
}

self.addEventListener('message', (event) => {
  const files = event.data.filter((name) => new URL(name).pathname.startsWith('/assets/'));
  event.waitUntil(Promise.allSettled(files.map((name) => keptOrFresh(new Request(name)))));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  if (request.mode === 'navigate' && url.pathname === '/unit')
    event.respondWith(freshOrKept(request, '/unit'));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(keptOrFresh(request));
  else if (url.pathname === '/api/v1/config' || url.pathname.startsWith('/api/v1/areas/'))
    event.respondWith(freshOrKept(request));
});
