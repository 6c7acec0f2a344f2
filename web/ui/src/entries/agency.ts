import Screen from '../screens/agency/Agency.svelte';
import { start } from './start';

start(Screen);
