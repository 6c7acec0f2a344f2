/** The consoles' words. The citizens' page has its own, shorter list. */

import { en } from '../../messages/en';
import { id } from '../../messages/id';
import { catalogue, speaking } from './language.svelte';

export const { say, sayCode } = catalogue(id, en);

/** A thing from the city pack in the reader's language. */
export const named = (
  thing: { name: string; name_en: string | null } | undefined,
  otherwise = '–',
): string => (thing ? (speaking.language === 'en' ? thing.name_en || thing.name : thing.name) : otherwise);
