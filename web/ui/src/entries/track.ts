import Screen from '../screens/track/Track.svelte';
import { start } from './start';

start(Screen);
