/** Which language the screen speaks. Indonesian unless a person chose English. */

export type Language = 'id' | 'en';

const KEPT_AS = 'siaga.language';

function remembered(): Language {
  try {
    return localStorage.getItem(KEPT_AS) === 'en' ? 'en' : 'id';
  } catch {
    return 'id';
  }
}

class Speaking {
  language = $state<Language>(remembered());

  set(language: Language): void {
    this.language = language;
    document.documentElement.lang = language;
    try {
      localStorage.setItem(KEPT_AS, language);
    } catch {
      // A private window: the choice lasts as long as the page.
    }
  }
}

export const speaking = new Speaking();
document.documentElement.lang = speaking.language;

type Fill = Record<string, string | number>;

/**
 * A catalogue is two lists of sentences with the same keys; TypeScript refuses one that lacks a key.
 * `{name}` in a sentence is filled from the second argument.
 */
export function catalogue<const K extends string>(id: Record<K, string>, en: Record<K, string>) {
  const sentences: Record<Language, Record<string, string>> = { id, en };
  const say = (key: K, fill?: Fill): string => {
    const sentence = sentences[speaking.language][key] ?? key;
    return fill ? sentence.replace(/\{(\w+)\}/g, (_, name: string) => String(fill[name] ?? '')) : sentence;
  };
  /** For codes that come from the server: the word when we have one, else what `otherwise` says. */
  const sayCode = (group: string, code: string | null | undefined, otherwise?: string): string =>
    code ? (sentences[speaking.language][`${group}.${code}`] ?? otherwise ?? code) : (otherwise ?? '–');
  return { say, sayCode };
}
