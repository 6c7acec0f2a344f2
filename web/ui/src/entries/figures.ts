import Screen from '../screens/figures/FiguresScreen.svelte';
import { start } from './start';

start(Screen);
