/** Light or dark: the machine's own wish, until a person says otherwise. */

export type Theme = 'auto' | 'light' | 'dark';
const KEPT_AS = 'siaga.theme';

function remembered(): Theme {
  try {
    const kept = localStorage.getItem(KEPT_AS);
    return kept === 'light' || kept === 'dark' ? kept : 'auto';
  } catch {
    return 'auto';
  }
}

class Look {
  theme = $state<Theme>(remembered());
  #machine = matchMedia('(prefers-color-scheme: dark)');
  #machineIsDark = $state(this.#machine.matches);

  constructor() {
    this.#machine.addEventListener('change', (change) => {
      this.#machineIsDark = change.matches;
    });
    this.#show();
  }

  get isDark(): boolean {
    return this.theme === 'dark' || (this.theme === 'auto' && this.#machineIsDark);
  }

  turn(): void {
    this.theme = this.isDark ? 'light' : 'dark';
    this.#show();
    try {
      localStorage.setItem(KEPT_AS, this.theme);
    } catch {
      // A private window: the choice lasts as long as the page.
    }
  }

  #show(): void {
    if (this.theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = this.theme;
  }
}

export const look = new Look();
