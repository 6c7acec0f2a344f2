import Screen from '../screens/call/Call.svelte';
import { start } from './start';

start(Screen);
