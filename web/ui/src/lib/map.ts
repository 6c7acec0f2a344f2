/** The city drawn from its own boundaries: no network, no fonts to fetch, the machine's own letters. */

import type { FeatureCollection } from 'geojson';
import type { StyleSpecification } from 'maplibre-gl';
import { API } from './api';
import { city } from './city.svelte';

export interface MapPoint {
  id: string;
  kind: 'incident' | 'unit';
  lat: number;
  lon: number;
  label: string;
  /** Which picture: "p1"…"p5" for incidents, "free" | "busy" | "off" for units. */
  look: string;
  chosen: boolean;
}

export interface Boundaries {
  kelurahan: FeatureCollection;
  kecamatan: FeatureCollection;
  kota: FeatureCollection;
  neighbours: FeatureCollection;
  attribution: string;
}

const NOTHING: FeatureCollection = { type: 'FeatureCollection', features: [] };
let asked: Promise<Boundaries> | null = null;

async function area(name: string): Promise<FeatureCollection & { attribution?: string }> {
  const answer = await fetch(`${API}/areas/${name}.geojson`, { credentials: 'same-origin' });
  if (!answer.ok) throw new Error(`no boundaries of ${name}: ${answer.status}`);
  return (await answer.json()) as FeatureCollection;
}

/** Fetched once a page; a failure is forgotten, so that the next map asks again. */
export function boundaries(): Promise<Boundaries> {
  asked ??= Promise.all([
    area('kelurahan'),
    area('kecamatan'),
    area('kota'),
    area('neighbours').catch(() => NOTHING),
  ])
    .then(([kelurahan, kecamatan, kota, neighbours]) => {
      for (const areas of [kecamatan, kelurahan]) {
        city.learnAreas(
          areas.features.map(({ properties }) => ({
            code: String(properties?.['code']),
            name: String(properties?.['name']),
            ...(properties?.['district'] ? { district: String(properties['district']) } : {}),
          })),
        );
      }
      return { kelurahan, kecamatan, kota, neighbours, attribution: kelurahan.attribution ?? '' };
    })
    .catch((cause: unknown) => {
      asked = null;
      throw cause;
    });
  return asked;
}

const INK = {
  light: {
    ground: '#dfe5ea',
    city: '#f7f9fa',
    outside: '#e6ebef',
    line: '#b3bfca',
    district: '#6d7f8f',
    edge: '#33414e',
    words: '#2a3743',
    halo: '#ffffff',
    sure: '#0b57a4',
  },
  dark: {
    ground: '#0a0f12',
    city: '#18222a',
    outside: '#10171c',
    line: '#31414d',
    district: '#5f7484',
    edge: '#93a7b6',
    words: '#c9d6e0',
    halo: '#0a0f12',
    sure: '#6db3f7',
  },
};

const FONT = ['sans-serif'];

export function style(areas: Boundaries, dark: boolean, tiles: string | null): StyleSpecification {
  const ink = dark ? INK.dark : INK.light;
  const names = (id: string, source: string, size: number, from: number, to: number) => ({
    id,
    type: 'symbol' as const,
    source,
    minzoom: from,
    maxzoom: to,
    layout: {
      'text-field': ['get', 'name'] as ['get', string],
      'text-font': FONT,
      'text-size': size,
      'text-padding': 6,
      'text-max-width': 7,
    },
    paint: { 'text-color': ink.words, 'text-halo-color': ink.halo, 'text-halo-width': 1.4 },
  });
  const hasTiles = tiles?.includes('{z}') ?? false;
  return {
    version: 8,
    sources: {
      ...(hasTiles && tiles ? { tiles: { type: 'raster', tiles: [tiles], tileSize: 256 } } : {}),
      neighbours: { type: 'geojson', data: areas.neighbours },
      kota: { type: 'geojson', data: areas.kota },
      kecamatan: { type: 'geojson', data: areas.kecamatan },
      kelurahan: { type: 'geojson', data: areas.kelurahan },
      kecamatanNames: { type: 'geojson', data: middles(areas.kecamatan) },
      kelurahanNames: { type: 'geojson', data: middles(areas.kelurahan) },
      reach: { type: 'geojson', data: NOTHING },
      points: { type: 'geojson', data: NOTHING },
    },
    layers: [
      { id: 'ground', type: 'background', paint: { 'background-color': ink.ground } },
      { id: 'outside', type: 'fill', source: 'neighbours', paint: { 'fill-color': ink.outside } },
      { id: 'city', type: 'fill', source: 'kota', paint: { 'fill-color': ink.city } },
      ...(hasTiles ? [{ id: 'tiles', type: 'raster' as const, source: 'tiles' }] : []),
      {
        id: 'outside-line',
        type: 'line',
        source: 'neighbours',
        paint: { 'line-color': ink.line, 'line-width': 0.5 },
      },
      {
        id: 'kelurahan-line',
        type: 'line',
        source: 'kelurahan',
        paint: { 'line-color': ink.line, 'line-width': 0.8 },
      },
      {
        id: 'kecamatan-line',
        type: 'line',
        source: 'kecamatan',
        paint: { 'line-color': ink.district, 'line-width': 1.3, 'line-dasharray': [3, 2] },
      },
      { id: 'edge', type: 'line', source: 'kota', paint: { 'line-color': ink.edge, 'line-width': 2 } },
      {
        id: 'reach',
        type: 'fill',
        source: 'reach',
        // A circle as wide as a district would tint the whole map: then its edge is enough.
        filter: ['<=', ['get', 'radius_m'], 2000],
        paint: { 'fill-color': ink.sure, 'fill-opacity': 0.16 },
      },
      {
        id: 'reach-edge',
        type: 'line',
        source: 'reach',
        paint: { 'line-color': ink.sure, 'line-width': 1.5 },
      },
      names('kecamatan-name', 'kecamatanNames', 13, 0, 12.6),
      names('kelurahan-name', 'kelurahanNames', 12, 12.6, 24),
      {
        id: 'points',
        type: 'symbol',
        source: 'points',
        layout: {
          'icon-image': ['get', 'look'],
          'icon-size': ['case', ['get', 'chosen'], 1.25, 1],
          'icon-allow-overlap': true,
          'icon-ignore-placement': true,
          'symbol-sort-key': ['case', ['get', 'chosen'], 2, ['==', ['get', 'kind'], 'incident'], 1, 0],
          'text-field': ['get', 'label'],
          'text-font': FONT,
          'text-size': 11,
          'text-anchor': 'top',
          'text-offset': [0, 0.9],
          'text-optional': true,
        },
        paint: { 'text-color': ink.words, 'text-halo-color': ink.halo, 'text-halo-width': 1.6 },
      },
    ],
  };
}

/** Names stand at the point the data gives for each area, once, not once a tile. */
function middles(areas: FeatureCollection): FeatureCollection {
  return {
    type: 'FeatureCollection',
    features: areas.features.map((feature) => ({
      type: 'Feature',
      properties: { name: String(feature.properties?.['name']) },
      geometry: {
        type: 'Point',
        coordinates: [Number(feature.properties?.['lon']), Number(feature.properties?.['lat'])],
      },
    })),
  };
}

export function pointsData(points: MapPoint[]): FeatureCollection {
  return {
    type: 'FeatureCollection',
    features: points.map(({ id, kind, lat, lon, label, look, chosen }) => ({
      type: 'Feature',
      properties: { id, kind, label, look, chosen },
      geometry: { type: 'Point', coordinates: [lon, lat] },
    })),
  };
}

/** A circle of so many metres: how sure we are of the place. */
export function reachData(lat: number, lon: number, radius_m: number | null): FeatureCollection {
  if (!radius_m || radius_m < 1) return NOTHING;
  const north = radius_m / 111_320;
  const east = north / Math.cos((lat * Math.PI) / 180);
  const ring = Array.from({ length: 49 }, (_, i) => {
    const turn = (i / 48) * 2 * Math.PI;
    return [lon + east * Math.cos(turn), lat + north * Math.sin(turn)];
  });
  return {
    type: 'FeatureCollection',
    features: [
      { type: 'Feature', properties: { radius_m }, geometry: { type: 'Polygon', coordinates: [ring] } },
    ],
  };
}

const PRIORITY_INK = ['#b0121f', '#b44600', '#7a5a00', '#0b57a4', '#52606d'];

/** Pictures drawn here: incidents are diamonds with their priority, units are squares. */
export function pictures(): Record<string, ImageData> {
  const made: Record<string, ImageData> = {};
  PRIORITY_INK.forEach((ink, i) => {
    made[`p${i + 1}`] = draw((pen) => {
      pen.translate(24, 24);
      pen.rotate(Math.PI / 4);
      box(pen, -14, 28, ink);
      pen.rotate(-Math.PI / 4);
      letter(pen, String(i + 1));
    });
  });
  made['free'] = draw((pen) => box(pen, 13, 22, '#14693a'));
  made['busy'] = draw((pen) => {
    box(pen, 13, 22, '#7a3a9c');
    pen.translate(24, 24);
    letter(pen, '›');
  });
  made['off'] = draw((pen) => {
    pen.globalAlpha = 0.75;
    box(pen, 15, 18, '#76838f');
  });
  return made;
}

function draw(paint: (pen: CanvasRenderingContext2D) => void): ImageData {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 48;
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  if (!pen) throw new Error('no 2d canvas');
  paint(pen);
  return pen.getImageData(0, 0, 48, 48);
}

function box(pen: CanvasRenderingContext2D, from: number, size: number, ink: string): void {
  pen.beginPath();
  pen.roundRect(from, from, size, size, 4);
  pen.fillStyle = ink;
  pen.fill();
  pen.lineWidth = 3;
  pen.strokeStyle = '#ffffff';
  pen.stroke();
}

function letter(pen: CanvasRenderingContext2D, text: string): void {
  pen.fillStyle = '#ffffff';
  pen.font = '700 20px sans-serif';
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.fillText(text, 0, 1);
}
