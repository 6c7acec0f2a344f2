/** Times in WIB, durations, distances and telephone numbers, as people read them aloud. */

import { speaking } from './language.svelte';

const WIB = 'Asia/Jakarta';
const locale = () => (speaking.language === 'id' ? 'id-ID' : 'en-GB');

const shapes = {
  clock: { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  time: { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  day: { weekday: 'short', day: 'numeric', month: 'short' },
  date: { day: 'numeric', month: 'long', year: 'numeric' },
  full: {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;

const made = new Map<string, Intl.DateTimeFormat>();

/** id-ID writes 21.04.05 with dots; a control room reads 21:04:05 in either language. */
export function wib(at: string | number | Date | null | undefined, shape: keyof typeof shapes): string {
  if (at === null || at === undefined) return '–';
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return '–';
  const key = `${locale()} ${shape}`;
  let format = made.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(locale(), { ...shapes[shape], timeZone: WIB });
    made.set(key, format);
  }
  return format
    .format(date)
    .replace(/(\d{2})\.(\d{2})(?:\.(\d{2}))?/, (_, h: string, m: string, s?: string) =>
      s === undefined ? `${h}:${m}` : `${h}:${m}:${s}`,
    );
}

export function secondsBetween(from: string | null | undefined, to: number): number {
  return from ? Math.max(0, Math.floor((to - Date.parse(from)) / 1000)) : 0;
}

/** 75 → "1:15", 3700 → "1:01:40": for timers that run. */
export function timer(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  const h = Math.floor(s / 3600);
  return h > 0
    ? `${h}:${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`
    : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

/** 45 → "45 d", 400 → "6 m", 9000 → "2 j 30 m": for ages in lists. */
export function age(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return '–';
  const [d, m, j, h] = speaking.language === 'id' ? ['dtk', 'mnt', 'jam', 'hr'] : ['s', 'min', 'h', 'd'];
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} ${d}`;
  if (s < 3600) return `${Math.floor(s / 60)} ${m}`;
  if (s < 86400) return `${Math.floor(s / 3600)} ${j} ${Math.floor((s % 3600) / 60)} ${m}`;
  return `${Math.floor(s / 86400)} ${h}`;
}

export function distance(metres: number | null | undefined): string {
  if (metres === null || metres === undefined) return '–';
  if (metres < 100) return `${Math.round(metres)} m`;
  if (metres < 1000) return `${Math.round(metres / 10) * 10} m`;
  const km = (metres / 1000).toFixed(1);
  return `${speaking.language === 'id' ? km.replace('.', ',') : km} km`;
}

/** 081234567890 → "0812-3456-7890"; anything we do not know stays as it is. */
export function telephone(number: string | null | undefined): string {
  if (!number) return '–';
  const local = number.startsWith('+62') ? `0${number.slice(3)}` : number;
  if (/^08\d{7,12}$/.test(local)) {
    return [local.slice(0, 4), local.slice(4, 8), local.slice(8)].filter(Boolean).join('-');
  }
  if (/^0\d{9,11}$/.test(local)) return `(${local.slice(0, 3)}) ${local.slice(3, 7)}-${local.slice(7)}`;
  return number;
}
