/** Where this device is, told no oftener than anybody needs to know. */

import { onMount } from 'svelte';
import type { Fix } from '../../lib/link.svelte';

const LEAST_MS = 4000;
const MOST_MS = 15_000;
const MOVED_M = 8;

interface Point {
  lat: number;
  lon: number;
}

export function metresBetween(a: Point | null, b: Point | null): number | null {
  if (!a || !b) return null;
  const rad = Math.PI / 180;
  const half = (angle: number) => Math.sin((angle * rad) / 2) ** 2;
  const h = half(b.lat - a.lat) + Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * half(b.lon - a.lon);
  return 2 * 6_371_000 * Math.asin(Math.sqrt(h));
}

/** Call while a component is made. Problems: "denied", "unavailable", "none". */
export function follow(tellThem: (fix: Fix) => void) {
  const here = $state<{ fix: Fix | null; problem: string | null }>({ fix: null, problem: null });
  let told: Fix | null = null;
  let toldAt = 0;

  function found({ coords, timestamp }: GeolocationPosition) {
    const fix: Fix = {
      lat: coords.latitude,
      lon: coords.longitude,
      accuracy_m: Math.min(coords.accuracy, 100_000),
      ...(coords.speed !== null && coords.speed >= 0 ? { speed_mps: Math.min(coords.speed, 400) } : {}),
      ...(coords.heading !== null && !Number.isNaN(coords.heading) ? { heading: coords.heading } : {}),
      at: new Date(timestamp).toISOString(),
    };
    here.fix = fix;
    here.problem = null;
    maybeTell();
  }

  function maybeTell() {
    const fix = here.fix;
    if (!fix) return;
    const since_ms = Date.now() - toldAt;
    const moved = told === null || (metresBetween(told, fix) ?? 0) > MOVED_M;
    if (!((moved && since_ms > LEAST_MS) || since_ms > MOST_MS)) return;
    told = fix;
    toldAt = Date.now();
    tellThem({ ...fix, at: new Date().toISOString() });
  }

  onMount(() => {
    if (!('geolocation' in navigator)) {
      here.problem = 'none';
      return;
    }
    const watch = navigator.geolocation.watchPosition(
      found,
      (error) => (here.problem = error.code === error.PERMISSION_DENIED ? 'denied' : 'unavailable'),
      { enableHighAccuracy: true, maximumAge: 5000, timeout: 30_000 },
    );
    // A vehicle that stands is still somewhere: its position stays fresh.
    const again = setInterval(maybeTell, 5000);
    return () => {
      navigator.geolocation.clearWatch(watch);
      clearInterval(again);
    };
  });
  return here;
}
