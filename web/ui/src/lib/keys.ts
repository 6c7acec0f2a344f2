/** Shortcuts: one table a screen, shown to the person exactly as it is obeyed. */

export interface Shortcut {
  /** "F9", "Alt+KeyL", "Ctrl+Enter": modifiers, then KeyboardEvent.code, so that layouts do not matter. */
  press: string;
  /** What is painted on the key, where it differs from `press`. */
  shown?: string;
  what: string;
  run: () => void;
  when?: () => boolean;
}

function pressed(event: KeyboardEvent): string {
  const modifiers = [
    event.ctrlKey || event.metaKey ? 'Ctrl+' : '',
    event.altKey ? 'Alt+' : '',
    event.shiftKey ? 'Shift+' : '',
  ];
  const code = event.code === 'NumpadEnter' ? 'Enter' : event.code;
  return modifiers.join('') + code;
}

export const painted = (press: string): string => press.replace(/Key|Digit/, '').replace('Escape', 'Esc');

/** Obey the table until the returned function is called. A dialog that is open keeps its keys to itself. */
export function obey(table: () => Shortcut[]): () => void {
  const listen = (event: KeyboardEvent) => {
    if (document.querySelector('dialog[open]') || event.isComposing) return;
    const press = pressed(event);
    const wish = table().find((shortcut) => shortcut.press === press && (shortcut.when?.() ?? true));
    if (!wish) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) wish.run();
  };
  addEventListener('keydown', listen, true);
  return () => removeEventListener('keydown', listen, true);
}
