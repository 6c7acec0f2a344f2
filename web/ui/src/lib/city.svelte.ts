/** What the city pack says: kinds of incident, categories, agencies, the names of its areas. */

import { get } from './api';
import type { Config } from './types';
import { named } from './words';

interface AreaName {
  code: string;
  name: string;
  district?: string;
}

const KEPT_AS = 'siaga.config';

class City {
  config = $state<Config | null>(null);
  #areas = $state<Record<string, AreaName>>({});

  async load(): Promise<Config> {
    try {
      const config = await get<Config>('/config');
      this.config = config;
      localStorage.setItem(KEPT_AS, JSON.stringify(config));
    } catch (cause) {
      // The list of types of yesterday is far better than none while the desk is away.
      const kept = localStorage.getItem(KEPT_AS);
      if (!kept) throw cause;
      this.config = JSON.parse(kept) as Config;
    }
    return this.config;
  }

  learnAreas(areas: AreaName[]): void {
    const next = { ...this.#areas };
    for (const area of areas) next[area.code] = area;
    this.#areas = next;
  }

  typeName = (code: string | null | undefined, otherwise = '–'): string =>
    code
      ? named(
          this.config?.types.find((type) => type.code === code),
          code,
        )
      : otherwise;

  categoryName = (code: string | null | undefined): string =>
    code
      ? named(
          this.config?.categories.find((category) => category.code === code),
          code,
        )
      : '–';

  agencyName = (code: string | null | undefined): string =>
    code
      ? named(
          this.config?.agencies.find((agency) => agency.code === code),
          code,
        )
      : '–';

  /** "Kel. Sukasari, Kec. Tangerang": the same names recur at both levels, so both are always said. */
  areaName = (kelurahan: string | null | undefined, kecamatan?: string | null): string => {
    const area = kelurahan ? this.#areas[kelurahan] : undefined;
    const districtCode = kecamatan ?? (kelurahan ? kelurahan.split('.').slice(0, 3).join('.') : null);
    const district = (districtCode ? this.#areas[districtCode]?.name : undefined) ?? area?.district;
    const parts = [area ? `Kel. ${area.name}` : null, district ? `Kec. ${district}` : null].filter(Boolean);
    return parts.length > 0 ? parts.join(', ') : (kelurahan ?? kecamatan ?? '');
  };
}

export const city = new City();
