/** Every console starts alike: styles, the screen, and a plain word when something is badly wrong. */

import { mount, type Component } from 'svelte';
import '../styles/base.css';

export function start(screen: Component): void {
  const target = document.getElementById('app');
  if (!target) throw new Error('the page has no place for the screen');
  mount(screen, { target });
}
