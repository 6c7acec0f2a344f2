import Screen from '../screens/unit/UnitScreen.svelte';
import { start } from './start';

start(Screen);
